"""What a run tells of itself on the way: curves for TensorBoard, and a line of `progress.jsonl` per checkpoint.

    tensorboard --logdir runs

A resumed run goes on in the same curves; what an interrupted one had drawn past its last checkpoint is taken back.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

PROGRESS = "progress.jsonl"
EVERY = 20
"""Steps between two points of a training curve."""


class Journal:
    """The curves of one run from `step` on; a context that closes them. Without TensorBoard it says so once.

    Of several processes only one writes `curves`.
    """

    def __init__(self, folder: Path, step: int, curves: bool = True) -> None:
        self._progress = folder / PROGRESS
        self._writer = _writer(folder / "tensorboard", step) if curves else None
        self._since, self._pictures = time.monotonic(), 0

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()

    def learnt(self, step: int, terms: Mapping[str, float], rate: float, pictures: int) -> None:
        """One step was taken: smoothed terms, the learning rate, and how many pictures it saw."""
        self._pictures += pictures
        if step % EVERY:
            return
        now = time.monotonic()
        self._scalars("train", terms, step)
        speed = self._pictures / max(now - self._since, 1e-9)
        self._scalars("run", {"learning_rate": rate, "pictures_per_s": speed}, step)
        self._since, self._pictures = now, 0

    def checked(self, step: int, train: Mapping[str, float], val: Mapping[str, float]) -> None:
        """A checkpoint was written. Its time is not counted as learning time."""
        self._scalars("val", val, step)
        self._progress.parent.mkdir(parents=True, exist_ok=True)
        with self._progress.open("a") as log:
            log.write(json.dumps({"step": step, "train": train, "val": val}) + "\n")
        self._since, self._pictures = time.monotonic(), 0

    def _scalars(self, part: str, values: Mapping[str, float], step: int) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(f"{part}/{name}", value, step)
            self._writer.flush()


def _writer(folder: Path, step: int) -> Any:
    """TensorBoard's writer, which hides all points after `step` that lie in the folder already; None without it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        Console(stderr=True).print(
            "TensorBoard is not installed, so there are no live curves; pip install -r requirements/train.txt",
            markup=False,
        )
        return None
    # TensorBoard reads files in the order of their names, which tell whole seconds and then a number without zeros.
    while any(folder.glob(f"events.*.{int(time.time())}.*")):
        time.sleep(0.05)
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


@dataclass(frozen=True)
class Curves:
    """Loss terms at the checkpoints of a run: `train` (smoothed) and `val` have one value per step, by term."""

    steps: tuple[int, ...]
    train: dict[str, tuple[float, ...]]
    val: dict[str, tuple[float, ...]]


def read_curves(folder: Path) -> Curves:
    """Those of the run in `folder`; where it went back to an earlier step, what came later before does not count."""
    lines: list[dict[str, Any]] = []
    for line in (folder / PROGRESS).read_text().splitlines():
        said = json.loads(line)
        lines = [one for one in lines if one["step"] < said["step"]] + [said]
    return Curves(tuple(one["step"] for one in lines), _by_term(lines, "train"), _by_term(lines, "val"))


def _by_term(lines: list[dict[str, Any]], part: str) -> dict[str, tuple[float, ...]]:
    names = dict.fromkeys(name for line in lines for name in line[part])
    return {name: tuple(line[part].get(name, float("nan")) for line in lines) for name in names}
