"""The page of `or_spatial evaluate --report`: figures, per-predicate tables, pictures with truth beside prediction.

Where real operating-room pictures are at hand (`OR_SPATIAL_DATA`, or `shared/data` beside the checkout) a section shows
what the model sees in them, without calibration and without truth: pictures to judge by, no figures.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance
from or_spatial.evaluation.slices import FrameRecord
from or_spatial.paths import share_path
from or_spatial.perception.model import ModelPerceiver
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.snapshot import bundle_tracker_config, snapshot
from or_spatial.visual.depth import depth_picture
from or_spatial.visual.overlay import OverlayStyle, draw_graph
from or_spatial.visual.reliability import draw_reliability

_PICTURES = 8
_LEAST_RELATIONS = 30  # true ones; fewer say little of a frame
_SIDES = "Left: prediction. Right: truth."
_SLICES = "Distance and occlusion are those of the farther, or more hidden, of two things; invented things have none."
_REAL = "pictures/4d-or_view_{}.jpg"


@dataclass
class Shown:
    """Looks that the page shows: the first with enough to see, and those that went worst."""

    first: list[Look] = field(default_factory=list)
    worst: list[tuple[float, Look]] = field(default_factory=list)

    def consider(self, look: Look, record: FrameRecord) -> None:
        """Keep a look if it is among them."""
        hit, false, missed = record.tallies["strict"].sum(0).tolist()
        if hit + missed < _LEAST_RELATIONS:
            return
        if len(self.first) < _PICTURES:
            self.first.append(look)
        f1 = 2 * hit / (2 * hit + false + missed)
        self.worst = sorted([*self.worst, (f1, look)], key=lambda kept: kept[0])[:_PICTURES]


def write_report(folder: Path, figures: dict, shown: Shown, perceiver: ModelPerceiver) -> Path:
    """Write `report.html` into `folder` and return its path."""
    made = figures["made_with"]
    page = Report(
        f"Evaluation of {made['model']}",
        f"{made['frames']} frames and {made['clips']} clips of the {made['split']} split, "
        f"world version {made['world_version']}",
        provenance=provenance(made["command"], model=made["model"]),
        headline=_headline(figures),
        warning=SYNTHETIC,
    )
    page.add(Section("Predicates", items=_predicates(figures)))
    page.add(Section("Where it is good and where not", (_SLICES,), _slices(figures)))
    page.add(_calibration(figures["calibration"]))
    page.add(Section("What the model sees", (_SIDES,), _pictures(shown.first)))
    worst = [look for _, look in shown.worst]
    page.add(Section("Worst frames", (f"Those with the lowest strict F1 of their own. {_SIDES}",), _pictures(worst)))
    if real := _real_views(perceiver):
        note = "Six views of one moment of 4D-OR. The model was trained on synthetic rooms only; the views come "
        page.add(Section("Real views", (note + "without calibration, so scale is relative.",), real))
    return page.write(folder / "report.html")


def _headline(figures: dict) -> list[tuple[str, str, str]]:
    rows = [
        ("action macro F1", "relations.action_macro_f1", "MM-OR semantics"),
        ("geometric macro F1", "relations.geometric_macro_f1", "viewer's frame"),
        ("strict macro F1", "relations.strict_macro_f1", "invented objects punished"),
        ("centre error", "objects.center_error_median_m", "m, median"),
        ("depth AbsRel", "depth.abs_rel", f"δ1 {number(figures['depth']['delta1'])}"),
        ("unseen procedure", "generalisation.procedure_loss", "of strict macro F1 lost"),
    ]
    rows = [(name, _at(figures, key), _with_interval(note, figures["intervals"].get(key))) for name, key, note in rows]
    if "hazards" in figures:
        rows.append(
            (
                "hazard recall",
                figures["hazards"]["recall"],
                f"{figures['hazards']['false_per_10min']:.1f} false / 10 min",
            )
        )
    if "tracking" in figures:
        switches = figures["tracking"]["id_switches_per_person_min"]
        note = "–" if switches is None else f"people; {switches:.2f} changes of name / person-minute"
        rows.append(("HOTA", figures["tracking"]["hota"], note))
    return [(name, number(value, 3), note) for name, value, note in rows]


def _at(figures: dict, key: str) -> float | None:
    family, name = key.split(".")
    return figures[family][name]


def _with_interval(note: str, interval: Sequence[float | None] | None) -> str:
    return note if not interval or None in interval else f"{note}; 95 %: {interval[0]:.3f} to {interval[1]:.3f}"


def _slices(figures: dict) -> list[Table]:
    tables = []
    for by, found in figures["slices"].items():
        names = list(dict.fromkeys(key for slice_ in found.values() for key in slice_))
        rows = [[name, *(_count_or_number(slice_[key]) for key in names)] for name, slice_ in found.items()]
        tables.append(Table((by, *(f"#{name.replace('_', ' ')}" for name in names)), rows))
    return tables


def _count_or_number(value: float | None) -> str:
    return str(value) if isinstance(value, int) else number(value)


def _calibration(found: dict) -> Section:
    items: list[Picture | Table] = []
    for family in ("relations", "existence"):
        notes = {name: f"ECE {number(c['ece'])}, n {c['said']}" for name, c in found[family].items()}
        curves = {name: c["reliability"] for name, c in found[family].items()}
        items.append(Picture(draw_reliability(curves, notes), f"{family}: stated probability against frequency"))
    told = (
        f"Mean ECE of relations {number(found['relations_ece'])}, of existence {number(found['existence_ece'])}; "
        f"{number(found['ellipsoid_95'])} of the matched centres lie in the 95 % ellipsoid stated with them, "
        f"{number(found['ellipsoid_50'])} in that of 50 %."
    )
    return Section("Calibration", (told,), items)


def _predicates(figures: dict) -> list[Table]:
    tables = []
    for family in ("actions", "geometric", "strict"):
        rows = [
            [str(s["name"]), *(number(s[key]) for key in ("precision", "recall", "f1")), str(s["support"])]
            for s in figures["relations"][family]
        ]
        tables.append(Table((family, "#precision", "#recall", "#F1", "#support"), rows))
    return tables


def _pictures(looks: Sequence[Look]) -> list[Picture]:
    pictures = []
    for look in looks:
        sample = look.sample
        shown = [
            draw_graph(sample.image, graph, sample.camera, sample.room_from_camera, style=OverlayStyle(width_px=896))
            for graph in (look.graph, sample.graph)
        ]
        caption = f"{sample.procedure}, seed {sample.seed}, {sample.time_s:.1f} s, {sample.camera_name}"
        pictures.append(Picture(np.concatenate(shown, axis=1), caption, photo=True, wide=True))
        if (fine := look.perception.fine_depth_m) is not None:
            low, high = np.nanpercentile(sample.depth_m, (2, 98))
            depths = [
                depth_picture(d, low, high, 320, title) for d, title in ((fine, "predicted"), (sample.depth_m, "true"))
            ]
            pictures.append(Picture(np.concatenate(depths, axis=1), "depth, m", photo=True, wide=True))
    return pictures


def real_views() -> list[Path]:
    """The real pictures, wherever they are; empty where they are not."""
    roots = [os.environ.get("OR_SPATIAL_DATA"), share_path("config").parent.parent / "shared" / "data"]
    for root in filter(None, roots):
        found = [Path(root) / _REAL.format(i) for i in range(1, 7)]
        if all(path.is_file() for path in found):
            return found
    return []


def _real_views(perceiver: ModelPerceiver) -> list[Picture]:
    style = OverlayStyle(boxes_2d=True, boxes_3d=False)
    pictures = []
    for path in real_views():
        frame = Frame(path.stem, 1, cv2.imread(str(path))[..., ::-1].copy())
        (perception,) = perceiver.perceive([frame])
        graph = snapshot(frame, perception, bundle_tracker_config(perceiver.bundle)).graph
        seen = draw_graph(frame.image, graph, camera_name=frame.name, style=style)
        pictures.append(Picture(seen, f"{path.stem}: {len(graph.objects)} objects", photo=True))
        if (fine := perception.fine_depth_m) is not None:
            depth = depth_picture(fine, height_px=360, title="relative")
            pictures.append(Picture(depth, f"{path.stem}: depth up to scale", photo=True))
    return pictures
