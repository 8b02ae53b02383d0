"""Pretrained parts: the weights that were brought are the ones that see, 3D waits at a closed gate, no stranger enters.

Tiny random checkpoints in the hub's format stand in for real ones.
"""

import json
import shutil

import pytest
import torch
from hub_checkpoints import VISIONS, write_depth, write_vision
from safetensors.torch import load_file, save_file
from small_model import SMALL
from transformers import AutoModel, DepthAnythingForDepthEstimation, SiglipVisionModel

from or_spatial.errors import BundleError, ConfigError
from or_spatial.model import SpatialORConfig, SpatialORModel

HEIGHT, WIDTH = 64, 112
GRID = (4, 7)
NARROW = {**SMALL, "hidden_size": 24}  # narrower than the towers that are brought


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(11)


def scene(count: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(0, 256, (count, HEIGHT, WIDTH, 3), dtype=torch.uint8, generator=generator)
    level = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]).repeat(count, 1, 1)
    intrinsics = torch.tensor([[90.0, 90.0, 54.0, 33.0]]).repeat(count, 1)
    return image, intrinsics, level, torch.full((count, 1), 2.3)


def brought(tmp_path, vision: str | None = "dinov3", depth: str | None = "metric", **sizes) -> SpatialORModel:
    sources = {}
    if depth:
        sources["depth"] = write_depth(tmp_path / "depth", depth)
    if vision:
        sources["vision"] = write_vision(tmp_path / "vision", vision)
    return SpatialORModel.from_backbones(**sources, **{**NARROW, **sizes}).eval()


def unit(image: torch.Tensor) -> torch.Tensor:
    return image.permute(0, 3, 1, 2).float() / 255.0


def imagenet(image: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (unit(image) - mean) / std


@pytest.mark.parametrize("vision", [*VISIONS, None])
@pytest.mark.parametrize("depth", ["metric", "relative", None])
def test_every_pair_of_parts_keeps_the_contract(tmp_path, vision, depth):
    found = brought(tmp_path, vision, depth)(*scene())
    assert found["tokens"].shape == (2, 28, 24)
    assert found["depth"].shape == found["depth_confidence"].shape == (2, 16, 28)
    assert all(torch.isfinite(value).all() for value in found.values())
    assert (found["depth"] > 0).all()


@pytest.mark.parametrize("vision", VISIONS)
def test_the_weights_are_those_of_the_files(tmp_path, vision):
    model = brought(tmp_path, vision)
    own = SiglipVisionModel if vision == "siglip" else AutoModel
    alone = own.from_pretrained(tmp_path / "vision").state_dict()
    held = model.vision.network.state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in held.items())
    assert {name for name in alone if name not in held} == {n for n in alone if n.startswith("head.")}  # pooling
    alone = DepthAnythingForDepthEstimation.from_pretrained(tmp_path / "depth").state_dict()
    held = model.depth.network.state_dict()
    assert held.keys() == alone.keys() and all(torch.equal(value, alone[name]) for name, value in held.items())


@pytest.mark.parametrize(
    ("part", "weight", "output"),
    [("vision", "layer.1.mlp.down_proj.bias", "tokens"), ("depth", "head.conv3.bias", "depth")],
)
def test_another_number_in_the_file_is_another_answer(tmp_path, part, weight, output):
    brought(tmp_path)

    def answer() -> torch.Tensor:
        torch.manual_seed(4)  # the fresh parts are the same each time
        return SpatialORModel.from_backbones(tmp_path / "depth", tmp_path / "vision", **NARROW).eval()(*scene())[output]

    before = answer()
    torch.testing.assert_close(answer(), before, rtol=0, atol=0)
    path = tmp_path / part / "model.safetensors"
    stored = load_file(path)
    (name,) = (n for n in stored if n.endswith(weight))
    stored[name] = stored[name] + 0.3 * torch.arange(1.0, 1.0 + len(stored[name]))
    save_file(stored, path, metadata={"format": "pt"})
    assert (answer() - before).abs().max() > 1e-2


def entering_the_graph(model: SpatialORModel, *inputs: torch.Tensor) -> torch.Tensor:
    """What leaves the pretrained layers inside the whole model."""
    caught = []
    handle = model.narrow.register_forward_pre_hook(lambda _, arguments: caught.append(arguments[0]))
    model(*inputs)
    handle.remove()
    return caught[0]


def test_at_first_the_tower_says_what_dinov3_says(tmp_path):
    model = brought(tmp_path, "dinov3")
    inputs = scene()
    alone = AutoModel.from_pretrained(tmp_path / "vision").eval()
    said = alone(imagenet(inputs[0])).last_hidden_state[:, 1 + 4 :]  # class token and registers are no patches
    torch.testing.assert_close(entering_the_graph(model, *inputs), said)


def test_at_first_the_tower_says_what_siglip_says(tmp_path):
    model = brought(tmp_path, "siglip")
    inputs = scene()
    alone = SiglipVisionModel.from_pretrained(tmp_path / "vision").eval()
    said = alone((unit(inputs[0]) - 0.5) / 0.5, interpolate_pos_encoding=True).last_hidden_state
    torch.testing.assert_close(entering_the_graph(model, *inputs), said)


def test_at_first_the_tower_says_what_siglip2_says(tmp_path):
    from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches

    model = brought(tmp_path, "siglip2")
    inputs = scene()
    alone = AutoModel.from_pretrained(tmp_path / "vision").eval()
    pixels = (unit(inputs[0]) - 0.5) / 0.5
    patches = torch.stack([torch.from_numpy(convert_image_to_patches(p.numpy(), 16)) for p in pixels])
    shapes = torch.tensor([GRID, GRID])
    said = alone(patches, torch.ones(patches.shape[:2], dtype=torch.int32), shapes).last_hidden_state
    torch.testing.assert_close(entering_the_graph(model, *inputs), said)


def test_convention_a_patch_of_14_px_covers_one_of_ours(tmp_path):
    write_vision(tmp_path / "vision", "siglip", patch=14)
    model = SpatialORModel.from_backbones(vision=tmp_path / "vision", **NARROW).eval()
    image = unit(scene()[0])
    before = model.vision.embed(image)
    image[:, :, 16:32, 48:64] = 1 - image[:, :, 16:32, 48:64]  # patch (1, 3) and a fringe that scaling mixes in
    changed = (model.vision.embed(image) - before).abs().amax(dim=(0, 2)).reshape(GRID)
    assert changed.argmax() == 1 * 7 + 3
    assert changed[3].max() == changed[:, 0].max() == 0


def test_metric_depth_is_the_networks_own_for_the_focal_length_it_was_made_for(tmp_path):
    model = brought(tmp_path, None, canonical_focal=90.0)
    image, intrinsics, level, height = scene()
    alone = DepthAnythingForDepthEstimation.from_pretrained(tmp_path / "depth").eval()
    size = (5 * 14, 8 * 14)  # the nearest multiples of its patch to 64 x 112 px
    resized = torch.nn.functional.interpolate(imagenet(image), size, mode="bilinear", align_corners=False)
    metres = alone(resized).predicted_depth
    shrunk = torch.nn.functional.interpolate(metres.log()[:, None], (16, 28), mode="bilinear")[:, 0].exp()
    found = model(image, intrinsics, level, height)["depth"]
    assert float(shrunk.detach().std()) > 0.1  # a picture, not a constant
    torch.testing.assert_close(found, shrunk, rtol=1e-4, atol=1e-4)
    longer = model(image, intrinsics * torch.tensor([1.5, 1.5, 1, 1]), level, height)["depth"]
    torch.testing.assert_close(longer, 1.5 * found)


def test_relative_depth_is_nearer_where_the_network_says_more(tmp_path):
    model = brought(tmp_path, None, "relative")
    inverse = torch.tensor([[[0.1, 0.5], [1.0, 2.0]]])
    log_depth = model.depth._log_depth(inverse)
    order = log_depth.flatten().argsort(descending=True).tolist()
    assert order == [0, 1, 2, 3]
    assert 1.0 < float(log_depth.exp().detach().mean()) < 30.0  # a sensible room before anything was learnt


@pytest.mark.parametrize("vision", VISIONS)
def test_a_closed_gate_is_the_rgb_only_model(tmp_path, vision):
    model = brought(tmp_path, vision)
    before = model(*scene())["tokens"]
    with torch.no_grad():
        model.depth.correction += 0.4  # half as deep again everywhere
    torch.testing.assert_close(model(*scene())["tokens"], before, rtol=0, atol=0)
    with torch.no_grad():
        model.fusion.gate += 0.5
    opened = model(*scene())["tokens"]
    with torch.no_grad():
        model.depth.correction -= 0.4
    assert (model(*scene())["tokens"] - opened).abs().max() > 1e-3


def test_training_mode_draws_no_lots_inside_the_pretrained_parts(tmp_path):
    model = brought(tmp_path, "dinov3").train()
    assert not any(m.training for part in (model.vision, model.depth) for m in part.network.modules())
    assert model.vision.training and model.stem.training


@pytest.mark.parametrize("vision", VISIONS)
def test_a_checkpoint_with_parts_comes_back_the_same_and_holds_no_pickle(tmp_path, vision):
    model = brought(tmp_path, vision)
    model.save_pretrained(tmp_path / "own")
    assert {p.suffix for p in (tmp_path / "own").iterdir()} == {".json", ".safetensors"}
    shutil.rmtree(tmp_path / "vision")  # it needs its sources no more
    again = SpatialORModel.from_pretrained(tmp_path / "own").eval()
    for name, value in model(*scene()).items():
        torch.testing.assert_close(again(*scene())[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("role", ["vision", "depth"])
def test_half_precision_weights_train_in_full(tmp_path, role):
    write_vision(tmp_path / "full", "dinov3") if role == "vision" else write_depth(tmp_path / "full")
    loader = AutoModel if role == "vision" else DepthAnythingForDepthEstimation
    loader.from_pretrained(tmp_path / "full", dtype=torch.float16).save_pretrained(tmp_path / "half")
    model = SpatialORModel.from_backbones(**{role: tmp_path / "half"}, **NARROW)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    model.save_pretrained(tmp_path / "own")
    assert {p.dtype for p in SpatialORModel.from_pretrained(tmp_path / "own").parameters()} == {torch.float32}


def test_pictures_are_prepared_as_the_checkpoint_says(tmp_path):
    write_vision(tmp_path / "vision", "dinov3")
    usual = SpatialORModel.from_backbones(vision=tmp_path / "vision", **NARROW).eval()
    (tmp_path / "vision" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]})
    )
    other = SpatialORModel.from_backbones(vision=tmp_path / "vision", **NARROW).eval()
    image = unit(scene()[0])
    normal = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    torch.testing.assert_close(other.vision.embed(normal), usual.vision.embed(image))
    other.save_pretrained(tmp_path / "own")
    assert SpatialORModel.from_pretrained(tmp_path / "own").config.vision_config.image_std == [1.0, 1.0, 1.0]


def test_a_width_that_the_fusion_cannot_share_out_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="width 32 is not a multiple of heads = 3"):
        brought(tmp_path, heads=3, hidden_size=24)


@pytest.mark.parametrize(
    ("role", "said"), [("depth", "'dinov3_vit'.*depth part.*depth_anything"), ("vision", "'depth_anything'.*visi")]
)
def test_a_part_in_the_wrong_place_is_refused_with_both_names(tmp_path, role, said):
    folder = write_vision(tmp_path / "x", "dinov3") if role == "depth" else write_depth(tmp_path / "x")
    with pytest.raises(BundleError, match=said) as caught:
        SpatialORModel.from_backbones(**{role: folder}, **NARROW)
    assert str(folder) in str(caught.value)


def test_a_foreign_checkpoint_is_refused_with_both_names(tmp_path):
    with pytest.raises(BundleError, match="'depth_anything', not of 'spatial_or'"):
        SpatialORModel.from_pretrained(write_depth(tmp_path))


def test_a_checkpoint_of_another_vocabulary_is_refused_with_both_names(tmp_path):
    SpatialORModel(SpatialORConfig.for_vocabulary("4d-or", **NARROW)).save_pretrained(tmp_path)
    with pytest.raises(BundleError, match="'4d-or', not 'mm-or'"):
        SpatialORModel.from_pretrained(tmp_path, vocabulary="mm-or")
    assert SpatialORModel.from_pretrained(tmp_path, vocabulary="4d-or").config.vocabulary == "4d-or"


def test_a_part_that_lacks_weights_is_refused(tmp_path):
    folder = write_vision(tmp_path / "vision", "dinov3")
    stored = load_file(folder / "model.safetensors")
    del stored["norm.weight"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BundleError, match=r"lacks 1 weights of a 'dinov3_vit' \(norm.weight"):
        SpatialORModel.from_backbones(vision=folder, **NARROW)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    brought(tmp_path).save_pretrained(tmp_path / "own")
    path = tmp_path / "own" / "model.safetensors"
    stored = load_file(path)
    save_file({k: v for k, v in stored.items() if "gate" not in k}, path, metadata={"format": "pt"})
    with pytest.raises(BundleError, match="lacks 1 weights.*fusion.gate"):
        SpatialORModel.from_pretrained(tmp_path / "own")


@pytest.mark.parametrize("size", [10, 4000])
def test_damaged_weights_are_named(tmp_path, size):
    folder = write_vision(tmp_path / "vision", "dinov3")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BundleError, match="vision"):
        SpatialORModel.from_backbones(vision=folder, **NARROW)


def test_a_folder_with_pickled_weights_alone_is_refused(tmp_path):
    folder = write_vision(tmp_path / "vision", "dinov3")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BundleError, match="vision"):
        SpatialORModel.from_backbones(vision=folder, **NARROW)


@pytest.mark.parametrize("load", [SpatialORModel.from_pretrained, SpatialORModel.from_backbones])
def test_a_folder_that_does_not_exist_is_named(tmp_path, load):
    with pytest.raises(BundleError, match="nowhere"):
        load(tmp_path / "nowhere")
