"""A stream of scene graphs in, what the team is doing out: phase, roles, next action, each with its confidence.

Online: the reading of a graph rests on that graph and those before it, with no lag. Graphs that come faster than the
model's step are answered with the last reading; a pause is lived through; time that jumps back begins anew.

Of several kinds of operations each is read as if it were the one, and the reading is their mixture: a phase or a role
of one name counts from all of them, weighed by how well each kind explains the room so far.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.cues import ACTS, Cues, read_cues
from or_spatial.clinical.model import ClinicalModel
from or_spatial.clinical.next_acts import NOTHING
from or_spatial.clinical.phases import PhaseFilter
from or_spatial.clinical.repertoire import Repertoire
from or_spatial.clinical.roles import RoleFilter
from or_spatial.clinical.tracked_roles import TrackedRoles
from or_spatial.scene.clinical import ClinicalState, RoleEstimate
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.values import NAN

Array = NDArray[np.float64]

_NS = 1_000_000_000
_EARLY = 0.9  # a graph is read when this share of a step has passed: cameras are not exact clocks
_SURE_ROLE = 0.2  # of four roles and "other", the best guess of a reader that knows nothing
_SURE_PHASE = 0.25  # below it the phase filter would leave the phase, had it a better one
_SURE_NEXT = 0.3  # chosen: one in three is worth saying to a nurse who lays out instruments
_SURE_PROCEDURE = 0.5  # chosen: more likely than all others together
_LEAST_KIND = 1e-4  # no kind of operation is ever given up for good: the next one may be of it


class ClinicalReader:
    """Reads one operation. Not to be shared between threads.

    `ids_last`: the ids of people are those of a tracker (live graphs), not counted anew in each graph (4D-OR).
    """

    def __init__(self, known: ClinicalModel | Repertoire, *, ids_last: bool = True) -> None:
        if isinstance(known, ClinicalModel):
            known = Repertoire(model_id=known.model_id, models=(known,))
        self.repertoire, self.ids_last = known, ids_last
        self._phase_names = _union(m.phases.names for m in known.models)
        self._role_names = _union(m.roles.names for m in known.models)
        self.reset()

    def reset(self) -> None:
        """Forget the operation so far."""
        self._kinds = [_Kind(model, self.ids_last) for model in self.repertoire.models]
        self._weights = np.full(len(self._kinds), 1.0 / len(self._kinds))
        self._announced = 0
        self._last_act = NOTHING
        self._read_ns: int | None = None
        self._sequence = 0
        self._reading = ClinicalState(stamp_ns=0, model_id=self.repertoire.model_id)

    def read(self, graph: SceneGraph) -> ClinicalState:
        """The reading after this graph; unsure parts are empty, with the confidence that was not enough."""
        if self._read_ns is not None and graph.stamp_ns < self._read_ns:
            self.reset()
        if graph.sequence < self._sequence:
            for kind in self._kinds:
                kind.renamed()
        self._sequence = graph.sequence
        if self._read_ns is not None:
            steps = (graph.stamp_ns - self._read_ns) / _NS / self.repertoire.step_s
            if steps < _EARLY:
                return self._again(graph)
            for kind in self._kinds:
                kind.phases.pass_time(round(steps) - 1)
        self._read_ns = graph.stamp_ns
        self._reading = self._step(graph, read_cues(graph))
        return self._reading

    def _again(self, graph: SceneGraph) -> ClinicalState:
        there = {o.id for o in graph.objects}
        roles = tuple(r for r in self._reading.roles if r.object_id in there)
        return replace(self._reading, stamp_ns=graph.stamp_ns, roles=roles)

    def _step(self, graph: SceneGraph, cues: Cues) -> ClinicalState:
        self._weigh([kind.see(cues) for kind in self._kinds])
        if cues.room[0] != NOTHING:
            self._last_act = cues.room[0]
        phase, sure = self._phase()
        coming = self._mixed([kind.next_act(self._last_act) for kind in self._kinds])
        act, expected = int(coming.argmax()), float(coming.max())
        procedure, known = self._procedure()
        held = self._roles(cues)
        return ClinicalState(
            stamp_ns=graph.stamp_ns,
            procedure=procedure,
            procedure_confidence=known,
            phase=phase if sure >= _SURE_PHASE else "",
            phase_confidence=sure,
            next_action=ACTS[act] if expected >= _SURE_NEXT else "",
            next_action_confidence=expected,
            roles=tuple(self._role(graph, p.object_id, row) for p, row in zip(cues.people, held, strict=True)),
            model_id=self.repertoire.model_id,
        )

    def _weigh(self, log_evidence: Sequence[float]) -> None:
        """Bayes' rule over the kinds of operations, by the log evidence of this step under each."""
        likelihood = np.exp(np.array(log_evidence) - max(log_evidence))
        weights = np.maximum(self._weights * likelihood / (self._weights @ likelihood), _LEAST_KIND)
        self._weights = weights / weights.sum()

    def _mixed(self, of_kinds: Sequence[Array]) -> Array:
        return np.einsum("k,ka->a", self._weights, np.stack(of_kinds))

    def _procedure(self) -> tuple[str, float]:
        """A reader that knows one kind only cannot tell it from others: the name stands without a confidence."""
        if len(self._kinds) == 1:
            return self.repertoire.models[0].procedure, NAN
        best = int(self._weights.argmax())
        sure = float(self._weights[best])
        return self.repertoire.models[best].procedure if sure >= _SURE_PROCEDURE else "", sure

    def _phase(self) -> tuple[str, float]:
        """A phase is announced until it has become unlikely: a filter is allowed to waver, a display is not."""
        chances = np.zeros(len(self._phase_names))
        for weight, kind in zip(self._weights, self._kinds, strict=True):
            for name, chance in zip(kind.model.phases.names, kind.phases.probabilities, strict=True):
                chances[self._phase_names.index(name)] += weight * chance
        if chances[self._announced] < max(kind.model.phases.leave_below for kind in self._kinds):
            self._announced = int(chances.argmax())
        return self._phase_names[self._announced], float(chances[self._announced])

    def _roles(self, cues: Cues) -> Array:
        """(people, roles + 1), the last column for other people."""
        held = np.zeros((len(cues.people), len(self._role_names) + 1))
        for weight, kind in zip(self._weights, self._kinds, strict=True):
            columns = [self._role_names.index(name) for name in kind.model.roles.names] + [-1]
            held[:, columns] += weight * kind.roles_of(cues)
        return held

    def _role(self, graph: SceneGraph, person: str, held: Array) -> RoleEstimate:
        best = int(held[:-1].argmax())
        sure = float(held[best])
        role = self._role_names[best] if sure >= _SURE_ROLE else ""
        return RoleEstimate(person, role, sure, self._sterile(graph, person, held))

    def _sterile(self, graph: SceneGraph, person: str, held: Array) -> float:
        """What the graph says (attire, contamination), else how likely the person's role is a scrubbed one."""
        seen = graph.find(person)
        if seen is not None and math.isfinite(seen.sterile):
            return seen.sterile
        scrubbed = {name for m in self.repertoire.models for name in m.roles.scrubbed}
        return float(sum(held[self._role_names.index(name)] for name in scrubbed)) if scrubbed else NAN


class _Kind:
    """One kind of operation, read as if it were the one."""

    def __init__(self, model: ClinicalModel, ids_last: bool) -> None:
        self.model = model
        self.phases = PhaseFilter(model.phases)
        self._people = TrackedRoles(model.roles) if ids_last else RoleFilter(model.roles)

    def see(self, cues: Cues) -> float:
        """Take in the room; returns the log probability of its cues."""
        before = self.phases.log_evidence
        self.phases.step(cues.room)
        return self.phases.log_evidence - before

    def renamed(self) -> None:
        """Ids of people mean others from now on; what the room has done stays."""
        if isinstance(self._people, TrackedRoles):
            self._people.forget()

    def next_act(self, last: int) -> Array:
        """(acts,), of each act to come."""
        return self.model.next_acts.after(last, self.phases.probabilities)

    def roles_of(self, cues: Cues) -> Array:
        """(people, R + 1), once per step."""
        return self._people.step(cues.people, self.phases.probabilities)


def _union(names: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for of_one in names for name in of_one))
