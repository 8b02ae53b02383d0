"""Phases as stretches of time: where one begins too early or too late, and how many stretches overlap the truth."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """One label from frame `first` to frame `last`, both included."""

    label: str
    first: int
    last: int

    def overlap(self, other: "Segment") -> float:
        """Intersection over union in frames."""
        both = min(self.last, other.last) - max(self.first, other.first) + 1
        either = max(self.last, other.last) - min(self.first, other.first) + 1
        return max(0, both) / either


def segments(labels: Sequence[str]) -> list[Segment]:
    """The stretches of equal labels, in order."""
    found: list[Segment] = []
    for frame, label in enumerate(labels):
        if found and found[-1].label == label:
            found[-1] = Segment(label, found[-1].first, frame)
        else:
            found.append(Segment(label, frame, frame))
    return found


def segmental_f1(true: Sequence[str], said: Sequence[str], least_overlap: float = 0.5) -> float:
    """F1@k of Lea et al. 2017: a said stretch is right when it overlaps a true one of its label, each used once.

    Flicker is punished: every stretch too many is a false positive. Stretches of "" (abstentions) count like others.
    """
    wanted, given = segments(true), segments(said)
    used: set[int] = set()
    for segment in given:
        rivals = [(segment.overlap(w), k) for k, w in enumerate(wanted) if w.label == segment.label]
        overlap, best = max(rivals, default=(0.0, -1))
        if overlap >= least_overlap and best not in used:
            used.add(best)
    return 2 * len(used) / (len(wanted) + len(given)) if wanted or given else float("nan")


def boundary_errors(true: Sequence[str], said: Sequence[str], order: Sequence[str]) -> dict[str, int]:
    """Frames by which each phase but the first begins wrongly, by its name; `true` goes through `order` once.

    Said too early: the first frame that is already called this phase or a later one. Too late: the first frame from
    which nothing earlier is called any more. The worse of both counts, so a display that wavers is not forgiven. An
    abstention is not called anything.
    """
    rank = {name: k for k, name in enumerate(order)}
    ranks = [rank.get(label) for label in said]
    errors = {}
    for segment in segments(true)[1:]:
        wanted = rank[segment.label]
        early = next((n for n, r in enumerate(ranks) if r is not None and r >= wanted), len(ranks))
        late = 1 + max((n for n, r in enumerate(ranks) if r is not None and r < wanted), default=-1)
        errors[segment.label] = max(abs(early - segment.first), abs(late - segment.first))
    return errors
