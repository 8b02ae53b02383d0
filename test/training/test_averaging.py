"""Two checkpoints become one at their mean, and two networks do not."""

import json

import pytest
import torch
from small_model import SMALL

from or_spatial.errors import BundleError, ConfigError
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.training.averaging import Share, averaged
from or_spatial.training.export import export
from or_spatial.training.origin import WORLD

RECIPE = {"data": {"seed": 0, "frames": 8}, "stages": []}


def saved(folder, seed, **changes):
    torch.manual_seed(seed)
    SpatialORModel(SpatialORConfig.for_vocabulary("or_world", **SMALL | changes)).save_pretrained(folder)
    (folder / "progress.json").write_text(json.dumps({"run": "small", "step": seed, "recipe": RECIPE | {"seed": seed}}))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    root = tmp_path_factory.mktemp("two")
    return saved(root / "a", 1), saved(root / "b", 2)


def test_every_weight_and_running_statistic_moves_by_the_share(two):
    a, b = (SpatialORModel.from_pretrained(folder).state_dict() for folder in two)
    mean = averaged(SpatialORModel.from_pretrained(two[0]), Share(two[1], 0.25)).state_dict()
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * a[name] + 0.25 * b[name], msg=name)


def test_a_bundle_of_a_mean_says_what_it_is_made_of(two, tmp_path):
    export(two[0], tmp_path / "mean", other=Share(two[1], 0.25))
    manifest = json.loads((tmp_path / "mean" / "manifest.json").read_text())
    assert manifest["training"]["averaged_with"] == {"share": 0.25, "step": 2, "recipe": RECIPE | {"seed": 2}}
    assert manifest["training"]["step"] == 1


def test_a_mean_comes_from_everything_that_either_came_from(two, tmp_path):
    other = saved(tmp_path / "other", 2)
    told = json.loads((other / "progress.json").read_text())
    told["origin"] = {"data": ["4d-or, train split"], "parts": ["depth some-network"]}
    (other / "progress.json").write_text(json.dumps(told))
    export(two[0], tmp_path / "mean", other=Share(other))
    manifest = json.loads((tmp_path / "mean" / "manifest.json").read_text())
    assert manifest["training"]["data"] == f"{WORLD}; 4d-or, train split"
    assert manifest["licence"].endswith("the licences of what it was made from: depth some-network; 4d-or, train split")
    assert "No footage" not in (tmp_path / "mean" / "MODEL_CARD.md").read_text()


def test_another_network_has_no_mean_with_this_one(two, tmp_path):
    wider = saved(tmp_path / "wider", 3, hidden_size=2 * SMALL["hidden_size"])
    with pytest.raises(BundleError, match="another network, there is no mean: .*hidden_size"):
        averaged(SpatialORModel.from_pretrained(two[0]), Share(wider))
    with pytest.raises(BundleError, match="is no checkpoint"):
        averaged(SpatialORModel.from_pretrained(two[0]), Share(tmp_path))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_of_nothing_is_refused(share, tmp_path):
    with pytest.raises(ConfigError, match="leaves nothing of one checkpoint"):
        Share(tmp_path, share)
