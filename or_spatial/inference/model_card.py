"""The model card of a bundle, written from its manifest so that the two cannot disagree."""

import json
from pathlib import Path
from typing import Any

from or_spatial.files import write_whole
from or_spatial.inference.bundle import MANIFEST, read_manifest

CARD = "MODEL_CARD.md"

_TEMPLATE = """# {name} {version}

Depth, fusion of 3D cues before the visual tower (after Spatial-ORMLLM, arXiv 2508.08199) and a scene-graph head, in one
ONNX graph for one picture of an operating room. {parameters:,} parameters, input {image_width}x{image_height} RGB with
its calibration, vocabulary `{vocabulary}`.

## What it is good for
{good_for}

## What it is not
Not a medical device, not a certified alarm, not evaluated on patients or staff.

## How it was made
{made_by}, {made}. Data: {data}. Steps: {step}. Training-set digest: `{digest}`.{seeds}
Torch and ONNX Runtime differ by at most {onnx_difference:.1e} of an output's scale on the exported file.
{fitted}

## Figures
{figures}

## Licence
{licence}. {people}
"""

_SYNTHETIC = "or_spatial synthetic world"
_SYNTHETIC_ONLY = (
    "Showing that the suite works end to end, and as a warm start. It has seen **synthetic rooms only**: in a real "
    "room its\noutput is not to be relied on; train on real data first (`or_spatial train`)."
)
_OTHERS = (
    "Rooms like those it was trained on ({data}). Elsewhere its output is not to be relied on before it was measured\n"
    "there."
)


def write_card(folder: Path) -> Path:
    """Write `MODEL_CARD.md` beside the manifest of `folder` and return its path."""
    manifest = read_manifest(folder)
    path = folder / CARD
    write_whole(path, card(manifest))
    return path


def record_metrics(folder: Path, figures: dict[str, float], made_with: str) -> Path:
    """Keep headline figures (dotted key to value) and the command that made them in the manifest, and on the card."""
    manifest = read_manifest(folder)
    told = {key: round(float(value), 4) for key, value in figures.items()}
    manifest["metrics"] = {"made_with": made_with, **told}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return write_card(folder)


def card(manifest: dict[str, Any]) -> str:
    """The card's text."""
    training = manifest.get("training", {})
    data = str(training.get("data", "unknown"))
    synthetic = all(source.startswith(_SYNTHETIC) for source in data.split("; "))
    frames = manifest.get("calibration", {}).get("frames", 0)
    parts = training.get("parts") or []
    return _TEMPLATE.format(
        **{key: manifest[key] for key in ("name", "version", "image_width", "image_height", "vocabulary", "licence")},
        parameters=manifest["parameters"],
        made_by=manifest["made_by"],
        made=manifest["made"],
        good_for=_SYNTHETIC_ONLY if synthetic else _OTHERS.format(data=data),
        data=data + (f". Pretrained parts: {', '.join(parts)}" if parts else ""),
        step=training.get("step", "unknown"),
        digest=str(training.get("data_digest", "unknown"))[:16],
        seeds=_seeds(training),
        onnx_difference=manifest["onnx_difference"],
        fitted=_fitted(frames),
        people=_people(synthetic, bool(parts)),
        figures=_figures(manifest.get("metrics", {}), manifest["vocabulary"]),
    )


def _figures(metrics: dict[str, Any], vocabulary: str) -> str:
    if not metrics and vocabulary != "or_world":
        return f"None: the synthetic world cannot score a model that speaks `{vocabulary}`."
    if not metrics:
        return "Not evaluated yet: `or_spatial evaluate --split test --bundle FOLDER --json FILE`."
    rows = [f"| {key} | {value:.3f} |" for key, value in metrics.items() if isinstance(value, float)]
    made = metrics.get("made_with", "or_spatial evaluate --split test")
    return "\n".join([f"From `{made}`:", "", "| figure | value |", "| --- | --- |", *rows])


def _seeds(training: dict[str, Any]) -> str:
    """Seeds, and how the last checkpoint stood; the whole recipe is in the manifest."""
    said = ""
    if recipe := training.get("recipe"):
        said += f"\nSeeds: {recipe['seed']} for weights, order and light, {recipe['data']['seed']} for frames; "
        said += "the recipe is in `manifest.json` under `training`."
    if val := training.get("val"):
        said += "\nLoss on validation frames: " + ", ".join(f"{name} {value:.3f}" for name, value in val.items()) + "."
    return said


def _fitted(frames: int) -> str:
    if not frames:
        return "Thresholds and biases are defaults: nothing was fitted."
    return f"Thresholds and biases were fitted on {frames} frames of the validation split, never on the test split."


def _people(synthetic: bool, parts: bool) -> str:
    if not synthetic:
        return "Pictures of real people, or of unknown origin, went into it."
    return (
        "No footage or annotation of real people went into it, but for what its pretrained parts had learnt before."
        if parts
        else "No footage or annotation of real people went into it."
    )
