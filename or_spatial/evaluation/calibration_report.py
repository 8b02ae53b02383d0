"""The page of `or_spatial evaluate --task calibration --report`: coverage curves, reliability diagrams and tables."""

from pathlib import Path
from typing import Any

from or_spatial.evaluation.report import SYNTHETIC, Picture, Report, Section, Table, number, provenance
from or_spatial.visual.reliability import draw_coverage, draw_reliability

_FAMILIES = {
    "relations": "Relations, asked of every ordered pair",
    "published": "Relations that the graph publishes",
    "hazards": "Conditions of the hazard rules",
}


def write_calibration_report(folder: Path, figures: dict[str, Any]) -> Path:
    """Write `report.html` into `folder` from the figures of `evaluate_calibration`, and return its path."""
    found, made = figures["calibration"], figures["made_with"]
    split, first = made["scene"]["split"], made["first_seed"]
    page = Report(
        "Calibration: stated probability against frequency",
        f"{found['scenes']} scenes of the {split} split from seed {first}, world version {made['world_version']}",
        provenance=provenance(f"or_spatial evaluate --task calibration --split {split} --scenes {found['scenes']}"),
        headline=_headline(found),
        warning=SYNTHETIC,
    )
    page.add(_places(found))
    for family, title in _FAMILIES.items():
        page.add(_family(title, found[family], found[f"{family}_too_few"]))
    return page.write(folder / "report.html")


def _headline(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = (
        ("in the 50 % ellipsoid", found["ellipsoid_50"], "of true centres; 45 to 55 % asked"),
        ("in the 95 % ellipsoid", found["ellipsoid_95"], "of true centres; 92 to 98 % asked"),
        ("relations ECE", found["relations_ece"], f"by chance {number(found['relations_ece_by_chance'], 3)}"),
        ("hazards ECE", found["hazards_ece"], f"by chance {number(found['hazards_ece_by_chance'], 3)}"),
    )
    return [(name, number(value, 3), note) for name, value, note in rows]


def _places(found: dict[str, Any]) -> Section:
    curves = {"all": found["coverage"]} | {name: group["coverage"] for name, group in found["places"].items()}
    keys = ("ellipsoid_50", "ellipsoid_95", "nees", "error_rms_m", "stated_rms_m")
    rows = [(name, str(g["places"]), *(number(g[k], 3) for k in keys)) for name, g in found["places"].items()]
    headings = ("group", "#places", "#50 %", "#95 %", "#NEES", "#error RMS (m)", "#stated RMS (m)")
    note = "Errors of published centres against exact ones; NEES above 1 is overconfident."
    return Section("Places", (note,), (Picture(draw_coverage(curves), "coverage"), Table(headings, rows)))


def _family(title: str, classes: dict[str, dict[str, Any]], too_few: list[str]) -> Section:
    notes = {name: f"ECE {number(c['ece'], 3)}, n {c['said']}" for name, c in classes.items()}
    picture = draw_reliability({name: c["reliability"] for name, c in classes.items()}, notes)
    keys = ("probability", "frequency", "ece", "ece_by_chance", "brier", "auroc")
    rows = [
        (name, *(str(c[k]) for k in ("said", "true", "unsaid_true")), *(number(c[k], 3) for k in keys))
        for name, c in classes.items()
    ]
    headings = ("class", "#above 0.05", "#true of them", "#true below", "#stated", "#frequency", "#ECE", "#by chance")
    text = (f"Too few to judge: {', '.join(too_few)}.",) if too_few else ()
    return Section(title, text, (Picture(picture, title, wide=True), Table((*headings, "#Brier", "#AUROC"), rows)))
