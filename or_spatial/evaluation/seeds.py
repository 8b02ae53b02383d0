"""Clips of consecutive seeds, run one after the other or in several processes: the same results in the same order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SeededClips:
    """Which clips of a split: consecutive seeds."""

    split: str = "test"
    first_seed: int = 0
    clips: int = 20

    @property
    def seeds(self) -> range:
        """One for each clip."""
        return range(self.first_seed, self.first_seed + self.clips)


@dataclass(frozen=True)
class WatchedClips(SeededClips):
    """How long each is, how often looked at, by how many cameras."""

    duration_s: float = 120.0
    rate_hz: float = 5.0
    cameras: int = 4

    @property
    def times_s(self) -> list[float]:
        """The moments of one clip."""
        return [i / self.rate_hz for i in range(1, int(self.duration_s * self.rate_hz))]


def each_seed(
    run: Callable[[Task, int], Result],
    task: Task,
    seeds: Iterable[int],
    workers: int = 1,
    done: Callable[[], None] = lambda: None,
    chunksize: int = 1,
) -> Iterator[Result]:
    """`run(task, seed)` of every seed, in their order; `done` is called as each comes.

    With several `workers`, `run` is a function of a module, and `chunksize` seeds are handed to a process at a time.
    """
    if workers == 1:
        yield from _told((run(task, seed) for seed in seeds), done)
        return
    seeds = list(seeds)
    with ProcessPoolExecutor(workers) as pool:
        yield from _told(pool.map(run, [task] * len(seeds), seeds, chunksize=chunksize), done)


def _told(results: Iterable[Result], done: Callable[[], None]) -> Iterator[Result]:
    for result in results:
        done()
        yield result
