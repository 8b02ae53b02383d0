"""SpatialORModel: the small form of Spatial-ORMLLM, live path. One forward pass from picture to graph.

Inputs (all tensors, batch B, picture H x W):

    image               (B, H, W, 3) uint8 RGB
    intrinsics          (B, 4) fx, fy, cx, cy in px of this picture
    viewer_from_camera  (B, 3, 3) optical frame to levelled viewer
    height              (B, 1) m, camera above the floor; 0 = mount unknown
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from or_spatial.model.blocks import TowerLayer
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.depth import DepthHead
from or_spatial.model.fusion import SpatialFusion, patch_median
from or_spatial.model.graph_head import STRIDE, GraphHead, Objects, peaks
from or_spatial.model.optics import grid_rays, mount_cue, turned
from or_spatial.model.stem import Stem, Upward

PATCH = 16


@dataclass
class Seen:
    """Dense results: what the graph head starts from."""

    picture: Tensor  # (B, 3, H, W) normalised
    log_depth: Tensor  # (B, H/4, W/4)
    log_scale: Tensor  # (B, H/4, W/4)
    heat: Tensor  # (B, labels, H/4, W/4) logits
    semantic: Tensor | None  # (B, labels + 1, H/4, W/4) logits, training only
    maps: tuple[Tensor, Tensor, Tensor]
    tokens: Tensor  # (B, N, C)


class SpatialORModel(PreTrainedModel):
    """Depth, fusion before the tower, tower, graph head."""

    config_class = SpatialORConfig
    base_model_prefix = "spatial_or"

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        quarter, _, sixteenth = config.stem_channels
        self.stem = Stem(config)
        self.depth = DepthHead(config)
        self.patch = nn.Linear(sixteenth, width)
        self.place = nn.Linear(5, width)
        self.fusion = SpatialFusion(config)
        self.tower = nn.ModuleList(TowerLayer(width, config.heads) for _ in range(config.tower_layers))
        self.norm = nn.LayerNorm(width)
        self.upward = Upward(width, config)
        self.semantic = nn.Conv2d(quarter, len(config.labels) + 1, 1)
        self.graph = GraphHead(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Torch's own defaults serve; the heads set their own priors where they are made."""

    def see(self, image: Tensor, intrinsics: Tensor, viewer_from_camera: Tensor, height: Tensor) -> Seen:
        """Everything dense, up to the heat map."""
        picture = (image.permute(0, 3, 1, 2).to(self.dtype) / 255.0 - 0.45) / 0.25
        rows, columns = image.shape[1] // STRIDE, image.shape[2] // STRIDE
        cue = mount_cue(grid_rays(rows, columns, STRIDE, intrinsics), viewer_from_camera, height)
        features = self.stem(picture, cue)
        log_depth, log_scale = self.depth(features, intrinsics)
        tokens = self._tokens(features[2], log_depth, log_scale, intrinsics, viewer_from_camera, height)
        coarse = tokens.transpose(1, 2).reshape(-1, tokens.shape[2], rows * STRIDE // PATCH, columns * STRIDE // PATCH)
        eighth, fine = self.upward(coarse, features[1], features[0])
        semantic = self.semantic(fine).float() if self.training else None
        return Seen(picture, log_depth, log_scale, self.graph.propose(fine), semantic, (fine, eighth, coarse), tokens)

    def _tokens(
        self,
        sixteenth: Tensor,
        log_depth: Tensor,
        log_scale: Tensor,
        intrinsics: Tensor,
        viewer_from_camera: Tensor,
        height: Tensor,
    ) -> Tensor:
        rows, columns = sixteenth.shape[2:]
        rays = grid_rays(rows, columns, PATCH, intrinsics)
        place = mount_cue(rays, viewer_from_camera, height).flatten(2).transpose(1, 2)
        tokens = self.patch(sixteenth.flatten(2).transpose(1, 2)) + self.place(place)
        middle = patch_median(log_depth.detach())
        levelled = turned(viewer_from_camera, (rays * middle.exp()[..., None]).flatten(1, 2))
        points = torch.cat([levelled[..., :2], levelled[..., 2:] + height[:, :, None]], dim=-1)
        doubt = patch_median(log_scale.detach()).flatten(1)
        tokens = self.fusion(tokens, points, middle.flatten(1), doubt, (height > 0).to(tokens.dtype))
        for layer in self.tower:
            tokens = layer(tokens)
        return self.norm(tokens)

    def relate(
        self, seen: Seen, pixels: Tensor, intrinsics: Tensor, viewer_from_camera: Tensor, mask: Tensor | None = None
    ) -> tuple[Objects, Tensor, Tensor]:
        """Objects at these pixels with action and geometric logits of every ordered pair."""
        heat, log_depth = seen.heat.detach().sigmoid(), seen.log_depth.detach()
        objects = self.graph.objects(pixels, seen.picture, heat, seen.maps, seen.tokens, log_depth, intrinsics, mask)
        rows, columns = seen.heat.shape[-2:]
        scale = torch.tensor([columns * STRIDE, rows * STRIDE], dtype=pixels.dtype, device=pixels.device)
        action, geometric = self.graph.pair(objects, viewer_from_camera, scale)
        return objects, action, geometric

    def forward(
        self, image: Tensor, intrinsics: Tensor, viewer_from_camera: Tensor, height: Tensor
    ) -> dict[str, Tensor]:
        """The perceive graph: what `perceive.onnx` gives, by output name (shapes in `inference.contract`)."""
        seen = self.see(image, intrinsics, viewer_from_camera, height)
        pixels, score = peaks(seen.heat.sigmoid(), self.config.queries)
        objects, action, geometric = self.relate(seen, pixels, intrinsics, viewer_from_camera)
        depth = objects.center[..., 2:]
        # One doubt from two voices: the heat map that proposed and the query that looked again.
        existence = (score.clamp(1e-6, 1.0) * objects.existence_logit.sigmoid()).sqrt()
        return {
            "depth": seen.log_depth.exp(),
            "depth_confidence": torch.exp(-seen.log_scale.exp()),
            "center": objects.center,
            "sigma": objects.log_sigma.exp() * depth,
            "size": objects.log_size.exp(),
            "yaw": torch.atan2(objects.yaw[..., 0], objects.yaw[..., 1]),
            "box": objects.box,
            "label": objects.class_logits.softmax(-1),
            "existence": existence,
            "sterile": objects.sterile_logit.sigmoid(),
            "action": action.softmax(-1),
            "geometric": geometric.sigmoid(),
            "tokens": seen.tokens,
        }
