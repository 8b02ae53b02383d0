"""What fusion reads changes what fusion says, and nothing that comes before it or beside it."""

import math

import pytest
import torch
from test_spatial_model import SMALL, picture

from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.model.readings import constant, instead, mirrored, true_depth

LOG_DEPTH = torch.linspace(0.1, 2.0, 2 * 16 * 28).reshape(2, 16, 28)
LOG_SCALE = torch.linspace(-3.0, -1.0, 2 * 16 * 28).reshape(2, 16, 28)
READINGS = {
    "truth": true_depth(torch.full((2, 16, 28), 5.0)),
    "shuffled": instead(LOG_DEPTH.flip(0), LOG_SCALE.flip(0)),
    "constant": constant(3.0),
    "mirrored": mirrored,
}


@pytest.fixture
def model() -> SpatialORModel:
    torch.manual_seed(3)
    return SpatialORModel(SpatialORConfig.for_vocabulary(**SMALL)).eval()


def opened(model: SpatialORModel) -> SpatialORModel:
    with torch.no_grad():
        model.fusion.gate += 0.5
    return model


@torch.no_grad()
def test_reading_the_prediction_is_what_the_model_does_anyway(model):
    opened(model)
    plain, told = model(*picture()), model(*picture(), reading=lambda *maps: maps)
    assert all(torch.equal(plain[name], told[name]) for name in plain)


@torch.no_grad()
@pytest.mark.parametrize("name", READINGS)
def test_another_reading_reaches_the_tokens_and_leaves_depth_alone(model, name):
    opened(model)
    plain, told = model(*picture()), model(*picture(), reading=READINGS[name])
    assert torch.equal(plain["depth"], told["depth"])
    assert torch.equal(plain["depth_confidence"], told["depth_confidence"])
    assert (plain["tokens"] - told["tokens"]).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("name", READINGS)
def test_the_twin_does_not_care_what_could_be_read(model, name):
    plain, told = model(*picture()), model(*picture(), reading=READINGS[name])
    assert all(torch.equal(plain[key], told[key]) for key in plain)


@torch.no_grad()
def test_objects_keep_the_predicted_depth_at_their_pixels(model):
    """The gate open but its words silenced: the reading has no other way in."""
    opened(model)
    torch.nn.init.zeros_(model.fusion.local.weight)
    torch.nn.init.zeros_(model.fusion.local.bias)
    for parameter in model.fusion.attention.parameters():
        torch.nn.init.zeros_(parameter)
    plain, told = model(*picture()), model(*picture(), reading=constant(9.0))
    assert all(torch.equal(plain[key], told[key]) for key in plain)


def test_truth_is_read_where_there_is_any_and_the_prediction_elsewhere():
    true = torch.full((2, 16, 28), 4.0)
    true[:, :8] = 0.0  # nothing was hit there
    depth, doubt = true_depth(true.numpy())(LOG_DEPTH, LOG_SCALE)
    torch.testing.assert_close(depth[:, 8:], torch.full((2, 8, 28), math.log(4.0)))
    torch.testing.assert_close(doubt[:, 8:], torch.full((2, 8, 28), math.log(0.01)))
    assert torch.equal(depth[:, :8], LOG_DEPTH[:, :8]) and torch.equal(doubt[:, :8], LOG_SCALE[:, :8])


def test_a_constant_says_nothing_of_the_picture_but_how_doubtful_it_is_on_average():
    depth, doubt = constant(3.0)(LOG_DEPTH, LOG_SCALE)
    torch.testing.assert_close(depth.exp(), torch.full((2, 16, 28), 3.0))
    torch.testing.assert_close(doubt[:, 0, 0], LOG_SCALE.mean((1, 2)))
    assert float(doubt.std(dim=(1, 2)).max()) < 1e-6


def test_a_mirrored_reading_is_the_prediction_after_a_second_mirror():
    depth, doubt = mirrored(LOG_DEPTH, LOG_SCALE)
    assert torch.equal(depth[..., 0], LOG_DEPTH[..., -1]) and torch.equal(doubt[..., 0], LOG_SCALE[..., -1])
    assert all(torch.equal(a, b) for a, b in zip(mirrored(depth, doubt), (LOG_DEPTH, LOG_SCALE), strict=True))
