"""Pictures of a real data set packed into the shards that training reads, and an account of what could not be.

Each shard has an account beside it (`00000.json`), so that a run that is resumed still knows what was left out. The
shards hold pictures of the data set: they are under its licence, and belong where the data set does.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.progress import Progress

from or_spatial.datasets.packed import Packed
from or_spatial.datasets.room_folders import Damage, RoomFolder
from or_spatial.datasets.room_pictures import PictureFiles, pack_picture
from or_spatial.datasets.room_reader import read_view
from or_spatial.errors import DatasetError
from or_spatial.files import write_whole
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.training.cache import SHARD, agree, write_shard

_NAMED = 5  # damaged files that the summary names


@dataclass
class Account:
    """What a training set was made of: numbers of pictures and objects, and what was left out with its reason."""

    pictures: int = 0
    with_depth: int = 0
    objects: int = 0
    placed: int = 0
    empty: int = 0
    damaged: list[str] = field(default_factory=list)

    def add(self, other: "Account") -> None:
        """Count another one in."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)

    def summary(self) -> str:
        """For people: counts, and the first damaged files by name."""
        lines = [
            f"{self.pictures} pictures with {self.objects} objects ({self.placed} of known place), "
            f"{self.with_depth} with depth; left out: {self.empty} that show nothing annotated, "
            f"{len(self.damaged)} missing or damaged"
        ]
        lines += [f"  {reason}" for reason in self.damaged[:_NAMED]]
        if len(self.damaged) > _NAMED:
            lines.append(f"  and {len(self.damaged) - _NAMED} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class Packing:
    """How pictures become shards: at most `count` at (height, width) px, drawn by `seed`; `stop` at damage or skip."""

    count: int
    height: int
    width: int
    seed: int
    stop: bool
    workers: int


def build_rooms(target: Path, source: RoomFolder, split: str, packing: Packing) -> Account:
    """Pack views of `split` into `target`, shard by shard, in a drawn order; goes on where it was interrupted.

    Raises:
        DatasetError: a file is missing or damaged and packing stops there; or nothing usable is left: never train on
            silence.
    """
    target.mkdir(parents=True, exist_ok=True)
    size = {"count": packing.count, "height": packing.height, "width": packing.width, "seed": packing.seed}
    places = {"root": str(source.root), "annotations": str(source.annotations), "cameras": list(source.cameras)}
    agree(target, {"dataset": source.dataset, "split": split, **places, **size})
    damage = Damage(packing.stop)
    found = source.pictures(split, damage)
    order = np.random.default_rng(packing.seed).permutation(len(found))[: packing.count]
    shares = [[found[k] for k in order[i : i + SHARD]] for i in range(0, len(order), SHARD)]
    _pack_all(target, shares, packing, split)
    account = Account(damaged=damage.found)
    for i in range(len(shares)):
        account.add(_read(_account(target, i)))
    if account.pictures == 0 or account.objects == 0:
        raise DatasetError(f"nothing to learn from in {source.root}, split {split}: {account.summary()}")
    return account


def _pack_all(target: Path, shares: Sequence[Sequence[PictureFiles]], packing: Packing, split: str) -> None:
    wanted = [i for i in range(len(shares)) if not _packed(target, i)]
    with Progress() as bar, ProcessPoolExecutor(packing.workers) as pool:
        task = bar.add_task(f"packing {split}", total=sum(len(shares[i]) for i in wanted))
        jobs = {pool.submit(_pack_share, target, i, shares[i], packing): i for i in wanted}
        try:
            for job in as_completed(jobs):
                job.result()
                bar.advance(task, len(shares[jobs[job]]))
        except DatasetError:
            pool.shutdown(cancel_futures=True)
            raise


def _packed(target: Path, index: int) -> bool:
    """Whether a share has its account, and its shard if anything of it was usable."""
    path = _account(target, index)
    return path.is_file() and (_read(path).pictures == 0 or path.with_suffix(".npz").is_file())


def _read(path: Path) -> Account:
    try:
        return Account(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{path} is damaged ({error}); delete it and its share will be packed again") from error


def _account(target: Path, index: int) -> Path:
    return target / f"{index:05d}.json"


def _pack_share(target: Path, index: int, share: Sequence[PictureFiles], packing: Packing) -> None:
    account, samples = Account(), []
    damage = Damage(packing.stop)
    for files in share:
        with damage.noting():
            words = load_vocabulary(files.scene.dataset)
            packed = pack_picture(read_view(files, packing.height, packing.width), words)
            _count(account, packed)
            if (packed.label >= 0).any():
                samples.append(packed)
    account.damaged = damage.found
    if samples:
        write_shard(_account(target, index).with_suffix(".npz"), samples)
    write_whole(_account(target, index), json.dumps(asdict(account), indent=1))


def _count(account: Account, packed: Packed) -> None:
    exists = packed.label >= 0
    if not exists.any():
        account.empty += 1
        return
    account.pictures += 1
    account.with_depth += int((packed.depth > 0).any())
    account.objects += int(exists.sum())
    account.placed += int((exists & np.isfinite(packed.peak).all(axis=-1)).sum())
