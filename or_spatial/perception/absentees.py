"""Who is out of all pictures, and whether somebody who appears is one of them.

A room has corners that no camera sees, and staff fetch things from there. Whoever appears gets the name of somebody
missed if that one can have walked there, wears the same gown and is as tall, and nobody else fits nearly as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception.association import attire_cost
from or_spatial.perception.tracks import Track

# All chosen.
_WALK_M_S = 1.2
_STEP_M = 0.5  # how far off the last place may be
_KNOWN_BY_MARKS_NS = 120_000_000_000
_KNOWN_BY_PLACE_NS = 10_000_000_000  # of whom neither height is known
_MISSED_NS = 1_000_000_000  # who was seen later than this is still there
_LOOK_NS = 500_000_000  # one look tells neither height nor gown for sure
_STATURE_M = 0.05  # of means of several looks
_FITS = 2.5  # -2 ln: eight centimetres, and a gown that does not differ
_PLAINLY = 3.0  # by which the next best must fit worse


@dataclass(frozen=True)
class Absentee:
    """Somebody as last seen: `place_m` (2,) on the floor, `gown`: probability of being sterile; NaN is unknown."""

    id: str
    place_m: NDArray[np.float64]
    gown: float
    height_m: float
    seen_ns: int


class Absentees:
    """Named people whose tracks have ended, by name."""

    def __init__(self) -> None:
        self._gone: dict[str, Absentee] = {}

    def remember(self, track: Track) -> None:
        """This track ends; whom it followed may come back."""
        self._gone[track.id] = _described(track)

    def forget(self, stamp_ns: int) -> None:
        """Drop those who have been away too long at `stamp_ns`: the memory stays small."""
        self._gone = {id: a for id, a in self._gone.items() if stamp_ns - a.seen_ns <= _KNOWN_BY_MARKS_NS}

    def worth_waiting(self, newcomer: Track, stamp_ns: int) -> bool:
        """Whether a better look is due before a nameless track gets a name, because it may be somebody's."""
        return bool(self._gone) and stamp_ns - newcomer.first_seen_ns < _LOOK_NS

    def recognise(self, newcomer: Track, present: Sequence[Track]) -> str:
        """Name of the one whom a nameless track must be, empty if it is a stranger or may be several.

        `present` are all named people; those of them whom nobody has lately seen may be the newcomer, too.
        """
        missed = [_described(t) for t in present if newcomer.first_seen_ns - t.last_seen_ns > _MISSED_NS]
        new = _described(newcomer)
        fits = sorted((_misfit(a, new, newcomer.first_seen_ns), a.id) for a in (*self._gone.values(), *missed))
        if not fits or fits[0][0] > _FITS or (len(fits) > 1 and fits[1][0] < fits[0][0] + _PLAINLY):
            return ""
        self._gone.pop(fits[0][1], None)
        return fits[0][1]


def _described(track: Track) -> Absentee:
    return Absentee(track.id, track.mean[:2].copy(), track.sterile, track.height_m, track.last_seen_ns)


def _misfit(absentee: Absentee, new: Absentee, appeared_ns: int) -> float:
    """-2 ln of how well gown and height fit; infinite where time or way do not allow it."""
    away_ns = appeared_ns - absentee.seen_ns
    taller = abs(absentee.height_m - new.height_m)
    if away_ns > (_KNOWN_BY_PLACE_NS if np.isnan(taller) else _KNOWN_BY_MARKS_NS):
        return np.inf
    if np.linalg.norm(absentee.place_m - new.place_m) > _STEP_M + _WALK_M_S * away_ns / 1e9:
        return np.inf
    gown = attire_cost(np.array([absentee.gown]), np.array([new.gown]))[0, 0]
    return float(gown + np.nan_to_num((taller / _STATURE_M) ** 2, nan=0.0))
