"""Object queries and the relations between them, in one forward pass and without a token loop.

Proposals come from a centre heat map (CenterNet, arXiv 1904.07850), one peak per visible object; each peak seeds a
query that looks at its own pixels, at the other queries, at the tower's tokens and at the finer map, and speaks its
class, place, extent and sterility.
A pair head reads two queries and their displacement in the levelled viewer.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from or_spatial.model.blocks import QueryLayer, conv_bn, fourier, mlp
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.glimpse import Glimpse
from or_spatial.model.optics import grid_rays, rays_through, turned

STRIDE = 4
_EIGHTH = 2  # stride-4 cells per stride-8 cell


@dataclass
class Objects:
    """What K queries say. Lengths in metres, optical frame for `center`, levelled viewer for `yaw` (sine, cosine)."""

    pixel: Tensor  # (B, K, 2) the peak, px
    center: Tensor  # (B, K, 3)
    log_sigma: Tensor  # (B, K, 2) log of the relative depth error and of the lateral error over depth
    log_size: Tensor  # (B, K, 3)
    yaw: Tensor  # (B, K, 2)
    box: Tensor  # (B, K, 4) px, x y x y
    class_logits: Tensor  # (B, K, labels)
    existence_logit: Tensor  # (B, K)
    sterile_logit: Tensor  # (B, K)
    embedding: Tensor  # (B, K, C)


def sample_at(features: Tensor, pixels: Tensor, height: int, width: int) -> Tensor:
    """Features (B, C, h, w) at pixels (B, K, 2) of the (height, width) picture: (B, K, C), nearest cell."""
    _, channels, rows, columns = features.shape
    column = ((pixels[..., 0] + 0.5) * columns / width).floor().clamp(0, columns - 1).long()
    row = ((pixels[..., 1] + 0.5) * rows / height).floor().clamp(0, rows - 1).long()
    index = (row * columns + column)[..., None].expand(-1, -1, channels)
    return features.flatten(2).transpose(1, 2).gather(1, index)


def peaks(heat: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` highest local maxima of a heat map (B, L, h, w): pixels (B, count, 2) and scores (B, count)."""
    best = heat.amax(dim=1, keepdim=True)
    local = (best * (F.max_pool2d(best, 3, 1, 1) == best).to(best.dtype)).flatten(1)
    # Rank by a rounded score, earlier cells first: torch and ONNX Runtime then choose the same peaks
    # although they add in different orders.
    order = torch.arange(local.shape[1], device=heat.device, dtype=heat.dtype)
    index = ((local * 256.0).round() - order * 2.0**-14).topk(count, dim=1).indices
    score = local.gather(1, index)
    columns = heat.shape[-1]
    row = torch.div(index, columns, rounding_mode="floor")
    cell = torch.stack([index - row * columns, row], dim=-1).to(heat.dtype)
    return STRIDE * (cell + 0.5) - 0.5, score


class GraphHead(nn.Module):
    """Heat map, queries and pairs."""

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        self.config = config
        width, labels = config.hidden_size, len(config.labels)
        quarter, eighth, _ = config.stem_channels
        self.heat = nn.Sequential(conv_bn(quarter, 48), nn.Conv2d(48, labels, 1))
        nn.init.constant_(self.heat[-1].bias, -4.0)  # almost everywhere there is no centre (RetinaNet's prior)
        self.seed = nn.Linear(quarter + eighth + width + labels, width)
        self.place = nn.Linear(2 * 3 * config.fourier_bands + 2, width)
        self.glimpse = Glimpse(width)
        self.detail = nn.Sequential(nn.Linear(eighth + 2 * 3 * config.fourier_bands, width), nn.LayerNorm(width))
        self.layers = nn.ModuleList(QueryLayer(width, config.heads) for _ in range(config.query_layers))
        self.norm = nn.LayerNorm(width)
        self.speak = mlp(width, width, 3 + 2 + 3 + 2 + 4 + labels + 1 + 1)
        self.pair = PairHead(config)

    def propose(self, fine: Tensor) -> Tensor:
        """Heat-map logits (B, labels, H/4, W/4)."""
        return self.heat(fine).float()

    def objects(
        self,
        pixels: Tensor,
        picture: Tensor,
        heat: Tensor,
        maps: tuple[Tensor, Tensor, Tensor],
        tokens: Tensor,
        log_depth: Tensor,
        intrinsics: Tensor,
    ) -> Objects:
        """Objects at the proposed pixels (B, K, 2); `maps` are features at strides 4, 8, 16.

        `picture` (B, 3, H, W) is normalised, `log_depth` (B, H/4, W/4).
        """
        height, width = self.config.image_height, self.config.image_width
        if heat.shape[-1] * STRIDE != width:  # a twin size in training
            height, width = heat.shape[-2] * STRIDE, heat.shape[-1] * STRIDE
        seen = [sample_at(m, pixels, height, width) for m in (*maps, heat)]
        log_z = sample_at(log_depth[:, None], pixels, height, width)[..., 0]
        rays = rays_through(pixels, intrinsics)
        point = rays * log_z.exp()[..., None]
        place = torch.cat([fourier(point, self.config.fourier_bands), rays[..., :2]], dim=-1)
        queries = self.seed(torch.cat(seen, dim=-1)) + self.place(place) + self.glimpse(picture, pixels)
        detail = self._detail(maps[1], log_depth, intrinsics)
        for layer in self.layers:
            queries = layer(queries, tokens, detail)
        return self._spoken(self.norm(queries), pixels, log_z, intrinsics)

    def _detail(self, eighth: Tensor, log_depth: Tensor, intrinsics: Tensor) -> Tensor:
        """Stride-8 tokens (B, H/8 * W/8, C) that know their point in space as the queries know theirs."""
        rays = grid_rays(*eighth.shape[2:], STRIDE * _EIGHTH, intrinsics)
        point = rays * log_depth[:, ::_EIGHTH, ::_EIGHTH].exp()[..., None]
        place = fourier(point.flatten(1, 2), self.config.fourier_bands)
        return self.detail(torch.cat([eighth.flatten(2).transpose(1, 2), place.to(eighth.dtype)], dim=-1))

    def _spoken(self, queries: Tensor, pixels: Tensor, log_z: Tensor, intrinsics: Tensor) -> Objects:
        labels = len(self.config.labels)
        shift, log_sigma, log_size, yaw, reach, kind, exists, sterile = (
            self.speak(queries).float().split([3, 2, 3, 2, 4, labels, 1, 1], dim=-1)
        )
        # The visible part's surface lies before the centre: depth is a correction of the map's, in log.
        depth = (log_z + shift[..., 2]).clamp(-1.5, 3.2).exp()
        focal = intrinsics[:, None, :2]
        # Offsets are in metres at the object's depth, so that near and far objects are alike.
        centre_pixel = pixels + shift[..., :2] * focal / depth[..., None]
        center = rays_through(centre_pixel, intrinsics) * depth[..., None]
        extent = F.softplus(reach) * (focal / depth[..., None]).repeat(1, 1, 2)
        box = torch.cat([pixels - extent[..., :2], pixels + extent[..., 2:]], dim=-1)
        return Objects(
            pixel=pixels,
            center=center,
            log_sigma=log_sigma.clamp(-5.0, 1.0),
            log_size=log_size.clamp(-4.0, 1.8),
            yaw=yaw,
            box=box,
            class_logits=kind,
            existence_logit=exists[..., 0],
            sterile_logit=sterile[..., 0],
            embedding=queries,
        )


class PairHead(nn.Module):
    """Logits of every ordered pair: (B, K, K, actions + 1) with `none` last, and (B, K, K, geometric)."""

    def __init__(self, config: SpatialORConfig) -> None:
        super().__init__()
        hidden = config.pair_hidden
        self.bands = config.fourier_bands
        self.actions = len(config.actions) + 1
        self.subject = nn.Linear(config.hidden_size + len(config.labels) + 4, hidden)
        self.target = nn.Linear(config.hidden_size + len(config.labels) + 4, hidden)
        self.between = nn.Linear(3 * 2 * self.bands + 3 + 4, hidden)
        self.mix = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, self.actions + len(config.geometric))

    def forward(self, objects: Objects, viewer_from_camera: Tensor, box_scale: Tensor) -> tuple[Tensor, Tensor]:
        """`box_scale` (2,) px turns box offsets into fractions of the picture."""
        levelled = turned(viewer_from_camera, objects.center)
        known = torch.cat(
            [objects.embedding, objects.class_logits.softmax(-1), objects.log_size, objects.sterile_logit[..., None]],
            dim=-1,
        )
        shift = levelled[:, :, None] - levelled[:, None]
        middle = (objects.box[..., :2] + objects.box[..., 2:]) / 2 / box_scale
        picture = middle[:, :, None] - middle[:, None]
        flat = (shift.square().sum(-1, keepdim=True) + 1e-4).sqrt()
        level = (shift[..., :2].square().sum(-1, keepdim=True) + 1e-4).sqrt()
        between = torch.cat([fourier(shift, self.bands), shift, picture, flat, level], dim=-1)
        joint = self.subject(known)[:, :, None] + self.target(known)[:, None] + self.between(between)
        logits = self.out(F.gelu(self.mix(F.gelu(joint)))).float()
        return logits[..., : self.actions], logits[..., self.actions :]
