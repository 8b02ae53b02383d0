"""The page of `or_spatial evaluate --task domain --report`: figures by renderer, and frames as both draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.evaluation.domain_task import OURS, TRACED
from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import SYNTHETIC, Report, Section, number, provenance
from or_spatial.evaluation.side_by_side import figures_table, frame_section

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
        provenance=provenance(
            f"or_spatial evaluate --task domain --split {made['split']} --frames {made['frames']}",
            model=made["model"],
        ),
        headline=[("loss of strict macro F1", number(found["strict_loss"], 3), interval)],
        warning=SYNTHETIC,
    )
    page.add(Section("Figures", items=(figures_table("renderer", {name: found[name] for name in (OURS, TRACED)}),)))
    for look in looks[:FRAMES]:
        page.add(frame_section(look))
    return page.write(folder / "report.html")
