"""SEFF, the Spatial-Enhanced Feature Fusion block of Spatial-ORMLLM (arXiv 2508.08199): 3D cues meet 2D features.

The paper gives the place (before the visual tower) and the purpose; the form is ours. Per patch the back-projected
metric point (median depth along the patch's central ray) becomes Fourier features and a 3D token; 2D tokens attend to
3D tokens; a gate that starts at zero adds the result. Gate at zero = the exact RGB-only model.
"""

import torch
from torch import Tensor, nn

from or_spatial.model.blocks import Attention, fourier, mlp
from or_spatial.model.configuration import SpatialORConfig

_CELLS = 4  # a 16 px patch holds 4 x 4 depth cells


def patch_median(depth: Tensor) -> Tensor:
    """Median depth (B, H/16, W/16) of each patch's 16 cells; the mean of the two middle ones."""
    batch, rows, columns = depth.shape
    cells = depth.reshape(batch, rows // _CELLS, _CELLS, columns // _CELLS, _CELLS)
    cells = cells.permute(0, 1, 3, 2, 4).flatten(3)
    middle = torch.topk(cells, _CELLS * _CELLS // 2 + 1, dim=-1).values
    return middle[..., -2:].mean(dim=-1)


class SpatialFusion(nn.Module):
    """2D patch tokens (B, N, C) plus what their surroundings in 3D say."""

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        width = config.tower_width
        self.bands = config.fourier_bands
        self.use_depth = config.use_depth
        self.point = mlp(3 * 2 * self.bands + 3 + 3, width, width)
        self.norm_tokens, self.norm_points = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, config.heads)
        self.local = nn.Linear(width, width)
        self.gate = nn.Parameter(torch.zeros(width), requires_grad=config.use_depth)

    def forward(self, tokens: Tensor, points: Tensor, log_depth: Tensor, doubt: Tensor, known: Tensor) -> Tensor:
        """`points` (B, N, 3) m in the levelled viewer at floor height, `log_depth`, `doubt` (B, N), `known` (B, 1)."""
        extra = torch.stack([log_depth, doubt, known.expand_as(log_depth)], dim=-1)
        cue = self.point(torch.cat([fourier(points, self.bands), points / 4.0, extra], dim=-1))
        mixed = self.attention(self.norm_tokens(tokens), self.norm_points(cue)) + self.local(cue)
        return tokens + self.gate * mixed
