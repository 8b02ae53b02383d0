"""A checkpoint becomes a bundle: `perceive.onnx` with half-precision weights, manifest, model card.

Weights are stored as fp16 and cast to fp32 when the graph is loaded, so that the file is half as large and the
arithmetic still that of fp32. Torch and ONNX Runtime are compared on the exported file; a difference above the
tolerance stops the export.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers import PretrainedConfig

from or_spatial import __version__
from or_spatial.errors import BundleError
from or_spatial.inference.bundle import MANIFEST, sha256
from or_spatial.inference.contract import INPUTS, OUTPUTS, PERCEIVE
from or_spatial.inference.model_card import write_card
from or_spatial.inference.session import OnnxSession
from or_spatial.model.modeling import SpatialORModel
from or_spatial.training.bundle_weights import folded_norms
from or_spatial.training.origin import Origin

TOLERANCE = 1e-3
_MOST_PARAMETERS = 2**29  # an ONNX file is one protobuf message of at most 2 GiB, and weights pass through it as fp32
_SMALL = 256  # tensors below this stay fp32: shapes, biases, constants of formulas


class _Perceive(torch.nn.Module):
    """The model with its outputs as a tuple in contract order."""

    def __init__(self, model: SpatialORModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image, intrinsics, viewer_from_camera, height):
        found = self.model(image, intrinsics, viewer_from_camera, height)
        return tuple(found[name] for name in OUTPUTS)


def export(checkpoint: Path, out: Path, calibration: Mapping[str, Any] | None = None, version: str = "1") -> Path:
    """Write the bundle `out` from the checkpoint folder `checkpoint` and return `out`.

    Raises:
        BundleError: the checkpoint cannot be read or is too large for one file, or torch and ONNX disagree by more
            than 1e-3.
    """
    if not (checkpoint / "config.json").is_file():
        raise BundleError(f"{checkpoint} is no checkpoint: config.json is missing")
    model = SpatialORModel.from_pretrained(checkpoint).eval()
    count = sum(p.numel() for p in model.parameters())
    if count > _MOST_PARAMETERS:
        raise BundleError(
            f"{checkpoint} has {count:,} parameters; one ONNX file takes {_MOST_PARAMETERS:,}: bring smaller parts"
        )
    fold_norms(model)
    round_weights(model)
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / PERCEIVE
        write_graph(model, raw)
        halve_weights(raw)
        difference = compare(model, raw)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(raw, out / PERCEIVE)
    progress = checkpoint / "progress.json"
    trained = json.loads(progress.read_text()) if progress.is_file() else {}
    if "data" in trained:
        trained["data_digest"] = trained.pop("data")
    write_manifest(out, model, version, difference, calibration or {}, trained, Origin.of_checkpoint(checkpoint))
    return out


def fold_norms(model: torch.nn.Module) -> None:
    """Fold each batch norm into the convolution before it, so that the weights to be rounded are the final ones."""
    for name, norm in folded_norms(model).items():
        line, _, index = name.rpartition(".")
        pair, i = model.get_submodule(line), int(index)
        pair[i - 1], pair[i] = fuse_conv_bn_eval(pair[i - 1], norm), torch.nn.Identity()


def round_weights(model: SpatialORModel) -> None:
    """Round large weights to fp16 as the file will hold them, so that the comparison is of graphs, not of rounding."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() >= _SMALL:
                parameter.copy_(parameter.half().float())


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


def halve_weights(path: Path) -> None:
    """Store float weights as fp16 behind a Cast to fp32, which ONNX Runtime folds away when it loads the graph."""
    model = onnx.load(str(path))
    casts, kept = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            kept.append(tensor)
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
        kept.append(half)
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


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
        "onnx_difference": difference,
        "training": {**trained, "data": "; ".join(origin.data), "parts": list(origin.parts)},
        "calibration": dict(calibration),
        "metrics": {},
        "files": {PERCEIVE: sha256(out / PERCEIVE)},
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    write_card(out)
