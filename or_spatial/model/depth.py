"""Metric monocular depth in canonical-camera form, with its own doubt: the small head, or a pretrained network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForDepthEstimation

from or_spatial.model.backbones import normalised
from or_spatial.model.blocks import conv_bn
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.stem import Upward

_LOG_RANGE = (-1.5, 3.2)  # 0.2 m to 25 m
_LOG_SCALE_RANGE = (-5.0, 2.0)
_LOG_MEAN = 1.1  # log of 3 m, about the mean depth of a room camera: the head starts at a sensible room


class DepthHead(nn.Module):
    """Log depth along z and log scale of its Laplace error at stride 4.

    The network sees a picture and predicts depth for a camera of `canonical_focal`; the true focal length scales it
    (Metric3D, arXiv 2307.10984).
    """

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        self.canonical_focal = config.canonical_focal
        quarter, _, sixteenth = config.stem_channels
        self.upward = Upward(sixteenth, config)
        self.out = nn.Sequential(conv_bn(quarter, quarter), nn.Conv2d(quarter, 2, 1))

    def forward(self, features: tuple[Tensor, Tensor, Tensor], intrinsics: Tensor) -> tuple[Tensor, Tensor]:
        """`log_depth` and `log_scale`, each (B, H/4, W/4)."""
        quarter, eighth, sixteenth = features
        _, fine = self.upward(sixteenth, eighth, quarter)
        raw = self.out(fine).float()  # metres need more digits than mixed precision keeps
        focal = intrinsics[:, :2].mean(dim=1)
        log_depth = raw[:, 0] + _LOG_MEAN + torch.log(focal / self.canonical_focal)[:, None, None]
        return log_depth.clamp(*_LOG_RANGE), raw[:, 1].clamp(*_LOG_SCALE_RANGE)


class PretrainedDepth(nn.Module):
    """Depth Anything (arXiv 2406.09414) in the place of `DepthHead`; its doubt is a new head on its last features.

    A metric network's metres are those of the camera it was trained with: `canonical_focal` says which, in px of this
    picture. A relative one gives inverse depth up to scale and shift: both are learnt, from a sensible room.
    """

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        part = config.depth_config
        self.canonical_focal = config.canonical_focal
        self.metric = part.depth_estimation_type == "metric"
        self.network = AutoModelForDepthEstimation.from_config(part)
        # metric: log of a factor; relative: logs of the inverse depth's scale and shift, 1/m
        self.correction = nn.Parameter(torch.tensor([0.0] if self.metric else [-_LOG_MEAN, -3.4]))
        self.doubt = nn.Conv2d(part.fusion_hidden_size, 1, 1)
        nn.init.zeros_(self.doubt.weight)
        nn.init.constant_(self.doubt.bias, -1.5)

    def train(self, mode: bool = True) -> "PretrainedDepth":
        """As any module, but the network's own dropout stays off: it belonged to its pretraining."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
        """`log_depth` and `log_scale`, each (B, H/4, W/4), of `image` (B, 3, H, W) in [0, 1]."""
        height, width = image.shape[2:]
        patch = self.network.config.patch_size
        rows, columns = max(round(height / patch), 1), max(round(width / patch), 1)
        seen = normalised(image, self.network.config, (rows * patch, columns * patch))
        fused = self.network.neck(self.network.backbone(seen).feature_maps, rows, columns)
        raw = self._log_depth(self.network.head(fused, rows, columns).float())
        cells = (height // 4, width // 4)
        focal = intrinsics[:, :2].mean(dim=1)
        log_depth = _at(raw[:, None], cells) + torch.log(focal / self.canonical_focal)[:, None, None]
        log_scale = _at(self.doubt(fused[self.network.head.head_in_index]).float(), cells)
        return log_depth.clamp(*_LOG_RANGE), log_scale.clamp(*_LOG_SCALE_RANGE)

    def _log_depth(self, raw: Tensor) -> Tensor:
        if self.metric:
            return raw.clamp(min=0.05).log() + self.correction[0]
        share = raw / raw.mean(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        scale, shift = self.correction.exp()
        return -torch.log(scale * share + shift)


def _at(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)[:, 0]
