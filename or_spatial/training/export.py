"""A checkpoint becomes a bundle: `perceive.onnx` with packed weights (`weight_storage`), manifest, model card.

Torch and ONNX Runtime are compared on the exported file; a difference above the tolerance stops the export.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers import PretrainedConfig

from or_spatial import __version__
from or_spatial.errors import BundleError
from or_spatial.files import write_whole
from or_spatial.inference.bundle import MANIFEST, sha256
from or_spatial.inference.contract import INPUTS, OUTPUTS, PERCEIVE
from or_spatial.inference.model_card import write_card
from or_spatial.inference.session import OnnxSession
from or_spatial.model.modeling import SpatialORModel
from or_spatial.training.averaging import Share, averaged
from or_spatial.training.bundle_weights import folded_norms
from or_spatial.training.origin import Origin
from or_spatial.training.weight_storage import Storage, pack_weights, round_weights

TOLERANCE = 1e-3
_MOST_PARAMETERS = 2**29  # an ONNX file is one protobuf message of at most 2 GiB, and weights pass through it as fp32


class _Perceive(torch.nn.Module):
    """The model with its outputs as a tuple in contract order."""

    def __init__(self, model: SpatialORModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image, intrinsics, viewer_from_camera, height):
        found = self.model(image, intrinsics, viewer_from_camera, height)
        return tuple(found[name] for name in OUTPUTS)


def export(
    checkpoint: Path,
    out: Path,
    calibration: Mapping[str, Any] | None = None,
    version: str = "1",
    weights: Storage = "fp16",
    other: Share | None = None,
) -> Path:
    """Write the bundle `out` from the checkpoint folder `checkpoint`, or from its mean with the `other`, with weights
    stored so, and return `out`.

    Raises:
        BundleError: a checkpoint cannot be read or is too large for one file, the other is of another network, or
            torch and ONNX disagree by more than 1e-3.
    """
    model = SpatialORModel.from_folder(checkpoint).eval()
    count = sum(p.numel() for p in model.parameters())
    if count > _MOST_PARAMETERS:
        raise BundleError(
            f"{checkpoint} has {count:,} parameters; one ONNX file takes {_MOST_PARAMETERS:,}: bring smaller parts"
        )
    if other:
        averaged(model, other)
    fold_norms(model)
    round_weights(model, weights)
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / PERCEIVE
        write_graph(model, raw)
        pack_weights(str(raw), weights)
        difference = compare(model, raw)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(raw, out / PERCEIVE)
    progress = checkpoint / "progress.json"
    trained = json.loads(progress.read_text()) if progress.is_file() else {}
    if "data" in trained:
        trained["data_digest"] = trained.pop("data")
    origin = Origin.of_checkpoint(checkpoint)
    if other:
        trained["averaged_with"] = other.told
        origin = origin.with_that_of(Origin.of_checkpoint(other.checkpoint))
    trained["weights"] = weights
    write_manifest(out, model, version, difference, calibration or {}, trained, origin)
    return out


def fold_norms(model: torch.nn.Module) -> None:
    """Fold each batch norm into the convolution before it, so that the weights to be rounded are the final ones."""
    for name, norm in folded_norms(model).items():
        line, _, index = name.rpartition(".")
        pair, i = model.get_submodule(line), int(index)
        pair[i - 1], pair[i] = fuse_conv_bn_eval(pair[i - 1], norm), torch.nn.Identity()


def example_inputs(model: SpatialORModel, batch: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Random but valid inputs of the model's own size."""
    generator = torch.Generator().manual_seed(seed)
    height, width = model.config.image_height, model.config.image_width
    image = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=generator)
    intrinsics = torch.tensor([[300.0, 310.0, width / 2 - 3.0, height / 2 + 2.0]]).repeat(batch, 1)
    level = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]).repeat(batch, 1, 1)
    return image, intrinsics, level, torch.full((batch, 1), 2.4)


def write_graph(model: SpatialORModel, path: Path) -> None:
    """Export with a free batch axis, opset 20."""
    batch = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        _Perceive(model).eval(),
        example_inputs(model, 2),
        dynamo=True,
        opset_version=20,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=tuple({0: batch} for _ in INPUTS),
        verbose=False,
    )
    program.save(str(path))


def compare(model: SpatialORModel, path: Path) -> float:
    """Largest difference of torch and ONNX Runtime over the outputs, relative to each output's scale.

    Raises:
        BundleError: above 1e-3.
    """
    inputs = example_inputs(model, 3, seed=1)
    with torch.no_grad():
        wanted = model(*inputs)
    found = OnnxSession(path).run({name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)})
    worst = 0.0
    for name in OUTPUTS:
        reference = wanted[name].numpy()
        if reference.size == 0:  # a vocabulary without geometric predicates
            continue
        scale = max(1.0, float(np.abs(reference).max()))
        difference = float(np.abs(found[name] - reference).max()) / scale
        if not difference <= TOLERANCE:
            raise BundleError(
                f"torch and ONNX Runtime differ by {difference:.2e} in {name!r}; at most {TOLERANCE} is fine"
            )
        worst = max(worst, difference)
    return worst


def write_manifest(
    out: Path,
    model: SpatialORModel,
    version: str,
    difference: float,
    calibration: Mapping[str, Any],
    trained: dict,
    origin: Origin,
) -> None:
    """`manifest.json`, last of all: a folder without it is no bundle."""
    config = model.config
    trained.pop("origin", None)
    manifest = {
        "schema": 1,
        "name": f"or_spatial-{trained.pop('run', 'tiny')}",
        "version": version,
        "made": date.today().isoformat(),
        "made_by": f"or_spatial {__version__}",
        "licence": origin.licence,
        "image_height": config.image_height,
        "image_width": config.image_width,
        "vocabulary": config.vocabulary,
        "labels": config.labels,
        "actions": config.actions,
        "geometric": config.geometric,
        "sizes": {k: v for k, v in config.sizes().items() if v is not None and not isinstance(v, PretrainedConfig)},
        "parameters": sum(p.numel() for p in model.parameters()),
        "weights": trained.pop("weights"),
        "onnx_difference": difference,
        "training": {**trained, "data": "; ".join(origin.data), "parts": list(origin.parts)},
        "calibration": dict(calibration),
        "metrics": {},
        "files": {PERCEIVE: sha256(out / PERCEIVE)},
    }
    write_whole(out / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    write_card(out)
