"""What box geometry says about a pair, as far as things of these two kinds bear it out.

Boxes reach around arms and lamp posts, so that two boxes that surely touch may hold bodies that do not; a tool whose
box is about on a worktop nearly always lies on it. How often that is so depends on what the two things are.
`RelationTrust` turns the probabilities of box geometry into those frequencies: Dirichlet calibration (Kull et al.,
NeurIPS 2019) of predicates that exclude each other, with a shift for each pair of labels:

    q ~ softmax(weights @ log(p, 1 - sum p) + bias + shift[labels])      the last class is "none of them", at 0

`config/relation_trust.yaml` holds the numbers and says what they were fitted on. Of labels that the file does not list
nothing is known, and geometry is left as it is; so are directions, which need no surface. Two listed labels without a
shift of their own are as most are. `below` follows from its converses.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.paths import share_path
from or_spatial.scene.vocabulary import load_vocabulary

Array = NDArray[np.float64]

_TELLING = 0.1  # a shift that changes log-odds by less is not worth a line
_LEAST = 1e-3  # probabilities are held within [_LEAST, 1 - _LEAST]: the tails of boxes mean nothing


@dataclass(frozen=True, eq=False)
class TrustGroup:
    """C predicates that exclude each other: `weights` (C, C + 1), `bias` (C,), and a shift (C,) by pair of labels.

    `symmetric`: the order of the labels means nothing, and they are named in alphabetical order. `labels`: those of
    which anything is known.
    """

    predicates: tuple[str, ...]
    symmetric: bool
    weights: Array
    bias: Array
    shifts: Mapping[tuple[str, str], Array]
    labels: frozenset[str]

    def believed(self, p: Array, shift: Array) -> Array:
        """Calibrated probabilities (..., C) of geometric ones (..., C); `shift` (..., C) is that of the labels."""
        logits = features(p) @ self.weights.T + self.bias + shift
        top = np.maximum(logits.max(-1, keepdims=True), 0.0)
        share = np.exp(logits - top)
        return share / (share.sum(-1, keepdims=True) + np.exp(-top))

    def shift(self, subject: str, target: str) -> Array | None:
        """The shift (C,) of two labels; None where nothing is known of them."""
        if not {subject, target} <= self.labels:
            return None
        pair = tuple(sorted((subject, target))) if self.symmetric else (subject, target)
        return self.shifts.get(pair, np.zeros(len(self.predicates)))


def features(p: Array) -> Array:
    """Log-probabilities (..., C + 1) of classes that exclude each other, given those of all but the last (..., C)."""
    rest = 1.0 - p.sum(-1, keepdims=True)
    return np.log(np.clip(np.concatenate([p, rest], axis=-1), _LEAST, 1.0 - _LEAST))


class RelationTrust:
    """The groups of one file; `believed` is quick enough for every graph."""

    def __init__(self, groups: Sequence[TrustGroup]) -> None:
        """Columns are the geometric predicates of the `or_world` vocabulary, in its order."""
        names = load_vocabulary().geometric
        self.groups = tuple(groups)
        self._columns = [[names.index(p) for p in g.predicates] for g in self.groups]
        self._above, self._below, self._on = (names.index(p) for p in ("above", "below", "on"))
        self._shifts_of = functools.lru_cache(maxsize=16)(self._shifts)

    def believed(self, table: Array, labels: Sequence[str]) -> Array:
        """(N, N, 10) calibrated from geometric probabilities of N things with these labels; NaN stays NaN."""
        out = table.copy()
        for columns, group, shift in zip(self._columns, self.groups, self._shifts_of(tuple(labels)), strict=True):
            a, b = np.nonzero(np.isfinite(shift[..., 0]) & np.isfinite(table[..., columns]).all(-1))
            out[a[:, None], b[:, None], columns] = group.believed(table[a[:, None], b[:, None], columns], shift[a, b])
        converse = np.minimum(out[..., self._above] + out[..., self._on], 1.0).T
        known = np.isfinite(converse) & np.isfinite(table[..., self._below])
        out[..., self._below] = np.where(known, converse, table[..., self._below])
        return out

    def _shifts(self, labels: tuple[str, ...]) -> list[Array]:
        """(N, N, C) of each group, NaN on the diagonal and where nothing is known."""
        tables = []
        for group in self.groups:
            table = np.full((len(labels), len(labels), len(group.predicates)), np.nan)
            for i, a in enumerate(labels):
                for j, b in enumerate(labels):
                    if i != j and (shift := group.shift(a, b)) is not None:
                        table[i, j] = shift
            tables.append(table)
        return tables


@functools.lru_cache(maxsize=4)
def load_trust(path: Path | None = None) -> RelationTrust:
    """Read a trust file; without a path, the shipped `config/relation_trust.yaml`.

    Raises:
        ConfigError: the file is missing or damaged; the message says what was expected.
    """
    path = path or share_path("config", "relation_trust.yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        labels = frozenset(data["labels"])
        return RelationTrust([_group(g, labels) for g in data["groups"]])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: labels, and groups with predicates, weights, bias and shifts expected ({error})"
        ) from None


def _group(data: Mapping[str, Any], labels: frozenset[str]) -> TrustGroup:
    count = len(data["predicates"])
    weights = np.array(data["weights"], dtype=np.float64).reshape(count, count + 1)
    shifts = {tuple(pair.split(" ")): np.array(s, dtype=np.float64) for pair, s in data["shifts"].items()}
    if not all(np.isfinite(s).all() for s in (weights, *shifts.values())):
        raise ValueError(f"weights and shifts of {data['predicates']} are finite numbers")
    if any(len(pair) != 2 or s.shape != (count,) for pair, s in shifts.items()):
        raise ValueError(f"shifts of {data['predicates']} are lists of {count} under two labels each")
    bias = np.array(data["bias"], dtype=np.float64).reshape(count)
    return TrustGroup(tuple(data["predicates"]), bool(data["symmetric"]), weights, bias, shifts, labels)


def as_yaml(groups: Sequence[TrustGroup], source: str) -> str:
    """The text of a trust file, its numbers to two digits; shifts that say nothing are left out."""

    def plain(values: Array) -> list:
        return np.round(values, 2).tolist()

    lines = [
        "# How far box geometry is to be trusted, by predicate and pair of labels; or_spatial/scene/relation_trust.py.",
        f"# Written by or_spatial.evaluation.relation_trust_fit ({source}); not by hand.",
        f"labels: [{', '.join(sorted(groups[0].labels))}]",
        "groups:",
    ]
    for g in groups:
        quoted = ", ".join(f'"{p}"' for p in g.predicates)  # a bare `on` is a boolean in YAML
        lines += [f"  - predicates: [{quoted}]", f"    symmetric: {str(g.symmetric).lower()}"]
        lines += [f"    weights: {plain(g.weights)}", f"    bias: {plain(g.bias)}", "    shifts:"]
        telling = {pair: shift for pair, shift in g.shifts.items() if np.abs(shift).max() >= _TELLING}
        lines += [f"      {a} {b}: {plain(shift)}" for (a, b), shift in sorted(telling.items())]
    return "\n".join(lines) + "\n"
