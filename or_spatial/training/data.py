"""Batches from packed shards, with the augmentations that keep the geometry true."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from or_spatial.datasets.packed import STRIDE, Packed, read_shard, require_shards, shard_paths
from or_spatial.scene.vocabulary import Vocabulary


@dataclass
class Batch:
    """The fields of `Packed` as tensors with a leading batch axis; `geometric` is (B, N, N, predicates) float."""

    image: Tensor
    depth: Tensor
    semantic: Tensor
    intrinsics: Tensor
    viewer_from_camera: Tensor
    height: Tensor
    label: Tensor
    peak: Tensor
    center: Tensor
    size: Tensor
    yaw: Tensor
    box: Tensor
    sterile: Tensor
    action: Tensor
    geometric: Tensor
    unjudged: Tensor

    @property
    def exists(self) -> Tensor:
        """(B, N), True where a row holds an object."""
        return self.label >= 0

    @property
    def placed(self) -> Tensor:
        """(B, N), True where a row holds an object and its place in the picture is known."""
        return self.exists & torch.isfinite(self.peak).all(-1)

    def judged(self, labels: int) -> Tensor:
        """(B, labels), True where all objects of that label in the picture are placed."""
        return ((self.unjudged[:, None] >> torch.arange(labels, device=self.unjudged.device)) & 1) == 0

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(Batch)})


class Frames:
    """All packed frames of a folder in the memory of a device.

    Raises:
        DatasetError: the folder holds no shards, or one is damaged; names the file.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        self._folder, self._device = folder, device
        self._taken: set[Path] = set()
        self._tensors: dict[str, Tensor] = {}
        require_shards(folder)
        self.grow()

    def __len__(self) -> int:
        return len(self._tensors["label"]) if self._tensors else 0

    def grow(self) -> int:
        """Take up the shards that were written since; says how many frames came."""
        fresh = [path for path in shard_paths(self._folder) if path not in self._taken]
        before, found = len(self), [read_shard(path) for path in fresh]
        for name in [f.name for f in fields(Packed)] if fresh else ():
            parts = [_tensor(getattr(shard, name)).to(self._device) for shard in found]
            self._tensors[name] = torch.cat(([self._tensors[name]] if before else []) + parts)
        self._taken.update(fresh)
        return len(self) - before

    def counts(self, name: str, classes: int) -> Tensor:
        """How often each index stands in an integer field, pairs of padding left out: (classes,), on the CPU."""
        values = self._tensors[name]
        if name == "action":
            real = self._tensors["label"] >= 0
            values = values[real[:, :, None] & real[:, None, :]]
        return torch.bincount(values[values >= 0].flatten().long(), minlength=classes)[:classes].cpu()

    def batch(self, rows: np.ndarray, predicates: int) -> Batch:
        """These rows, where the frames are."""
        index = torch.from_numpy(rows).to(self._device)
        picked = {name: tensor[index] for name, tensor in self._tensors.items()}
        bits = picked["geometric"].to(torch.int64)[..., None] >> torch.arange(predicates, device=self._device)
        picked["geometric"] = (bits & 1).float()
        picked["depth"] = picked["depth"].float()
        for name in ("label", "sterile", "action", "semantic"):
            picked[name] = picked[name].long()
        return Batch(**picked)


def _tensor(values: np.ndarray) -> Tensor:
    """Torch has little use for uint16; the same bits as int16 serve."""
    return torch.from_numpy(values.view(np.int16) if values.dtype == np.uint16 else values)


def roomy(device: torch.device, folder: Path) -> torch.device:
    """Where the frames of `folder` go: to the GPU when they fit twice into what is free there, since a CPU could not
    feed it; else, and always without one, to the memory of the CPU.
    """
    if device.type != "cuda":
        return device
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(path.stat().st_size for path in shard_paths(folder))
    return device if 2 * size < free else torch.device("cpu")


def seeded(device: torch.device | str, *numbers: int) -> torch.Generator:
    """A generator that these numbers decide, such as seed, step and process: other numbers, unrelated draws."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]) >> 1)


def _rand(generator: torch.Generator, *shape: int) -> Tensor:
    """Uniform in [0, 1), drawn where the generator lives."""
    return torch.rand(shape, generator=generator, device=generator.device)


def epochs(
    frames: Frames, size: int, predicates: int, seed: int, start_step: int = 0, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Endless shuffled batches; step s is the same batch whatever step the run was resumed at.

    Of a batch of `size`, every n-th row from the k-th on for `share` (k, n): all shares together are the batch.
    """
    first, stride = share
    per_epoch = max(len(frames) // size, 1)
    step = start_step
    while True:
        order = np.random.default_rng([seed, step // per_epoch]).permutation(len(frames))
        while True:
            at = step % per_epoch
            yield frames.batch(np.sort(order[at * size : (at + 1) * size])[first::stride], predicates)
            step += 1
            if step % per_epoch == 0:
                break


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
    batch = Batch(**{f.name: getattr(batch, f.name) for f in fields(Batch)})
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
    cut = Batch(**{f.name: getattr(batch, f.name) for f in fields(Batch)})
    cut.image = batch.image[:, y, x]
    cut.depth, cut.semantic = batch.depth[:, cells_y, cells_x], batch.semantic[:, cells_y, cells_x]
    cut.intrinsics = torch.cat([batch.intrinsics[:, :2], batch.intrinsics[:, 2:] - corner], dim=1)
    cut.peak = batch.peak - corner
    cut.box = torch.minimum((batch.box - corner.repeat(2)).clamp(min=-0.5), size.repeat(2) - 0.5)
    inside = ((cut.peak > -0.5) & (cut.peak < size - 0.5)).all(-1)
    cut.label = torch.where(inside, batch.label, -1)
    return cut
