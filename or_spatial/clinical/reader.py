"""A stream of scene graphs in, what the team is doing out: phase, roles, next action, each with its confidence.

Online: the reading of a graph rests on that graph and those before it, with no lag. Graphs that come faster than the
model's step are answered with the last reading; a pause is lived through; time that jumps back begins anew.
"""

import math
from dataclasses import replace

import numpy as np

from or_spatial.clinical.cues import ACTS, Cues, read_cues
from or_spatial.clinical.model import ClinicalModel
from or_spatial.clinical.next_acts import NOTHING
from or_spatial.clinical.phases import PhaseFilter
from or_spatial.clinical.roles import RoleFilter
from or_spatial.scene.clinical import ClinicalState, RoleEstimate
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.values import NAN

_NS = 1_000_000_000
_EARLY = 0.9  # a graph is read when this share of a step has passed: cameras are not exact clocks
_SURE_ROLE = 0.2  # of four roles and "other", the best guess of a reader that knows nothing
_SURE_PHASE = 0.25  # below it the phase filter would leave the phase, had it a better one
_SURE_NEXT = 0.3  # chosen: one in three is worth saying to a nurse who lays out instruments


class ClinicalReader:
    """Reads one operation. Not to be shared between threads.

    `ids_last`: the ids of people are those of a tracker (live graphs), not counted anew in each graph (4D-OR).
    """

    def __init__(self, model: ClinicalModel, *, ids_last: bool = True) -> None:
        self.model, self.ids_last = model, ids_last
        self.reset()

    def reset(self) -> None:
        """Forget the operation so far."""
        self._phases = PhaseFilter(self.model.phases)
        self._roles = RoleFilter(self.model.roles, self.ids_last)
        self._last_act = NOTHING
        self._read_ns: int | None = None
        self._reading = ClinicalState(stamp_ns=0, model_id=self.model.model_id)

    def read(self, graph: SceneGraph) -> ClinicalState:
        """The reading after this graph; unsure parts are empty, with the confidence that was not enough."""
        if self._read_ns is not None and graph.stamp_ns < self._read_ns:
            self.reset()
        if self._read_ns is not None:
            steps = (graph.stamp_ns - self._read_ns) / _NS / self.model.step_s
            if steps < _EARLY:
                return self._again(graph)
            self._phases.pass_time(round(steps) - 1)
        self._read_ns = graph.stamp_ns
        self._reading = self._step(graph, read_cues(graph))
        return self._reading

    def _again(self, graph: SceneGraph) -> ClinicalState:
        there = {o.id for o in graph.objects}
        roles = tuple(r for r in self._reading.roles if r.object_id in there)
        return replace(self._reading, stamp_ns=graph.stamp_ns, roles=roles)

    def _step(self, graph: SceneGraph, cues: Cues) -> ClinicalState:
        chances = self._phases.step(cues.room)
        held = self._roles.step(cues.people, chances)
        if cues.room[0] != NOTHING:
            self._last_act = cues.room[0]
        coming = self.model.next_acts.after(self._last_act, chances)
        phase, sure = self._phases.announced, float(chances[self._phases.announced])
        act, expected = int(coming.argmax()), float(coming.max())
        return ClinicalState(
            stamp_ns=graph.stamp_ns,
            procedure=self.model.procedure,
            phase=self.model.phases.names[phase] if sure >= _SURE_PHASE else "",
            phase_confidence=sure,
            next_action=ACTS[act] if expected >= _SURE_NEXT else "",
            next_action_confidence=expected,
            roles=tuple(
                self._role(graph, person.object_id, chances_of)
                for person, chances_of in zip(cues.people, held, strict=True)
            ),
            model_id=self.model.model_id,
        )

    def _role(self, graph: SceneGraph, person: str, held: np.ndarray) -> RoleEstimate:
        names = self.model.roles.names
        best = int(held[:-1].argmax())
        sure = float(held[best])
        return RoleEstimate(person, names[best] if sure >= _SURE_ROLE else "", sure, self._sterile(graph, person, held))

    def _sterile(self, graph: SceneGraph, person: str, held: np.ndarray) -> float:
        """What the graph says (attire, contamination), else how likely the person's role is a scrubbed one."""
        seen = graph.find(person)
        if seen is not None and math.isfinite(seen.sterile):
            return seen.sterile
        roles = self.model.roles
        scrubbed = [held[k] for k, name in enumerate(roles.names) if name in roles.scrubbed]
        return float(sum(scrubbed)) if scrubbed else NAN
