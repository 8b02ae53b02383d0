"""Batches from packed shards, the same ones by seed and step."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from or_spatial.datasets.packed import Packed, read_shard, require_shards, shard_paths


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
