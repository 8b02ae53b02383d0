"""`or_spatial evaluate --dataset 4d-or`: roles and phases read online from annotated graphs, across operations.

Protocol
    fit on one take, score on the other, both ways, with the same strengths; a headline is the worse direction
    online: frame t is read from frames <= t, no lag, no smoothing
    people are given new random ids in a new order in every frame, twice: `human_k` follows the annotator's order
    of roles and would give them away; a role figure is the mean of the two, `macro_f1_lowest` the worse
    the reader was designed while looking at both takes: the figures are optimistic, docs/clinical.md says by what
    an abstention counts as a miss; people annotated `none`, or not at all, are left out and reported
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from or_spatial.clinical import ClinicalModel, ClinicalReader
from or_spatial.clinical.cues import ACTS, read_cues
from or_spatial.clinical.fitting import DEFAULT_STRENGTHS, Step, Strengths, fit
from or_spatial.clinical.next_acts import NOTHING, acts_before_and_after
from or_spatial.datasets import four_d_or
from or_spatial.errors import DatasetError
from or_spatial.evaluation.metrics.classification import Confusion, macro_f1
from or_spatial.evaluation.metrics.segments import boundary_errors, segmental_f1
from or_spatial.scene.clinical import ClinicalState
from or_spatial.scene.graph import SceneGraph

ROLES = ("head-surgeon", "assistant-surgeon", "circulating-nurse", "anaesthetist")
SCRUBBED = ROLES[:2]
_ABSTAINED = "none"  # the word that Confusion puts unknown predictions under
_SHUFFLES = 2

PUBLISHED = (
    {
        "what": "4D-OR role prediction (Ozsoy et al., MICCAI 2022), macro F1",
        "value": 0.85,
        "differs": "fitted on six takes, scored on others; from predicted graphs; the patient is a fifth role; not "
        "stated to be online",
    },
    {
        "what": "random forest on relation counts, frame by frame, macro F1 (ours, 4 to 8 / 8 to 4)",
        "value": [0.77, 0.78],
        "differs": "same takes and roles; no memory",
    },
    {
        "what": "random forest and causal left-to-right filter, phase accuracy (ours, 4 to 8 / 8 to 4)",
        "value": [0.89, 0.84],
        "differs": "same takes; online too",
    },
)
"""The field's figures and the baselines: `reference/papers.md` section 6, `reference/measured.md`."""


def clinical_figures(folder: Path, strengths: Strengths = DEFAULT_STRENGTHS) -> dict[str, Any]:
    """Nested figures from `relationships_validation.json` and `phases/phase_to_frames_{take}.json` in `folder`.

    Raises:
        DatasetError: a file is missing or damaged, or the file does not hold exactly two takes.
    """
    takes = read_takes(folder)
    directions = {}
    for fitted_on, steps in takes.items():
        (scored,) = (t for t in takes if t != fitted_on)
        model = fit_4d_or([steps], model_id=f"4d-or-take-{fitted_on}", strengths=strengths)
        directions[f"{fitted_on}_to_{scored}"] = score_operation(model, takes[scored])
    return {
        "roles": {
            "macro_f1": min(d["roles"]["macro_f1"] for d in directions.values()),
            "macro_f1_mean": float(np.mean([d["roles"]["macro_f1"] for d in directions.values()])),
            **{name: d["roles"] for name, d in directions.items()},
        },
        "phases": {
            "accuracy": min(d["phases"]["accuracy"] for d in directions.values()),
            "worst_boundary_frames": max(d["phases"]["worst_boundary_frames"] for d in directions.values()),
            "f1_at_50": min(d["phases"]["f1_at_50"] for d in directions.values()),
            **{name: d["phases"] for name, d in directions.items()},
        },
        "next_action": {
            "accuracy": min(d["next_action"]["accuracy"] for d in directions.values()),
            **{name: d["next_action"] for name, d in directions.items()},
        },
        "published": PUBLISHED,
        "made_with": {"dataset": "4d-or", "online": True, "lag_frames": 0, "shuffles": _SHUFFLES, "step_s": 1.0},
    }


def read_takes(folder: Path) -> dict[int, list[Step]]:
    """The annotated steps of each take, in order of time.

    Raises:
        DatasetError: as `clinical_figures`.
    """
    scans = four_d_or.read_relationships(Path(folder) / "relationships_validation.json")
    takes = sorted({s.take for s in scans})
    if len(takes) != 2:
        raise DatasetError(f"{folder}/relationships_validation.json holds takes {takes}; two are needed, to fit on one")
    found = {}
    for take in takes:
        phases = four_d_or.read_phases(Path(folder) / "phases" / f"phase_to_frames_{take}.json")
        own = sorted((s for s in scans if s.take == take), key=lambda s: int(s.scan))
        found[take] = [_step(s, phases) for s in own]
    return found


def _step(scan: four_d_or.Scan, phases: dict[str, tuple[int, int]]) -> Step:
    roles = {human: role for human, role in scan.roles.items() if role}
    return Step(scan.scene().graph, roles, four_d_or.phase_at(phases, int(scan.scan)))


def fit_4d_or(
    operations: list[list[Step]],
    model_id: str,
    strengths: Strengths = DEFAULT_STRENGTHS,
) -> ClinicalModel:
    """The reader of 4D-OR's phases and staff roles, fitted on whole takes."""
    model = fit(
        operations,
        phases=tuple(four_d_or.PHASES),
        roles=ROLES,
        scrubbed=SCRUBBED,
        strengths=strengths,
        model_id=model_id,
    )
    return replace(model, procedure="total_knee")


def score_operation(model: ClinicalModel, steps: list[Step]) -> dict[str, Any]:
    """Roles over all shuffles; phases and next action once, for they do not look at who is who."""
    readings = [_read(model, steps, seed) for seed in range(_SHUFFLES)]
    return {
        "roles": _score_roles([_pairs(steps, reading) for reading in readings], steps),
        "phases": _score_phases(model, steps, [state for state, _ in readings[0]]),
        "next_action": _score_next(steps, [state for state, _ in readings[0]]),
    }


def _read(model: ClinicalModel, steps: list[Step], seed: int) -> list[tuple[ClinicalState, dict[str, str]]]:
    """(reading, annotated id by the id that was shown), one per step."""
    rng = np.random.default_rng(seed)
    reader = ClinicalReader(model, ids_last=False)
    found = []
    for step in steps:
        graph, named = anonymous(step.graph, rng)
        found.append((reader.read(graph), named))
    return found


def anonymous(graph: SceneGraph, rng: np.random.Generator) -> tuple[SceneGraph, dict[str, str]]:
    """The same graph with its objects in a random order under new ids; and the old id of each new one."""
    order = rng.permutation(len(graph.objects))
    new = {graph.objects[old].id: f"object_{k}" for k, old in enumerate(order)}
    objects = tuple(replace(graph.objects[old], id=new[graph.objects[old].id]) for old in order)
    relations = tuple(
        replace(r, subject_id=new[r.subject_id], object_id=new[r.object_id])
        for r in (graph.relations[k] for k in rng.permutation(len(graph.relations)))
    )
    return replace(graph, objects=objects, relations=relations), {n: old for old, n in new.items()}


def _pairs(steps: list[Step], readings: list[tuple[ClinicalState, dict[str, str]]]) -> list[tuple[str, str]]:
    """(annotated role, role that was read) of everybody; "" where nobody annotated one."""
    return [
        (step.roles.get(named[r.object_id], ""), r.role)
        for step, (state, named) in zip(steps, readings, strict=True)
        for r in state.roles
    ]


def _score_roles(shuffles: list[list[tuple[str, str]]], steps: list[Step]) -> dict[str, Any]:
    single, pooled = [], Confusion([*ROLES, _ABSTAINED])
    for pairs in shuffles:
        own = Confusion([*ROLES, _ABSTAINED])
        for true, said in pairs:
            if true in ROLES:
                own.add(true, said)
        single.append(macro_f1(own.scores(), without=_ABSTAINED))
        pooled.counts += own.counts
    left_out = Counter(true or "not annotated" for true, _ in shuffles[0] if true not in ROLES)
    return {
        "macro_f1": float(np.mean(single)),
        "macro_f1_lowest": float(min(single)),
        "abstained": float(pooled.counts[:, -1].sum() / pooled.counts.sum()),
        "people_left_out": dict(left_out),
        "roles_of_people_outside_the_graph": sum(len(s.roles.keys() - {o.id for o in s.graph.objects}) for s in steps),
        "classes": {s.name: _class(s, _SHUFFLES) for s in pooled.scores() if s.name != _ABSTAINED},
        "frames": len(steps),
    }


def _class(score, times: int = 1) -> dict[str, Any]:
    return {
        "precision": score.precision, "recall": score.recall, "f1": score.f1, "support": score.support // times
    }  # fmt: skip


def _score_phases(model: ClinicalModel, steps: list[Step], states: list[ClinicalState]) -> dict[str, Any]:
    true, said = [s.phase for s in steps], [s.phase for s in states]
    confusion = Confusion([*model.phases.names, _ABSTAINED])
    for t, s in zip(true, said, strict=True):
        confusion.add(t, s)
    boundaries = boundary_errors(true, said, model.phases.names)
    return {
        "accuracy": float(np.mean([t == s for t, s in zip(true, said, strict=True)])),
        "worst_boundary_frames": max(boundaries.values()),
        "f1_at_50": segmental_f1(true, said),
        "boundary_frames": boundaries,
        "abstained": float(np.mean([not s for s in said])),
        "classes": {s.name: _class(s) for s in confusion.scores() if s.name != _ABSTAINED},
        "frames": len(steps),
    }


def _score_next(steps: list[Step], states: list[ClinicalState]) -> dict[str, Any]:
    """Against the next act that the annotations hold and that differs from the last; frames before none are left out.

    4D-OR annotates no next action: this is MM-OR's question put to 4D-OR's graphs.
    """
    ahead = [coming for _, coming in acts_before_and_after([read_cues(s.graph).room[0] for s in steps])]
    asked = [(ACTS[c], state.next_action) for c, state in zip(ahead, states, strict=True) if c != NOTHING]
    nan = float("nan")
    return {
        "accuracy": float(np.mean([true == said for true, said in asked])) if asked else nan,
        "answered": float(np.mean([bool(said) for _, said in asked])) if asked else nan,
        "frames": len(asked),
    }
