"""The seeds of a task, one after the other or in several processes: the same results in the same order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


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
