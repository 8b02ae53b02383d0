"""Building blocks: residual convolutions, attention, small perceptrons."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_bn(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the norm folds into the convolution at export."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al., arXiv 1512.03385)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_bn(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.zeros_(self.second[1].weight)  # starts as the identity (Goyal et al., arXiv 1706.02677)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return F.relu(x + self.second(self.first(x)))


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with GELU between."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


def _written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention over (B, heads, N, C)."""
    score = (query @ key.mT) * query.shape[-1] ** -0.5
    return score.softmax(-1) @ value


class Attention(nn.Module):
    """Multi-head attention from `queries` (B, N, C) to `memory` (B, M, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """Returns (B, N, C)."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        # PyTorch's own attention leaves a CPU's matrix units unused: written out it trains twice as fast there.
        attend = _written_out if self.training and queries.device.type == "cpu" else F.scaled_dot_product_attention
        mixed = attend(self._split(self.query(queries)), self._split(key), self._split(value))
        return self.out(mixed.transpose(1, 2).flatten(2))


class TowerLayer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = mlp(width, 3 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same shape."""
        normed = self.norm_attention(x)
        x = x + self.attention(normed, normed)
        return x + self.mlp(self.norm_mlp(x))


class QueryLayer(nn.Module):
    """Queries look at each other, at the tower's tokens, then at finer ones, where hands and instruments show."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_mlp = (nn.LayerNorm(width) for _ in range(3))
        self.norm_detail = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads)
        self.cross_attention = Attention(width, heads)
        self.detail_attention = Attention(width, heads)
        nn.init.zeros_(self.detail_attention.out.weight)  # silent at first, as the fusion gate is
        nn.init.zeros_(self.detail_attention.out.bias)
        self.mlp = mlp(width, 2 * width, width)

    def forward(self, queries: Tensor, tokens: Tensor, detail: Tensor) -> Tensor:
        """Queries (B, K, C) to the same shape."""
        normed = self.norm_self(queries)
        queries = queries + self.self_attention(normed, normed)
        queries = queries + self.cross_attention(self.norm_cross(queries), tokens)
        queries = queries + self.detail_attention(self.norm_detail(queries), detail)
        return queries + self.mlp(self.norm_mlp(queries))


def fourier(values: Tensor, bands: int, lowest: float = 0.125) -> Tensor:
    """Sine and cosine of each value at `bands` octaves from `lowest` cycles per unit: (..., D) to (..., 2 D bands)."""
    octaves = 2.0 * torch.pi * lowest * 2.0 ** torch.arange(bands, device=values.device, dtype=values.dtype)
    angles = (values[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
