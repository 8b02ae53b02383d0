"""The network's promises: shapes, the twin, the geometry it is told, and a checkpoint that comes back the same."""

import numpy as np
import pytest
import torch
from small_model import SMALL

from or_spatial.errors import ConfigError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.mounting import mounting
from or_spatial.geometry.transforms import look_at
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.model.blocks import Attention
from or_spatial.model.fusion import patch_median
from or_spatial.model.glimpse import WINDOW, windows
from or_spatial.model.graph_head import peaks
from or_spatial.model.optics import cell_centres, grid_rays, mount_cue


@pytest.fixture
def model() -> SpatialORModel:
    torch.manual_seed(3)
    return SpatialORModel(SpatialORConfig.for_vocabulary(**SMALL)).eval()


def picture(count: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(0, 256, (count, 64, 112, 3), dtype=torch.uint8, generator=generator)
    level = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]).repeat(count, 1, 1)
    intrinsics = torch.tensor([[90.0, 80.0, 54.0, 33.0]]).repeat(count, 1)
    return image, intrinsics, level, torch.full((count, 1), 2.3)


def test_every_output_has_the_shape_of_the_contract(model):
    found = model(*picture())
    labels, actions, geometric = len(model.config.labels), len(model.config.actions), len(model.config.geometric)
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {
        "depth": (2, 16, 28),
        "depth_confidence": (2, 16, 28),
        "center": (2, 6, 3),
        "sigma": (2, 6, 2),
        "size": (2, 6, 3),
        "yaw": (2, 6),
        "box": (2, 6, 4),
        "label": (2, 6, labels),
        "existence": (2, 6),
        "sterile": (2, 6),
        "action": (2, 6, 6, actions + 1),
        "geometric": (2, 6, 6, geometric),
        "tokens": (2, 28, 32),
    }
    assert all(torch.isfinite(value).all() for value in found.values())
    assert (found["depth"] > 0).all() and (found["size"] > 0).all()
    torch.testing.assert_close(found["action"].sum(-1), torch.ones(2, 6, 6))


def test_a_closed_gate_makes_the_tokens_blind_to_depth(model):
    image, intrinsics, viewer, height = picture()

    def tokens() -> torch.Tensor:
        return model(image, intrinsics, viewer, height)["tokens"]

    before = tokens()
    with torch.no_grad():
        model.depth.out[-1].bias[0] += 0.7  # twice as deep everywhere
    torch.testing.assert_close(tokens(), before, rtol=0, atol=0)
    with torch.no_grad():
        model.fusion.gate += 0.5
    opened = tokens()
    with torch.no_grad():
        model.depth.out[-1].bias[0] -= 0.7
    assert (tokens() - opened).abs().max() > 1e-3


def test_the_twin_has_the_same_parameters_and_a_gate_that_cannot_learn():
    fused = SpatialORModel(SpatialORConfig.for_vocabulary(**SMALL))
    twin = SpatialORModel(SpatialORConfig.for_vocabulary(**SMALL, use_depth=False))
    assert [p.shape for p in fused.parameters()] == [p.shape for p in twin.parameters()]
    assert fused.fusion.gate.requires_grad and not twin.fusion.gate.requires_grad


def test_twice_the_focal_length_means_twice_the_depth(model):
    image, intrinsics, viewer, _ = picture()
    unknown = torch.zeros(2, 1)  # without a mount, focal length enters through the rays only
    features = model.stem(torch.zeros(2, 3, 64, 112), mount_cue(grid_rays(16, 28, 4, intrinsics), viewer, unknown))
    near, _ = model.depth(features, intrinsics)
    far, _ = model.depth(features, intrinsics * torch.tensor([2.0, 2.0, 1.0, 1.0]))
    torch.testing.assert_close(far.exp(), 2 * near.exp())
    assert image.dtype == torch.uint8


def test_convention_cells_are_centred_between_pixels():
    centres = cell_centres(2, 3, 4, torch.zeros(1))
    assert centres[0, 0].tolist() == [1.5, 1.5]
    assert centres[1, 2].tolist() == [9.5, 5.5]


def test_the_floor_cue_is_the_inverse_depth_of_the_floor():
    camera = Camera.from_fov(112, 64, np.radians(80.0))
    room_from_camera = look_at([1.0, -2.0, 2.5], [0.2, 1.0, 0.4])
    viewer, height = mounting(room_from_camera)
    intrinsics = torch.tensor([[camera.fx, camera.fy, camera.cx, camera.cy]], dtype=torch.float32)
    rays = grid_rays(16, 28, 4, intrinsics)
    cue = mount_cue(rays, torch.from_numpy(viewer)[None], torch.tensor([[height]]))[0]
    row, column = 13, 5
    depth = 1.0 / float(cue[3, row, column])
    on_floor = room_from_camera @ np.append(rays[0, row, column].numpy() * depth, 1.0)
    assert abs(on_floor[2]) < 1e-5
    assert float(cue[4].min()) == 1.0


def test_the_patch_median_forgets_outliers():
    depth = torch.full((1, 4, 8), 3.0)
    depth[0, 0, :3] = 90.0
    depth[0, :, 4:] = torch.arange(16.0).reshape(4, 4)
    assert patch_median(depth).tolist() == [[[3.0, 7.5]]]


def test_peaks_are_local_maxima_in_order_of_score():
    heat = torch.zeros(1, 2, 6, 8)
    heat[0, 1, 2, 3], heat[0, 1, 2, 4], heat[0, 0, 5, 7] = 0.9, 0.8, 0.5  # the second is the first's shoulder
    pixels, score = peaks(heat, 2)
    assert pixels[0].tolist() == [[13.5, 9.5], [29.5, 21.5]]
    torch.testing.assert_close(score[0], torch.tensor([0.9, 0.5]))


def test_a_glimpse_sees_the_pixels_around_its_proposal_and_repeats_the_border():
    image = torch.arange(64.0 * 112).reshape(1, 1, 64, 112)
    cut = windows(image, torch.tensor([[[60.7, 30.2], [1.0, 1.0]]]))
    assert cut.shape == (2, 1, WINDOW, WINDOW)
    assert cut[0, 0, WINDOW // 2, WINDOW // 2] == image[0, 0, 30, 60]
    assert cut[0, 0, 0, -1] == image[0, 0, 30 - WINDOW // 2, 60 + WINDOW // 2 - 1]
    assert cut[1, 0, 0, 0] == image[0, 0, 0, 0]


def test_a_proposal_hears_of_its_own_pixels_once_the_glimpse_speaks(model):
    image, intrinsics, viewer, height = picture()
    seen = model.see(image, intrinsics, viewer, height)
    pixels = torch.tensor([[[20.0, 30.0], [80.0, 30.0]]]).repeat(2, 1, 1)
    torch.nn.init.normal_(model.graph.glimpse.out.weight)
    before = model.graph.glimpse(seen.picture, pixels)
    seen.picture[..., 80] += 1.0
    after = model.graph.glimpse(seen.picture, pixels)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert (after[:, 1] - before[:, 1]).abs().max() > 1e-3


def test_a_checkpoint_comes_back_the_same(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = SpatialORModel.from_pretrained(tmp_path).eval()
    assert (tmp_path / "model.safetensors").exists()
    for name, value in model(*picture()).items():
        torch.testing.assert_close(again(*picture())[name], value)


def test_a_size_off_the_patch_grid_is_refused():
    with pytest.raises(ConfigError, match="image_width = 450"):
        SpatialORConfig(image_width=450)


def test_attention_says_the_same_while_it_learns():
    generator = torch.Generator().manual_seed(1)
    attention = Attention(16, 4)
    queries, memory = (torch.randn(2, n, 16, generator=generator) for n in (3, 5))
    torch.testing.assert_close(attention.train()(queries, memory), attention.eval()(queries, memory))
