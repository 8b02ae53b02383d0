"""SpatialORModel: Spatial-ORMLLM's live path. One forward pass from picture to graph.

Small form: everything below is ours. With pretrained parts (`from_backbones`) a Depth Anything stands in the place of
the depth head, a SigLIP, SigLIP 2 or DINOv3 ViT in that of the tower; the stem then gives only strides 4 and 8.

Inputs (all tensors, batch B, picture H x W):

    image               (B, H, W, 3) uint8 RGB
    intrinsics          (B, 4) fx, fy, cx, cy in px of this picture
    viewer_from_camera  (B, 3, 3) optical frame to levelled viewer
    height              (B, 1) m, camera above the floor; 0 = mount unknown
"""

import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from or_spatial.errors import BundleError
from or_spatial.model.backbones import vision_tower
from or_spatial.model.blocks import TowerLayer
from or_spatial.model.checkpoints import complete, naming, pretrained_part, read_config, require_vocabulary
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.depth import DepthHead, PretrainedDepth
from or_spatial.model.fusion import SpatialFusion, patch_median
from or_spatial.model.graph_head import STRIDE, GraphHead, Objects, peaks
from or_spatial.model.optics import grid_rays, mount_cue, turned
from or_spatial.model.readings import Reading
from or_spatial.model.stem import Stem, Upward

PATCH = 16
_TAKEN_FOR_M = 3.0


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
        self.depth = PretrainedDepth(config) if config.depth_config else DepthHead(config)
        self.vision = vision_tower(config.vision_config) if config.vision_config else None
        self.patch = None if self.vision else nn.Linear(sixteenth, width)
        self.place = nn.Linear(5, config.tower_width)
        self.fusion = SpatialFusion(config)
        layers = 0 if self.vision else config.tower_layers
        self.tower = nn.ModuleList(TowerLayer(width, config.heads) for _ in range(layers))
        self.narrow = nn.Linear(config.tower_width, width) if self.vision else None
        if self.vision:  # silent at first, as the gate is: the pretrained layers start on the tokens that they know
            nn.init.zeros_(self.place.weight)
            nn.init.zeros_(self.place.bias)
        self.norm = nn.LayerNorm(width)
        self.upward = Upward(width, config)
        self.semantic = nn.Conv2d(quarter, len(config.labels) + 1, 1)
        self.graph = GraphHead(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Torch's own defaults serve; the heads set their own priors where they are made."""

    @classmethod
    def from_pretrained(
        cls, source: str | PathLike, *args: Any, vocabulary: str | None = None, **kwargs: Any
    ) -> "SpatialORModel":
        """The model of a checkpoint folder or hub id; with `vocabulary`, only one that speaks it.

        Raises:
            BundleError: no checkpoint there, one of another architecture or vocabulary (both are named), damaged, or
                without weights for a part of what its configuration describes.
        """
        require_vocabulary(source, read_config(source), vocabulary)
        with naming(source):
            model, loaded = super().from_pretrained(
                source, *args, output_loading_info=True, use_safetensors=True, **kwargs
            )
        complete(source, "spatial_or", loaded)
        return model

    @classmethod
    def from_folder(cls, folder: Path) -> "SpatialORModel":
        """The model of a checkpoint folder; a name that is no folder is not looked for on the hub.

        Raises:
            BundleError: as `from_pretrained`.
        """
        if not (folder / "config.json").is_file():
            raise BundleError(f"{folder} is no checkpoint: config.json is missing")
        return cls.from_pretrained(folder)

    @classmethod
    def from_backbones(
        cls,
        depth: str | PathLike | None = None,
        vision: str | PathLike | None = None,
        vocabulary: str = "or_world",
        **sizes: Any,
    ) -> "SpatialORModel":
        """A model whose depth head and visual tower start from pretrained weights; everything else is fresh.

        Args:
            depth: folder or hub id of a Depth Anything (`DepthAnythingForDepthEstimation`, metric or relative).
            vision: of a SigLIP or SigLIP 2 (the vision half of a full one is taken) or a DINOv3 ViT.
            vocabulary: a shipped vocabulary, or a YAML file.
            sizes: other arguments of `SpatialORConfig`.

        Raises:
            BundleError: a source that cannot be read, is another architecture, or lacks weights.
        """
        parts = {
            name: pretrained_part(source, name)
            for name, source in (("depth", depth), ("vision", vision))
            if source is not None
        }
        configs = {f"{name}_config": part.config for name, part in parts.items()}
        model = cls(SpatialORConfig.for_vocabulary(vocabulary, **{**sizes, **configs}))
        for name, part in parts.items():
            getattr(model, name).network.load_state_dict(part.state_dict())
        return model

    def see(
        self,
        image: Tensor,
        intrinsics: Tensor,
        viewer_from_camera: Tensor,
        height: Tensor,
        reading: Reading | None = None,
    ) -> Seen:
        """Everything dense, up to the heat map. `reading`: what the fusion block, and it alone, reads of depth instead
        of the prediction.
        """
        unit = image.permute(0, 3, 1, 2).to(self.dtype) / 255.0
        picture = (unit - 0.45) / 0.25
        rows, columns = image.shape[1] // STRIDE, image.shape[2] // STRIDE
        cue = mount_cue(grid_rays(rows, columns, STRIDE, intrinsics), viewer_from_camera, height)
        features = self.stem(picture, cue)
        log_depth, log_scale = self.depth(unit if self.config.depth_config else features, intrinsics)
        patches = self.vision.embed(unit) if self.vision else self.patch(features[2].flatten(2).transpose(1, 2))
        grid = (rows * STRIDE // PATCH, columns * STRIDE // PATCH)
        read = reading(log_depth, log_scale) if reading else (log_depth, log_scale)
        tokens = self._tokens(patches, grid, *read, intrinsics, viewer_from_camera, height)
        coarse = tokens.transpose(1, 2).reshape(-1, tokens.shape[2], *grid)
        eighth, fine = self.upward(coarse, features[1], features[0])
        semantic = self.semantic(fine).float() if self.training else None
        return Seen(picture, log_depth, log_scale, self.graph.propose(fine), semantic, (fine, eighth, coarse), tokens)

    def _tokens(
        self,
        patches: Tensor,
        grid: tuple[int, int],
        log_depth: Tensor,
        log_scale: Tensor,
        intrinsics: Tensor,
        viewer_from_camera: Tensor,
        height: Tensor,
    ) -> Tensor:
        rays = grid_rays(*grid, PATCH, intrinsics)
        place = mount_cue(rays, viewer_from_camera, height).flatten(2).transpose(1, 2)
        tokens = patches + self.place(place)
        middle = patch_median(log_depth.detach())
        levelled = turned(viewer_from_camera, (rays * middle.exp()[..., None]).flatten(1, 2))
        points = torch.cat([levelled[..., :2], levelled[..., 2:] + height[:, :, None]], dim=-1)
        doubt = patch_median(log_scale.detach()).flatten(1)
        tokens = self.fusion(tokens, points, middle.flatten(1), doubt, (height > 0).to(tokens.dtype))
        if self.vision:
            return self.norm(self.narrow(self.vision.encode(tokens, grid)))
        for layer in self.tower:
            tokens = layer(tokens)
        return self.norm(tokens)

    def relate(
        self, seen: Seen, pixels: Tensor, intrinsics: Tensor, viewer_from_camera: Tensor
    ) -> tuple[Objects, Tensor, Tensor]:
        """Objects at these pixels with action and geometric logits of every ordered pair."""
        heat, log_depth = seen.heat.detach().sigmoid(), seen.log_depth.detach()
        if not self.config.depth_at_objects:
            log_depth = torch.full_like(log_depth, math.log(_TAKEN_FOR_M))
        objects = self.graph.objects(pixels, seen.picture, heat, seen.maps, seen.tokens, log_depth, intrinsics)
        rows, columns = seen.heat.shape[-2:]
        scale = torch.tensor([columns * STRIDE, rows * STRIDE], dtype=pixels.dtype, device=pixels.device)
        action, geometric = self.graph.pair(objects, viewer_from_camera, scale)
        return objects, action, geometric

    def forward(
        self,
        image: Tensor,
        intrinsics: Tensor,
        viewer_from_camera: Tensor,
        height: Tensor,
        reading: Reading | None = None,
    ) -> dict[str, Tensor]:
        """The perceive graph: what `perceive.onnx` gives, by output name (shapes in `inference.contract`)."""
        seen = self.see(image, intrinsics, viewer_from_camera, height, reading)
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
