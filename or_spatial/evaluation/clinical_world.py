"""Annotated operations of the synthetic world for the clinical reader: whole procedures, everything in the room known.

Graphs come from the script (`world.script_graph`, milliseconds each) or, where figures shall rest on the exact truth,
from the meshes (`world.truth.staff_graph`, a hundred times as long).

Pace: the world compresses an operation to about 12 s per phase (docs/world.md), so a model that was fitted here reads
the world and demo recordings; a real room needs real annotations, such as 4D-OR's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from or_spatial.clinical import ClinicalModel, Repertoire
from or_spatial.clinical.fitting import DEFAULT_STRENGTHS, Step, Strengths, fit
from or_spatial.world.procedures import PROCEDURES
from or_spatial.world.script_graph import script_graph
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import split_plan
from or_spatial.world.truth import staff_graph

STEP_S = 2.0
PHASE_S = 12.5  # the world's usual pace
ROLES = ("head_surgeon", "assistant_surgeon", "nurse", "anaesthetist", "circulator", "mps", "radiographer")
SCRUBBED = ("head_surgeon", "assistant_surgeon", "nurse")
_NS = 1_000_000_000


@dataclass(frozen=True)
class Operation:
    """One scripted operation, a step every `STEP_S`; `roles` hold who is nobody's concern as "none"."""

    split: str
    seed: int
    procedure: str
    steps: tuple[Step, ...]


def read_operation(split: str, seed: int, procedure: str, exact: bool = False) -> Operation:
    """Play one operation from its first phase to its last, at the world's pace; `exact` measures on meshes."""
    duration_s = PHASE_S * len(PROCEDURES[procedure].phases)
    simulation = Simulation(split, seed, 1, duration_s, procedure=procedure, whole=True)
    roles = {id: role if role in ROLES else "none" for id, role in simulation.roles.items() if role != "patient"}
    steps = []
    for t in np.arange(0.0, duration_s, STEP_S).tolist():
        stamp_ns, phase = round(t * _NS), simulation.phase(t)[0]
        graph = staff_graph(simulation.state(t), stamp_ns) if exact else script_graph(simulation, t, stamp_ns)
        steps.append(Step(graph, roles, phase))
    return Operation(split, seed, procedure, tuple(steps))


def operations(split: str, seeds: Sequence[int], exact: bool = False) -> Iterator[Operation]:
    """Each procedure of the split on each of these seeds."""
    for procedure in split_plan(split).procedures:
        for seed in seeds:
            yield read_operation(split, seed, procedure, exact)


def fit_world(
    played: Iterable[Operation], strengths: Strengths = DEFAULT_STRENGTHS, model_id: str = "or_world"
) -> Repertoire:
    """A reader of the procedures among these operations, one model each, by counting.

    Raises:
        DatasetError: a phase of a procedure occurs in none of its operations.
    """
    of_procedure: dict[str, list[Operation]] = {}
    for operation in played:
        of_procedure.setdefault(operation.procedure, []).append(operation)
    models = tuple(_fit_procedure(name, mine, strengths) for name, mine in of_procedure.items())
    return Repertoire(model_id=model_id, models=models)


def _fit_procedure(name: str, played: list[Operation], strengths: Strengths) -> ClinicalModel:
    there = {role for operation in played for step in operation.steps for role in step.roles.values()}
    model = fit(
        [operation.steps for operation in played],
        phases=[phase.name for phase in PROCEDURES[name].phases],
        roles=[role for role in ROLES if role in there],
        scrubbed=[role for role in SCRUBBED if role in there],
        strengths=strengths,
        step_s=STEP_S,
        model_id=f"or_world/{name}",
    )
    return replace(model, procedure=name)
