"""How well the clinical reader reads operations of the world that it was not fitted on.

Protocol
    online: step t is read from steps <= t; graphs hold everything in the room with the script's actions (`staff_graph`)
    ids last, as a tracker's do; an abstention counts as a miss; students and visitors are nobody's concern: a role that
    is given to one of them counts as false
    late: the same operations, joined by the reader after 40 % of their time; only what follows is scored
    unseen: procedures that the reader was not fitted on, whose own phases it cannot know
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from or_spatial.clinical import ClinicalReader, Repertoire
from or_spatial.clinical.cues import ACTS, read_cues
from or_spatial.clinical.next_acts import NOTHING, acts_before_and_after
from or_spatial.evaluation.clinical_world import ROLES, Operation
from or_spatial.evaluation.metrics.calibration import expected_calibration_error
from or_spatial.evaluation.metrics.classification import Confusion, macro_f1
from or_spatial.scene.clinical import ClinicalState

_NOBODY = "none"
_LATE = 0.4  # chosen: in the middle of the work, past the telling beginning
NODE_CONFIDENCE = 0.5  # the node's default for what it publishes

Pair = tuple[str, str, float]
"""(true, said, confidence): true "" where the reader could not know, said "" where it abstains."""


@dataclass(frozen=True)
class Reading:
    """One operation as it was read from step `begin` on."""

    operation: Operation
    begin: int
    states: tuple[ClinicalState, ...]

    @classmethod
    def of(cls, repertoire: Repertoire, operation: Operation, begin: int = 0) -> "Reading":
        """Read an operation step by step, as the node does with its default `min_confidence`."""
        reader = ClinicalReader(repertoire)
        states = (reader.read(step.graph).abstaining_below(NODE_CONFIDENCE) for step in operation.steps[begin:])
        return cls(operation, begin, tuple(states))

    def phases(self) -> list[Pair]:
        """The phase of every step."""
        steps = self.operation.steps[self.begin :]
        return [(step.phase, s.phase, s.phase_confidence) for step, s in zip(steps, self.states, strict=True)]

    def procedures(self) -> list[Pair]:
        """The procedure at every step."""
        return [(self.operation.procedure, s.procedure, s.procedure_confidence) for s in self.states]

    def roles(self) -> list[Pair]:
        """The role of everybody at every step; "none" for students and visitors, also where the reader says nothing."""
        steps = self.operation.steps[self.begin :]
        return [
            (step.roles[r.object_id], r.role or _NOBODY, r.confidence)
            for step, state in zip(steps, self.states, strict=True)
            for r in state.roles
        ]

    def next_acts(self) -> list[Pair]:
        """The next act that differs from the last one; steps with none to come are left out."""
        acts = [read_cues(step.graph).room[0] for step in self.operation.steps]
        ahead = acts_before_and_after(acts)[self.begin :]
        return [
            (ACTS[coming], state.next_action, state.next_action_confidence)
            for (_, coming), state in zip(ahead, self.states, strict=True)
            if coming != NOTHING
        ]


def score_world(repertoire: Repertoire, played: Iterable[Operation]) -> dict[str, Any]:
    """Nested figures over operations: procedures the reader knows, joined late, and those that it does not know."""
    known = {m.procedure for m in repertoire.models}
    played = list(played)
    seen = [o for o in played if o.procedure in known]
    unseen = [o for o in played if o.procedure not in known]
    figures = _figures([Reading.of(repertoire, o) for o in seen])
    figures["late"] = _figures([Reading.of(repertoire, o, int(_LATE * len(o.steps))) for o in seen])
    if unseen:
        figures["unseen"] = _figures([Reading.of(repertoire, o) for o in unseen])
    figures["operations"] = {"known": len(seen), "unseen": len(unseen)}
    return figures


def _figures(readings: Sequence[Reading]) -> dict[str, Any]:
    roles = [pair for reading in readings for pair in reading.roles()]
    return {
        "roles": {"macro_f1": _role_f1(roles), **told(roles)},
        "phases": told([pair for reading in readings for pair in reading.phases()]),
        "procedure": told([pair for reading in readings for pair in reading.procedures()]),
        "next_action": told([pair for reading in readings for pair in reading.next_acts()]),
    }


def _role_f1(pairs: Sequence[Pair]) -> float:
    confusion = Confusion([*ROLES, _NOBODY])
    for true, said, _ in pairs:
        confusion.add(true, said)
    return macro_f1(confusion.scores(), without=_NOBODY)


def told(pairs: Sequence[Pair]) -> dict[str, float]:
    """Share that is right, share that is answered at all, share of the answers that is right, and their calibration.

    Giving somebody no role is no answer, though it may be right.
    """
    if not pairs:
        return {}
    right = np.array([true == said for true, said, _ in pairs])
    confidence = np.array([c for *_, c in pairs], dtype=float)
    given = np.array([said not in ("", _NOBODY) for _, said, _ in pairs])
    return {
        "accuracy": float(right.mean()),
        "answered": float(given.mean()),
        "right_when_answered": float(right[given].mean()) if given.any() else float("nan"),
        "ece": expected_calibration_error(confidence[given], right[given]),
    }
