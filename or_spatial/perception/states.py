"""The states of all tracks as stacked arrays of which each track holds its rows.

Six cameras correct a dozen tracks thirty times a second; gathering the states and handing them out again for each
camera costs more than the filter.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception import motion_modes
from or_spatial.perception.motion_modes import Modes
from or_spatial.perception.tracks import Track

Array = NDArray[np.float64]


class States:
    """`modes`, `means` (T, 6) and `covariances` (T, 6, 6) of T tracks, in their order.

    The tracks' own `modes`, `mean` and `covariance` are views of the rows: what is corrected here has changed there.
    """

    def __init__(self, tracks: Sequence[Track], modes: Modes | None = None) -> None:
        """Of these tracks as they are, or as `modes` says they are from now on."""
        self._tracks = list(tracks)
        self.modes = Modes.stack([t.modes for t in tracks]) if modes is None else modes
        self.means, self.covariances = self.modes.combined()
        self._rows = [self.modes[i] for i in range(len(tracks))]
        for track, row, mean, covariance in zip(tracks, self._rows, self.means, self.covariances, strict=True):
            track.modes, track.mean, track.covariance = row, mean, covariance

    def are_of(self, tracks: Sequence[Track]) -> bool:
        """Whether these tracks, in this order, still hold these rows."""
        return len(tracks) == len(self._tracks) and all(
            t is own and t.modes is row for t, own, row in zip(tracks, self._tracks, self._rows, strict=True)
        )

    def correct(self, rows: list[int], measured: Array, noise: Array) -> None:
        """Correct some tracks by one position each, `measured` (K, 3) with `noise` (K, 3, 3)."""
        new = motion_modes.update(self.modes[rows], measured, noise)
        self.modes.means[rows], self.modes.covariances[rows], self.modes.weights[rows] = (
            new.means,
            new.covariances,
            new.weights,
        )
        self.means[rows], self.covariances[rows] = new.combined()
