"""Weights in a file: fp16, or int8 with a scale for each output, and the same network either way."""

import json

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_model import SMALL
from toy_rooms import WORDS

from or_spatial.errors import ConfigError
from or_spatial.inference.bundle import Bundle
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.training.export import compare, example_inputs, export
from or_spatial.training.warm_start import warm_started
from or_spatial.training.weight_storage import quantised, unpacked

MATRICES = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-8, 8, width=32))


@given(MATRICES, st.sampled_from([0, 1, -1]))
def test_a_weight_is_off_by_half_a_step_at_most(weight, axis):
    whole, scale = quantised(weight, axis)
    assert whole.dtype == np.int8 and np.abs(whole.astype(int)).max() <= 127
    assert (np.abs(whole * scale - weight) <= 0.501 * scale + 1e-30).all()
    assert scale.size == weight.shape[axis]


@given(MATRICES)
def test_what_is_stored_is_stored_the_same_again(weight):
    whole, scale = quantised(weight, 0)
    again, _ = quantised(whole * scale, 0)
    np.testing.assert_array_equal(again, whole)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(3)
    model = SpatialORModel(SpatialORConfig.for_vocabulary("or_world", **SMALL))
    with torch.no_grad():
        for parameter in model.parameters():  # as after a step of learning: no two biases are the same zeros
            parameter += 0.02 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp("learnt") / "checkpoint"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bundles(checkpoint):
    return {weights: export(checkpoint, checkpoint.parent / weights, weights=weights) for weights in ("fp16", "int8")}


def test_int8_takes_little_more_than_half_the_file(bundles):
    sizes = {weights: sum(map(_bytes, _large(folder))) for weights, folder in bundles.items()}
    assert sizes["int8"] < 0.6 * sizes["fp16"]
    assert json.loads((bundles["int8"] / "manifest.json").read_text())["weights"] == "int8"


def test_the_model_of_an_int8_bundle_says_what_the_bundle_says(bundles):
    assert compare(warm_started(bundles["int8"], WORDS, {}).eval(), Bundle.load(bundles["int8"]).perceive) < 1e-4


def test_int8_changes_the_depth_of_a_network_by_little(checkpoint, bundles):
    exact, packed = SpatialORModel.from_pretrained(checkpoint).eval(), warm_started(bundles["int8"], WORDS, {}).eval()
    inputs = example_inputs(exact, 2)
    with torch.no_grad():
        ratio = packed(*inputs)["depth"] / exact(*inputs)["depth"]
    assert (ratio - 1).abs().max() < 0.05


def test_every_layer_comes_back_under_its_own_name(bundles):
    graphs = [onnx.load(str(folder / "perceive.onnx")).graph for folder in bundles.values()]
    halves, whole = (unpacked(graph) for graph in graphs)
    assert {name for name in halves if name.endswith("weight")} == {name for name in whole if name.endswith("weight")}


def test_another_storage_is_refused_by_name(checkpoint, tmp_path):
    from or_spatial.commands.learning import run_export

    with pytest.raises(ConfigError, match="--weights 'int4' is unknown"):
        run_export(checkpoint, tmp_path / "bundle", tmp_path / "none", "int4")


def _large(folder):
    return [t for t in onnx.load(str(folder / "perceive.onnx")).graph.initializer if np.prod(t.dims) >= 256]


def _bytes(tensor):
    return len(tensor.raw_data)
