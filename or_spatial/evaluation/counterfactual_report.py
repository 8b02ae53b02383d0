"""The page of `or_spatial evaluate --task counterfactual --report`: shares by kind, and every pair as two pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from or_spatial.evaluation.counterfactual_task import JudgedPair
from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance

_SHOWN = 8  # of each kind

_MEANING = {
    "depth_order": "Somebody stands before or behind somebody else, as large in the picture and in the same column.",
    "robot_arm": "Somebody stands before or behind the robot.",
    "hand_on_drape": "A hand rests on the draped patient, or is held 3 to 5 cm off.",
    "tool_on_table": "A tool lies under a hand, or hangs in it above its place.",
}


def write_counterfactual_report(folder: Path, figures: dict[str, Any], judged: Sequence[JudgedPair]) -> Path:
    """Write `report.html` into `folder` and return its path."""
    found, made = figures["counterfactual"], figures["made_with"]
    page = Report(
        f"Counterfactual pairs: {made['model']}",
        f"{found['pairs']} pairs of the {made['split']} split, world version {made['world_version']}",
        provenance=provenance(f"or_spatial evaluate --task counterfactual --split {made['split']}"),
        headline=[
            ("both pictures right", number(found["pair_accuracy"]), "of all pairs"),
            ("one picture right", number(found["picture_accuracy"]), "of all pictures"),
            ("both things found", number(found["found"]), "in both pictures"),
        ],
        warning=SYNTHETIC,
    )
    page.add(_table(found))
    for kind in found["by_kind"]:
        page.add(_pairs(kind, [j for j in judged if j.drawn.pair.kind == kind][:_SHOWN]))
    return page.write(folder / "report.html")


def _table(found: dict[str, Any]) -> Section:
    keys = ("pair_accuracy", "picture_accuracy", "found", "pair_accuracy_of_found")
    rows = [(kind, str(f["pairs"]), *(number(f[k]) for k in keys)) for kind, f in found["by_kind"].items()]
    headings = ("kind", "#pairs", "#both right", "#one right", "#both found", "#both right, of found")
    return Section("By kind", items=(Table(headings, rows),))


def _pairs(kind: str, judged: list[JudgedPair]) -> Section:
    pictures = []
    for one in judged:
        shown = np.concatenate([s.image for s in one.drawn.samples], axis=1)
        pictures.append(Picture(shown, _caption(one), photo=True, wide=True))
    return Section(kind, (_MEANING.get(kind, ""),), pictures)


def _caption(one: JudgedPair) -> str:
    pair = one.drawn.pair
    said = [
        f"{'right' if v.right else 'wrong'}: {', '.join(sorted(v.said)) or 'nothing' if v.found else 'not found'}"
        for v in one.verdicts
    ]
    meant = f"{pair.subject_id} {pair.predicates[0]} | {pair.predicates[1]} {pair.object_id}"
    return f"seed {pair.seed}, {meant} (left {said[0]}; right {said[1]})"
