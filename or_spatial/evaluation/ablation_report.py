"""The page of `or_spatial evaluate --task ablation --report`: the table, and what fused has over each row."""

from pathlib import Path
from typing import Any

from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance
from or_spatial.visual.differences import draw_differences

_NOTES = {
    "fused": "reads the predicted depth",
    "twin": "gate at zero: RGB only",
    "blind": "a twin whose objects do not know depth either",
    "truth": "trained and judged with the true depth",
    "shuffled": "fused weights, depth of another room",
    "constant": "fused weights, 3 m everywhere",
    "mirrored": "fused weights, depth left for right",
    "rules": "boxes of fused, geometric relations from them alone",
}
_MEANS = "Means over the seeds. In all rows but blind, objects and pairs know the predicted depth at their pixels too."
_LEANS = "What it loses with a wrong depth in its fusion block says how much it leans on the right one."


def write_ablation_report(folder: Path, figures: dict[str, Any]) -> Path:
    """Write `report.html` into `folder` from the figures of `evaluate_ablation`, and return its path."""
    found, made = figures["ablation"], figures["made_with"]
    page = Report(
        "Ablation of the fusion block",
        f"{len(made['seeds'])} seeds of {made['steps']} steps at {made['picture']} px, "
        f"{made['frames']} frames of the {made['split']} split, world version {made['world_version']}",
        provenance=provenance(
            f"or_spatial evaluate --task ablation --split {made['split']} --frames {made['frames']}",
            recipe=made["recipe"],
            data=made["data"][:12],
        ),
        headline=_headline(found),
        warning=SYNTHETIC,
    )
    page.add(_differences(found["fused_minus"]))
    page.add(_rows("Figures", _MEANS, found["by_row"]))
    page.add(_rows("The shipped model", f"{made['shipped']}, at the same size. {_LEANS}", found["shipped"]["by_row"]))
    return page.write(folder / "report.html")


def _headline(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    between = f"{number(found['gain_low'], 3)} to {number(found['gain_high'], 3)}, 95 %"
    lose = "all lose" if found["controls_lose"] else "not all lose"
    return [("fused minus twin", number(found["gain"], 3), between), ("controls", lose, "interval above 0 each")]


def _differences(against: dict[str, dict[str, Any]]) -> Section:
    text = "Macro F1 over depth order and contact, fused minus each row; rooms and seeds drawn again for the interval."
    keys = ("difference", "low", "high")
    rows = [(name, *(number(one[key], 3) for key in keys)) for name, one in against.items()]
    bars = {name: tuple(one[key] for key in keys) for name, one in against.items() if one["difference"] is not None}
    picture = Picture(draw_differences(bars, "fused minus ..."), "fused minus each row")
    table = Table(("row", "#fused minus", "#low", "#high"), rows)
    return Section("What fused has over the others", (text,), (picture, table))


def _rows(title: str, text: str, by_row: dict[str, dict[str, Any]]) -> Section:
    names = [name for name in by_row["fused"] if name != "by_seed"]
    rows = [[row, _NOTES[row], *(number(values[name], 3) for name in names)] for row, values in by_row.items()]
    headings = ("row", "what it is", *(f"#{name.replace('_', ' ')}" for name in names))
    return Section(title, (text,), (Table(headings, rows),))
