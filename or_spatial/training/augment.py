"""What training does to a batch: mirrors, windows, light, covers; all of them keep the geometry true."""

from dataclasses import replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from or_spatial.datasets.packed import STRIDE, UNKNOWN
from or_spatial.scene.vocabulary import Vocabulary
from or_spatial.training.data import Batch

# Share of a box under a cover from which a thing counts as gone, gone if its peak is hidden too, and cut.
_NOTHING_LEFT, _LITTLE_LEFT, _CUT = 0.85, 0.6, 0.1


def _rand(generator: torch.Generator, *shape: int) -> Tensor:
    """Uniform in [0, 1), drawn where the generator lives."""
    return torch.rand(shape, generator=generator, device=generator.device)


def augment(batch: Batch, words: Vocabulary, generator: torch.Generator, unknown_mount: float = 0.1) -> Batch:
    """Mirror half the batches, vary light, colour, noise and blur, and hide the mount from some.

    The generator lives where the batch does.
    """
    batch = mirror(batch, words) if _rand(generator) < 0.5 else batch
    batch.image = _recolour(batch.image, generator)
    hidden = _rand(generator, len(batch.height)) < unknown_mount
    level = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]], device=batch.height.device)
    # A camera whose mount is unknown cannot tell yaw and left from a level one only where it is steep: keep those
    # that are nearly level honest and leave the steep ones their truth.
    flat = (batch.viewer_from_camera[:, 2, 1] < -0.85) & hidden
    batch.height = torch.where(hidden[:, None], 0.0, batch.height)
    batch.viewer_from_camera = torch.where(flat[:, None, None], level, batch.viewer_from_camera)
    return batch


def mirror(batch: Batch, words: Vocabulary) -> Batch:
    """The room seen in a mirror: picture, rays, places, yaws and left against right all change together."""
    width = batch.image.shape[2]
    flip = torch.tensor([-1.0, 1.0, 1.0], device=batch.center.device)
    order = list(range(len(words.geometric)))
    if "left_of" in words.geometric:  # the vocabularies of real rooms have no geometric predicates
        left, right = words.geometric_index("left_of"), words.geometric_index("right_of")
        order[left], order[right] = right, left
    intrinsics = batch.intrinsics.clone()
    intrinsics[:, 2] = width - 1 - intrinsics[:, 2]
    box = batch.box.clone()
    box[..., 0], box[..., 2] = width - 1 - batch.box[..., 2], width - 1 - batch.box[..., 0]
    peak = batch.peak.clone()
    peak[..., 0] = width - 1 - peak[..., 0]
    return Batch(
        image=batch.image.flip(2),
        depth=batch.depth.flip(2),
        semantic=batch.semantic.flip(2),
        intrinsics=intrinsics,
        # Mirrored optical x and mirrored viewer x: the rotation between them stays a rotation.
        viewer_from_camera=batch.viewer_from_camera * flip[:, None] * flip[None, :],
        height=batch.height,
        label=batch.label,
        peak=peak,
        center=batch.center * flip,
        size=batch.size,
        yaw=torch.pi - batch.yaw,
        box=box,
        sterile=batch.sterile,
        action=batch.action,
        geometric=batch.geometric[..., order],
        unjudged=batch.unjudged,
    )


def _recolour(image: Tensor, generator: torch.Generator) -> Tensor:
    """Per picture: gain, gamma, colour cast, noise; for some, a blur."""
    count = len(image)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * _rand(generator, count, *shape)

    x = image.float() / 255.0
    x = x.pow(draw(0.75, 1.35, 1, 1, 1)) * draw(0.8, 1.2, 1, 1, 1) * draw(0.92, 1.08, 1, 1, 3)
    x = x + draw(-0.06, 0.06, 1, 1, 1)
    x = x + torch.randn(x.shape, generator=generator, device=generator.device) * draw(0.0, 0.03, 1, 1, 1)
    if _rand(generator) < 0.2:
        x = F.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    return (x.clamp(0, 1) * 255).to(torch.uint8)


def resized(batch: Batch, height: int, width: int) -> Batch:
    """The batch at a smaller picture size, for the cheap part of a curriculum; boxes, peaks and K move along."""
    rows, columns = batch.image.shape[1:3]
    if (rows, columns) == (height, width):
        return batch
    sy, sx = height / rows, width / columns
    scale = torch.tensor([sx, sy], device=batch.peak.device)
    mode = "area" if height < rows else "bilinear"
    picture = F.interpolate(batch.image.permute(0, 3, 1, 2).float(), (height, width), mode=mode)
    dense = (height // 4, width // 4)
    intrinsics = batch.intrinsics.clone()
    intrinsics[:, :2] *= scale
    intrinsics[:, 2:] = (intrinsics[:, 2:] + 0.5) * scale - 0.5
    batch = replace(batch)
    batch.image = picture.permute(0, 2, 3, 1).round().to(torch.uint8)
    batch.depth = F.interpolate(batch.depth[:, None], dense, mode="nearest")[:, 0]
    batch.semantic = F.interpolate(batch.semantic[:, None].float(), dense, mode="nearest")[:, 0].long()
    batch.intrinsics = intrinsics
    batch.peak = (batch.peak + 0.5) * scale - 0.5
    batch.box = (batch.box + 0.5) * scale.repeat(2) - 0.5
    return batch


def random_window(
    batch: Batch, height: int, width: int, zoom: tuple[float, float], generator: torch.Generator
) -> Batch:
    """A window of the pictures at a scale within `zoom`, as `height` x `width` px; one window for the whole batch.

    The scale stands for lenses of other focal lengths, the place for cameras turned elsewhere with a shifted lens.
    """
    rows, columns = batch.image.shape[1:3]
    low, high = zoom
    scale = low + (high - low) * float(_rand(generator))
    tall, wide = (min(round(n / scale / STRIDE) * STRIDE, most) for n, most in ((height, rows), (width, columns)))
    top, left = (
        int(torch.randint(0, (most - n) // STRIDE + 1, (), generator=generator, device=generator.device)) * STRIDE
        for n, most in ((tall, rows), (wide, columns))
    )
    return resized(window(batch, top, left, tall, wide), height, width)


def window(batch: Batch, top: int, left: int, rows: int, columns: int) -> Batch:
    """This part of the pictures (all multiples of STRIDE px); objects whose peak lies outside are none any more."""
    y, x = slice(top, top + rows), slice(left, left + columns)
    cells_y, cells_x = (slice(s.start // STRIDE, s.stop // STRIDE) for s in (y, x))
    corner = torch.tensor([left, top], device=batch.peak.device)
    size = torch.tensor([columns, rows], device=batch.peak.device)
    cut = replace(batch)
    cut.image = batch.image[:, y, x]
    cut.depth, cut.semantic = batch.depth[:, cells_y, cells_x], batch.semantic[:, cells_y, cells_x]
    cut.intrinsics = torch.cat([batch.intrinsics[:, :2], batch.intrinsics[:, 2:] - corner], dim=1)
    cut.peak = batch.peak - corner
    cut.box = torch.minimum((batch.box - corner.repeat(2)).clamp(min=-0.5), size.repeat(2) - 0.5)
    inside = ((cut.peak > -0.5) & (cut.peak < size - 0.5)).all(-1)
    cut.label = torch.where(inside, batch.label, -1)
    return cut


def covered(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """A plain rectangle over 5 to 25 % of some pictures (random erasing, arXiv 1708.04896): a back, an arm, a lamp.

    What lies under it has no depth and no name any more. A thing of which next to nothing is left to see is none; of
    one that lost its peak nobody says where in the picture it shows, of one that lost more, not how far it reaches.
    """
    count, rows, columns = batch.image.shape[:3]
    corner, size = _rectangles(count, rows, columns, generator)
    size = size * (_rand(generator, count) < share)[:, None]
    cells = _inside(corner // STRIDE, size // STRIDE, rows // STRIDE, columns // STRIDE)
    pixels = cells.repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    colour = (256 * _rand(generator, count, 1, 1, 3)).to(torch.uint8)
    low, high = corner[:, None], (corner + size)[:, None]
    shown = torch.minimum(batch.box[..., 2:], high - 0.5) - torch.maximum(batch.box[..., :2], low - 0.5)
    hidden = shown.clamp(min=0.0).prod(-1) / (batch.box[..., 2:] - batch.box[..., :2]).clamp(min=1.0).prod(-1)
    lost_peak = ((batch.peak > low - 0.5) & (batch.peak < high - 0.5)).all(-1)
    gone = (hidden > _NOTHING_LEFT) | (lost_peak & (hidden > _LITTLE_LEFT))
    astray = batch.exists & lost_peak & ~gone
    bits = torch.ones_like(batch.unjudged)[:, None] << batch.label.clamp(min=0)
    return replace(
        batch,
        image=torch.where(pixels[..., None], colour, batch.image),
        depth=batch.depth.masked_fill(cells, 0.0),
        semantic=batch.semantic.masked_fill(cells, UNKNOWN),
        label=batch.label.masked_fill(gone, -1),
        peak=batch.peak.masked_fill(astray[..., None], torch.nan),
        box=batch.box.masked_fill((hidden > _CUT)[..., None], torch.nan),
        unjudged=batch.unjudged | reduce(torch.bitwise_or, torch.where(astray, bits, 0).unbind(1)),
    )


def _rectangles(count: int, rows: int, columns: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Corners and sizes (x, y) in px, multiples of STRIDE, of one rectangle for each picture."""
    area = 0.05 + 0.2 * _rand(generator, count)
    wide = area + (0.7 - area) * _rand(generator, count)
    whole = torch.tensor([columns, rows], device=area.device)
    size = (torch.stack([wide, (area / wide).clamp(max=1.0)], -1) * whole / STRIDE).round().clamp(min=1.0) * STRIDE
    corner = (_rand(generator, count, 2) * (whole - size) / STRIDE).round() * STRIDE
    return corner, size


def _inside(corner: Tensor, size: Tensor, rows: int, columns: int) -> Tensor:
    """(B, rows, columns), True in the rectangle of each picture."""
    x, y = (torch.arange(n, device=corner.device) for n in (columns, rows))
    end = corner + size
    across = (x >= corner[:, :1]) & (x < end[:, :1])
    down = (y >= corner[:, 1:]) & (y < end[:, 1:])
    return down[:, :, None] & across[:, None, :]
