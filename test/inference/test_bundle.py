"""A bundle is trusted only when every file is what the manifest says."""

import json

import numpy as np
import pytest
from small_model import SMALL

from or_spatial.errors import BundleError
from or_spatial.inference.bundle import Bundle
from or_spatial.inference.contract import OUTPUTS
from or_spatial.inference.model_card import record_metrics
from or_spatial.inference.session import OnnxSession, example_input

torch = pytest.importorskip("torch", reason="exporting needs the train requirements")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle of a tiny random network, exported as a real one is."""
    from or_spatial.model import SpatialORConfig, SpatialORModel
    from or_spatial.training.export import export

    torch.manual_seed(0)
    config = SpatialORConfig.for_vocabulary(**SMALL)
    model = SpatialORModel(config)
    torch.nn.init.normal_(model.fusion.gate, std=0.2)
    torch.nn.init.normal_(model.graph.heat[-1].weight, std=1.0)
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    model.save_pretrained(checkpoint)
    return export(checkpoint, tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy that a test may damage."""
    import shutil

    return shutil.copytree(exported, tmp_path / "bundle")


def test_torch_and_onnx_agree_within_a_thousandth(exported):
    assert json.loads((exported / "manifest.json").read_text())["onnx_difference"] <= 1e-3


def test_any_number_of_cameras_fits_one_run(exported):
    session = OnnxSession(Bundle.load(exported).perceive)
    one = session.run(example_input(64, 112, batch=1))
    three = session.run(example_input(64, 112, batch=3), ["center", "depth"])
    assert set(one) == set(OUTPUTS)
    assert three["center"].shape == (3, 6, 3)
    np.testing.assert_allclose(three["depth"][2], one["depth"][0], rtol=1e-4)


def test_a_flipped_byte_names_the_file(bundle):
    path = bundle / "perceive.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"perceive\.onnx is damaged or foreign: sha256"):
        Bundle.load(bundle)


def test_a_missing_file_is_named(bundle):
    (bundle / "perceive.onnx").unlink()
    with pytest.raises(BundleError, match=r"perceive\.onnx is listed in the manifest but missing"):
        Bundle.load(bundle)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not readable JSON"), ("{}", "lacks schema"), (None, "no model bundle")],
)
def test_a_broken_manifest_says_what_is_wrong(bundle, content, said):
    manifest = bundle / "manifest.json"
    manifest.unlink() if content is None else manifest.write_text(content)
    with pytest.raises(BundleError, match=said):
        Bundle.load(bundle)


def test_a_manifest_of_the_future_is_refused(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"schema": 9}))
    with pytest.raises(BundleError, match="schema 9"):
        Bundle.load(bundle)


def test_something_that_is_no_graph_is_named(tmp_path):
    foreign = tmp_path / "cat.onnx"
    foreign.write_bytes(b"meow")
    with pytest.raises(BundleError, match=r"cannot load .*cat\.onnx"):
        OnnxSession(foreign)


def test_headline_figures_stay_with_the_bundle_and_its_card(bundle):
    record_metrics(bundle, {"depth.abs_rel": 0.123456}, "or_spatial evaluate --split test")
    assert json.loads((bundle / "manifest.json").read_text())["metrics"]["depth.abs_rel"] == 0.1235
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "| depth.abs_rel | 0.123 |" in card and "or_spatial evaluate --split test" in card
    Bundle.load(bundle)  # recording changes no file whose hash the manifest holds
