"""The page of `or_spatial evaluate --task robustness --report`: losses, and the same frames under each severity."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import SYNTHETIC, Report, Section, number, provenance
from or_spatial.evaluation.robustness_task import CLEAN
from or_spatial.evaluation.side_by_side import figures_table, frame_section

FRAMES = 2
"""How many frames the page shows."""


def write_robustness_report(folder: Path, figures: dict[str, Any], looks: Sequence[Mapping[str, Look]]) -> Path:
    """Write `report.html` into `folder` and return its path; `looks` are frames to show, by severity."""
    found, made = figures["robustness"], figures["made_with"]
    page = Report(
        f"Robustness: {made['model']}",
        f"{made['frames']} frames of the {made['split']} split, world version {made['world_version']}",
        provenance=provenance(
            f"or_spatial evaluate --task robustness --split {made['split']} --frames {made['frames']}",
            model=made["model"],
        ),
        headline=[("worst loss", number(found["worst_relative_loss"], 3), f"of strict macro F1, at {found['worst']}")],
        warning=SYNTHETIC,
    )
    page.add(Section("Severities", items=(figures_table("severity", {CLEAN: found["clean"]} | found["by_severity"]),)))
    for look in looks[:FRAMES]:
        page.add(frame_section(look))
    return page.write(folder / "report.html")
