"""The page of `or_spatial evaluate --task robustness --report`: losses, and the same frames under each severity."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance
from or_spatial.evaluation.robustness_task import CLEAN
from or_spatial.visual.overlay import OverlayStyle, draw_graph

FRAMES = 2
"""How many frames the page shows."""


def write_robustness_report(folder: Path, figures: dict[str, Any], looks: Sequence[Mapping[str, Look]]) -> Path:
    """Write `report.html` into `folder` and return its path; `looks` are frames to show, by severity."""
    found, made = figures["robustness"], figures["made_with"]
    page = Report(
        f"Robustness: {made['model']}",
        f"{made['frames']} frames of the {made['split']} split, world version {made['world_version']}",
        provenance=provenance(f"or_spatial evaluate --task robustness --split {made['split']}", model=made["model"]),
        headline=[("worst loss", number(found["worst_relative_loss"], 3), f"of strict macro F1, at {found['worst']}")],
        warning=SYNTHETIC,
    )
    page.add(Section("Severities", items=(_table(found),)))
    for look in looks[:FRAMES]:
        page.add(_frame(look))
    return page.write(folder / "report.html")


def _table(found: dict[str, Any]) -> Table:
    severities = {CLEAN: found["clean"]} | found["by_severity"]
    names = list(dict.fromkeys(key for row in severities.values() for key in row))
    rows = [[name, *(number(row.get(key), 3) for key in names)] for name, row in severities.items()]
    return Table(("severity", *(f"#{name.replace('_', ' ')}" for name in names)), rows)


def _frame(looks: Mapping[str, Look]) -> Section:
    sample = looks[CLEAN].sample
    style = OverlayStyle(width_px=640)
    pictures = [
        Picture(
            draw_graph(
                look.sample.image, look.graph, look.sample.camera, look.sample.room_from_camera, style=style
            ),
            name,
            photo=True,
        )
        for name, look in looks.items()
    ]
    return Section(f"Seed {sample.seed}, {sample.time_s:.1f} s, {sample.camera_name}", ("As predicted.",), pictures)
