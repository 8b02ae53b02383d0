"""One frame in several versions, as a page shows them: figures row by row, predictions picture by picture."""

from collections.abc import Mapping
from typing import Any

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.report import Picture, Section, Table, number
from or_spatial.visual.overlay import OverlayStyle, draw_graph


def figures_table(what: str, versions: Mapping[str, Mapping[str, Any]]) -> Table:
    """Figures of each version, one row each; `what` heads the column of their names."""
    names = list(dict.fromkeys(key for row in versions.values() for key in row))
    rows = [[name, *(number(row.get(key), 3) for key in names)] for name, row in versions.items()]
    return Table((what, *(f"#{name.replace('_', ' ')}" for name in names)), rows)


def frame_section(looks: Mapping[str, Look]) -> Section:
    """What was made of one frame in each version."""
    sample = next(iter(looks.values())).sample
    style = OverlayStyle(width_px=640)
    pictures = [
        Picture(
            draw_graph(look.sample.image, look.graph, look.sample.camera, look.sample.room_from_camera, style=style),
            name,
            photo=True,
        )
        for name, look in looks.items()
    ]
    return Section(f"Seed {sample.seed}, {sample.time_s:.1f} s, {sample.camera_name}", ("As predicted.",), pictures)
