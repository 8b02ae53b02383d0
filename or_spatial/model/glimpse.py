"""A second look at full resolution around each proposal: what a scalpel or a drill is shows in few pixels."""

import torch
from torch import Tensor, nn

from or_spatial.model.blocks import conv_bn

WINDOW = 48  # px; a held drill is about 30 px long at 256x448 in a room camera's picture


def windows(picture: Tensor, pixels: Tensor) -> Tensor:
    """Squares of WINDOW px (B * K, C, WINDOW, WINDOW) around pixels (B, K, 2); the border is repeated outwards."""
    batch, channels, rows, columns = picture.shape
    offset = torch.arange(WINDOW, device=picture.device) - WINDOW // 2
    corner = pixels.detach().floor().long()
    u = (corner[..., 0, None] + offset).clamp(0, columns - 1)
    v = (corner[..., 1, None] + offset).clamp(0, rows - 1)
    index = (v[..., :, None] * columns + u[..., None, :]).flatten(1)
    cut = picture.flatten(2).gather(2, index[:, None].expand(-1, channels, -1))
    return cut.reshape(batch, channels, -1, WINDOW, WINDOW).transpose(1, 2).flatten(0, 1)


class Glimpse(nn.Module):
    """Pixels around each proposal to a feature (B, K, C). Silent at first, so that trained weights take it in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            conv_bn(3, 32, stride=2), conv_bn(32, 64, stride=2), conv_bn(64, 96, stride=2), conv_bn(96, 96, stride=2)
        )
        self.out = nn.Linear(96 * (WINDOW // 16) ** 2, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, picture: Tensor, pixels: Tensor) -> Tensor:
        """`picture` (B, 3, H, W) normalised, `pixels` (B, K, 2)."""
        seen = self.look(windows(picture, pixels)).flatten(1)
        return self.out(seen).unflatten(0, pixels.shape[:2])
