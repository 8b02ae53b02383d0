"""How an exported graph holds its weights: as fp16, or as int8 with one scale for each output of a layer.

Either is turned into fp32 by nodes that ONNX Runtime folds away when it loads the graph, so that a file is
a half or a quarter as large and the arithmetic still that of fp32.
"""

from typing import Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

Storage = Literal["fp16", "int8"]

_SMALL = 256  # tensors below this stay fp32: shapes, biases, constants of formulas
_STEPS = 127
_AXIS = {"Conv": 0, "Gemm": 0, "MatMul": -1}
"""Where the outputs of a layer lie in its weight, by the node that multiplies with it (Gemm as torch exports it)."""


@torch.no_grad()
def round_weights(model: nn.Module, storage: Storage) -> None:
    """Round large weights as the file will hold them, so that what is compared afterwards is graphs, not rounding."""
    layers = [layer.weight for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    stepped = {id(weight) for weight in layers} if storage == "int8" else set()
    for parameter in model.parameters():
        if parameter.numel() >= _SMALL:
            parameter.copy_(_in_steps(parameter) if id(parameter) in stepped else parameter.half().float())


def _in_steps(weight: Tensor) -> Tensor:
    whole, scale = quantised(weight.numpy(), 0)
    return torch.from_numpy(whole * scale)


def quantised(weight: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers within +-127 and the scale of each slice along `axis`, of a shape that multiplies with them."""
    others = tuple(k for k in range(weight.ndim) if k != axis % weight.ndim)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / _STEPS, 1).astype(np.float32)
    return np.clip(np.round(weight / scale), -_STEPS, _STEPS).astype(np.int8), scale


def pack_weights(path: str, storage: Storage) -> None:
    """Store the large weights of the graph at `path` in fewer bits, in place."""
    model = onnx.load(path)
    graph = model.graph
    axes = _layer_axes(graph) if storage == "int8" else {}
    kept: list[TensorProto] = []
    unpacking: list[NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            kept.append(tensor)
            continue
        tensors, nodes = _packed(tensor, axes.get(tensor.name))
        kept += tensors
        unpacking += nodes
    nodes = [*unpacking, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _layer_axes(graph: GraphProto) -> dict[str, int]:
    """The axis of outputs of each initializer that is a layer's weight."""
    return {
        node.input[1]: _AXIS[node.op_type]
        for node in graph.node
        if node.op_type in _AXIS and (node.op_type != "Gemm" or any(a.name == "transB" and a.i for a in node.attribute))
    }


def _packed(tensor: TensorProto, axis: int | None) -> tuple[list[TensorProto], list[NodeProto]]:
    """What replaces an initializer, and the nodes that make it again under its own name."""
    name, values = tensor.name, numpy_helper.to_array(tensor)
    if axis is None:
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}_half")
        return [half], [helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT)]
    whole, scale = quantised(values, axis)
    steps, size = numpy_helper.from_array(whole, f"{name}_steps"), numpy_helper.from_array(scale, f"{name}_scale")
    cast = helper.make_node("Cast", [steps.name], [f"{name}_whole"], to=TensorProto.FLOAT)
    return [steps, size], [cast, helper.make_node("Mul", [cast.output[0], size.name], [name])]


def unpacked(graph: GraphProto) -> dict[str, NDArray]:
    """Every initializer of a graph by name, those that were packed as fp32 under their own names again."""
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in held:
            held[node.output[0]] = held.pop(node.input[0]).astype(np.float32)
        elif node.op_type == "Mul" and all(name in held for name in node.input):
            whole, scale = (held.pop(name) for name in node.input)
            held[node.output[0]] = whole * scale
    return held
