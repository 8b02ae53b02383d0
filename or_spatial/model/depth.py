"""Metric monocular depth in canonical-camera form, with its own doubt."""

import torch
from torch import Tensor, nn

from or_spatial.model.blocks import conv_bn
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.stem import Upward

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
        return log_depth.clamp(-1.5, 3.2), raw[:, 1].clamp(-5.0, 2.0)
