"""The convolutional stem: picture and calibration cue to features at strides 4, 8 and 16."""

import torch
from torch import Tensor, nn

from or_spatial.model.blocks import ResidualBlock, conv_bn
from or_spatial.model.configuration import SpatialORConfig


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(inputs, outputs, stride=2), *(ResidualBlock(outputs) for _ in range(blocks)))


class Stem(nn.Module):
    """Features (B, C4, H/4, W/4), (B, C8, H/8, W/8), (B, C16, H/16, W/16).

    The last is None where nobody asks for it: a pretrained tower sees the picture itself, a pretrained depth too.
    """

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        quarter, eighth, sixteenth = config.stem_channels
        blocks = config.stem_blocks
        self.picture = nn.Sequential(conv_bn(3, 24, stride=2), conv_bn(24, quarter, stride=2))
        self.quarter = nn.Sequential(conv_bn(quarter + 5, quarter), *(ResidualBlock(quarter) for _ in range(blocks[0])))
        self.eighth = _stage(quarter, eighth, blocks[1])
        coarse = config.depth_config is None or config.vision_config is None
        self.sixteenth = _stage(eighth, sixteenth, blocks[2]) if coarse else None

    def forward(self, picture: Tensor, cue: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """`picture` (B, 3, H, W) normalised, `cue` (B, 5, H/4, W/4)."""
        quarter = self.quarter(torch.cat([self.picture(picture), cue], dim=1))
        eighth = self.eighth(quarter)
        return quarter, eighth, self.sixteenth(eighth) if self.sixteenth else None


class Upward(nn.Module):
    """Coarse features carried up to strides 8 and 4, each joined with the finer ones (a small feature pyramid)."""

    def __init__(self, coarse: int, config: SpatialORConfig) -> None:
        super().__init__()
        quarter, eighth, _ = config.stem_channels
        self.to_eighth = nn.Conv2d(coarse, eighth, 1)
        self.eighth = conv_bn(eighth, eighth)
        self.to_quarter = nn.Conv2d(eighth, quarter, 1)
        self.quarter = conv_bn(quarter, quarter)

    def forward(self, coarse: Tensor, eighth: Tensor, quarter: Tensor) -> tuple[Tensor, Tensor]:
        """Features at strides 8 and 4."""
        eighth = self.eighth(eighth + nn.functional.interpolate(self.to_eighth(coarse), scale_factor=2.0))
        quarter = self.quarter(quarter + nn.functional.interpolate(self.to_quarter(eighth), scale_factor=2.0))
        return eighth, quarter
