"""The page of `or_spatial evaluate --task domain --report`: figures by renderer, and frames as both draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.evaluation.domain_task import OURS, TRACED
from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance
from or_spatial.visual.overlay import OverlayStyle, draw_graph

FRAMES = 8
"""How many frames the page shows."""


def write_domain_report(folder: Path, figures: dict[str, Any], looks: Sequence[Mapping[str, Look]]) -> Path:
    """Write `report.html` into `folder` and return its path; `looks` are frames to show, by renderer."""
    found, made = figures["domain"], figures["made_with"]
    interval = f"{number(found['strict_loss_low'], 2)} to {number(found['strict_loss_high'], 2)}"
    page = Report(
        f"Another renderer: {made['model']}",
        f"{made['frames']} frames of the {made['split']} split, world version {made['world_version']}, "
        f"{made['paths']} paths a pixel",
        provenance=provenance(f"or_spatial evaluate --task domain --split {made['split']}", model=made["model"]),
        headline=[("loss of strict macro F1", number(found["strict_loss"], 3), interval)],
        warning=SYNTHETIC,
    )
    page.add(Section("Figures", items=(_table(found),)))
    for look in looks[:FRAMES]:
        page.add(_frame(look))
    return page.write(folder / "report.html")


def _table(found: dict[str, Any]) -> Table:
    names = list(found[OURS])
    rows = [[name, *(number(found[name][key], 3) for key in names)] for name in (OURS, TRACED)]
    return Table(("renderer", *(f"#{name.replace('_', ' ')}" for name in names)), rows)


def _frame(looks: Mapping[str, Look]) -> Section:
    sample = looks[OURS].sample
    pictures = [
        Picture(
            draw_graph(
                look.sample.image,
                look.graph,
                look.sample.camera,
                look.sample.room_from_camera,
                style=OverlayStyle(width_px=640),
            ),
            name,
            photo=True,
        )
        for name, look in looks.items()
    ]
    return Section(f"Seed {sample.seed}, {sample.time_s:.1f} s, {sample.camera_name}", ("As predicted.",), pictures)
