"""The synthetic world as a data set: drawn frames in a cache folder, read one by one."""

from collections.abc import Sequence
from pathlib import Path

from or_spatial.world.cache import load_sample, stems
from or_spatial.world.sample import FrameSample


class WorldFrames(Sequence[FrameSample]):
    """The frames of a cache in order; each is read from disk when asked for.

    Raises:
        DatasetError: the folder holds no cache, or a frame is damaged (when it is asked for).
    """

    def __init__(self, cache_dir: Path) -> None:
        self._stems = stems(cache_dir)

    def __len__(self) -> int:
        return len(self._stems)

    def __getitem__(self, index: int) -> FrameSample:
        return load_sample(self._stems[index])
