"""The weights of an exported bundle, to go on learning from: `export` taken back.

An exported graph holds convolutions with their batch norms folded in, and the factors of linear layers under names of
the exporter's own. A linear layer is found by its bias, which keeps its name. A batch norm begins as one that changes
nothing, and is told the statistics of real pictures by `settle`, at the same output: only then does it learn as the
one did that was folded away.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from or_spatial.inference.bundle import MANIFEST
from or_spatial.model.modeling import SpatialORModel
from or_spatial.training.data import Batch
from or_spatial.training.weight_storage import unpacked

_PREFIX = "model."  # export wraps the model in a module that calls it so


def is_bundle(folder: Path) -> bool:
    """Whether a folder is an exported bundle, and not a checkpoint."""
    return (Path(folder) / MANIFEST).is_file()


def unfolded(graph: Path, model: SpatialORModel) -> dict[str, Tensor]:
    """The weights of an exported graph under the names that they have in a model of the same sizes."""
    known = {name: torch.from_numpy(value) for name, value in graph_weights(graph).items()}
    for name, norm in folded_norms(model).items():
        if (bias := known.pop(f"{_before(name)}.bias", None)) is not None:
            known |= {f"{name}.{key}": value for key, value in _neutral(norm, bias).items()}
    shared: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        shared.setdefault(id(tensor), []).append(name)
    for names in shared.values():
        known |= {other: known[name] for name in names if name in known for other in names}
    return known


def graph_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every weight of an exported graph by the name that it has in the model whose norms are folded."""
    graph = onnx.load(str(path)).graph
    held = unpacked(graph)
    found = {name.removeprefix(_PREFIX): value.copy() for name, value in held.items() if name.startswith(_PREFIX)}
    factors = {node.output[0]: held[node.input[1]] for node in graph.node if _is_product(node, held)}
    for node in graph.node:
        for product, bias in ([*node.input], [*node.input][::-1]) if node.op_type == "Add" else ():
            if product in factors and bias.startswith(_PREFIX) and bias.endswith(".bias"):
                layer = bias.removeprefix(_PREFIX).removesuffix(".bias")
                found[f"{layer}.weight"] = np.ascontiguousarray(factors[product].T)
    return found


def _is_product(node: onnx.NodeProto, held: dict[str, NDArray]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in held


def folded_norms(model: nn.Module) -> dict[str, nn.BatchNorm2d]:
    """The batch norms that stand behind a convolution, by name."""
    return {
        f"{name}.{i + 1}": norm
        for name, line in model.named_modules()
        if isinstance(line, nn.Sequential)
        for i, (conv, norm) in enumerate(zip(line[:-1], line[1:], strict=True))
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    }


def _before(norm: str) -> str:
    """The name of the convolution before a norm."""
    line, _, index = norm.rpartition(".")
    return f"{line}.{int(index) - 1}"


def _neutral(norm: nn.BatchNorm2d, bias: Tensor) -> dict[str, Tensor]:
    """The state of a norm that only adds a bias."""
    one = torch.ones_like(bias)
    return {"weight": one, "bias": bias, "running_mean": 0 * one, "running_var": one - norm.eps}


def _is_neutral(norm: nn.BatchNorm2d) -> bool:
    return all(torch.equal(getattr(norm, key), value) for key, value in _neutral(norm, norm.bias).items())


@torch.no_grad()
def settle(model: SpatialORModel, batch: Batch) -> None:
    """Give every norm that only adds a bias the statistics of these pictures, at the same output of the model."""
    hooks = [norm.register_forward_pre_hook(_measured) for norm in folded_norms(model).values() if _is_neutral(norm)]
    was_training = model.training
    model.eval()(batch.image, batch.intrinsics, batch.viewer_from_camera, batch.height)
    model.train(was_training)
    for hook in hooks:
        hook.remove()


def _measured(norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
    variance, mean = torch.var_mean(given[0].float(), dim=(0, 2, 3), correction=0)
    norm.bias += mean
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
