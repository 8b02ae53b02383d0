"""Who is who when people meet: several readings of one encounter are kept until one of them is plain.

One look is off by more than two who pass each other are apart, so that the nearest match, made look by look, exchanges
their names about as often as not. Where two come close, the tracker therefore follows both stories, that each went on
and that they were exchanged, and weighs them by everything that is seen from then on: whether a walker goes on walking
(both modes of `motion_modes`), gown and stature. The best story is told; the others are dropped once they are hopeless,
say the same, or the people have parted for some seconds.

Multiple hypothesis tracking, confined to people who meet: Reid, IEEE Transactions on Automatic Control 24(6), 1979;
Bar-Shalom and Li, Multitarget-Multisensor Tracking, 1995, ch. 6.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.perception import motion_modes
from or_spatial.perception.association import attire_cost, stature_cost
from or_spatial.perception.fusion import Observations
from or_spatial.perception.motion_modes import Driving, Modes
from or_spatial.perception.tracks import Track

Array = NDArray[np.float64]

# All chosen.
_CLOSE_M = 0.45  # nearer than this, four looks at once can be exchanged; farther, they cannot
_EXCHANGE_NS = 150_000_000  # so long all looks are exchanged; one alone moves nobody
_PARTED_NS = 3_000_000_000  # that long after the last closeness the best reading is final
_HOPELESS = 7.0  # nats behind the best reading: one in a thousand
_MOST = 8
_SAME_M = 0.10  # two readings that put everybody within this, at speeds within the next, say the same
_SAME_M_S = 0.25
_MISFIT = 60.0  # -2 ln: what a look costs at most, so that one stray detection decides nothing


@dataclass(frozen=True)
class _Readings:
    """H stories about K people: states (H, K, ...), log weights (H,), and the two (H, 2) whose looks are exchanged at
    present, or -1."""

    modes: Modes
    weights: Array
    exchanged: NDArray[np.int64]

    def __getitem__(self, which: object) -> "_Readings":
        return _Readings(self.modes[which], self.weights[which], self.exchanged[which])


class Encounters:
    """The people who meet, by track key, and the readings of it. Costs nothing while nobody is near anybody."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self._marks = np.zeros((0, 2))  # gown and height of each before they met
        self._close_ns = 0
        self._branched_ns = 0
        self._readings = _no_readings()

    def open(self, people: Sequence[Track], stamp_ns: int) -> None:
        """Before the looks of an update: note who is close to whom, conclude the last exchange and begin the next."""
        self._keep_only({t.key for t in people})
        near = _near(people)
        due = stamp_ns - self._branched_ns >= _EXCHANGE_NS
        if self.keys and due:
            self._conclude(stamp_ns, met=bool(near & set(self.keys)))
        for track in people:
            if track.key in near:
                self._join(track)
        if self.keys and due:
            self._branch(stamp_ns)

    def predict(self, dt_s: float, driving: Driving) -> None:
        """Carry all readings ahead; `driving` of one person."""
        if self.keys and dt_s > 0.0:
            flat = motion_modes.predict(_flat(self._readings.modes), dt_s, _repeated(driving, self._states))
            self._set_modes(_unflat(flat, self._shape))

    def take(
        self, view: Observations, pairs: list[tuple[int, int]], tracks: Sequence[Track], lag_s: float
    ) -> list[tuple[int, int]]:
        """Give the looks that `pairs` (track, detection) gave to these people to whom each reading thinks they belong.

        Returns the pairs as the best reading has them; the states of the tracks become those of that reading.
        """
        at = {t.key: i for i, t in enumerate(tracks)}
        members = [at[key] for key in self.keys]
        looks = [d for t, d in pairs if t in members]
        if not looks:
            return pairs
        flat = _flat(self._readings.modes)
        measured, noise = _as_seen(flat, view, looks, lag_s)
        cost = motion_modes.misfit(flat, measured, noise).reshape(*self._shape, len(looks))
        cost = np.minimum(cost + self._unlike(view, looks), _MISFIT)
        owners = np.array([_owners(c, e) for c, e in zip(cost, self._readings.exchanged, strict=True)])
        h, columns = np.arange(len(owners))[:, None], np.arange(len(looks))
        weights = self._readings.weights - 0.5 * cost[h, owners, columns].sum(1)
        rows, columns = h * len(self.keys) + owners, columns[None].repeat(len(owners), 0)
        at_rows = flat[rows.ravel()], measured[rows, columns].reshape(-1, 3), noise[rows, columns].reshape(-1, 3, 3)
        flat = _put(flat, rows.ravel(), motion_modes.update(*at_rows))
        self._readings = _Readings(_unflat(flat, self._shape), weights, self._readings.exchanged)
        told = owners[int(np.argmax(weights))]
        rest = [(t, d) for t, d in pairs if t not in members]
        return rest + [(members[k], d) for k, d in zip(told.tolist(), looks, strict=True)]

    def told(self) -> Iterator[tuple[int, Modes]]:
        """Key and state of everybody, as the best reading has it."""
        if self.keys:
            best = self._readings.modes[int(np.argmax(self._readings.weights))]
            yield from ((key, best[k]) for k, key in enumerate(self.keys))

    @property
    def undecided(self) -> bool:
        """Whether more than one reading is left."""
        return len(self._readings.weights) > 1

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self._readings.weights), len(self.keys)

    @property
    def _states(self) -> int:
        return len(self._readings.weights) * len(self.keys)

    def _join(self, track: Track) -> None:
        if track.key in self.keys:
            return
        self.keys.append(track.key)
        self._marks = np.concatenate([self._marks, [[track.sterile, track.height_m]]])
        readings = self._readings
        added = Modes.stack([track.modes] * len(readings.weights))
        parts = ((getattr(readings.modes, n), getattr(added, n)) for n in ("means", "covariances", "weights"))
        self._set_modes(Modes(*(np.concatenate([a, b[:, None]], 1) for a, b in parts)))

    def _keep_only(self, keys: set[int]) -> None:
        kept = [k for k, key in enumerate(self.keys) if key in keys]
        if len(kept) < len(self.keys):
            self.keys, self._marks = [self.keys[k] for k in kept], self._marks[kept]
            self._set_modes(self._readings.modes[:, kept])
            self._readings.exchanged[:] = -1  # by place in `keys`, which have moved
            if not kept:
                self._readings = _no_readings()

    def _conclude(self, stamp_ns: int, met: bool) -> None:
        """Drop what is hopeless or says the same as better; let everybody go when nobody is in doubt any more."""
        parted = stamp_ns - self._close_ns > _PARTED_NS
        self._readings = _distinct(self._readings, 1 if parted else _MOST)
        if not met and not self.undecided:
            self.keys, self._marks, self._readings = [], np.zeros((0, 2)), _no_readings()

    def _branch(self, stamp_ns: int) -> None:
        """Each reading as it is, and once more for each two who are close in it, with their looks exchanged."""
        readings = self._readings
        places = np.einsum("hkm,hkmi->hki", readings.modes.weights, readings.modes.means)[..., :2]
        gap2 = ((places[:, :, None] - places[:, None]) ** 2).sum(-1)
        h, a, b = np.nonzero(np.triu(gap2 < _CLOSE_M**2, 1))
        if not len(h):
            return
        self._close_ns = self._branched_ns = stamp_ns
        which = np.concatenate([np.arange(len(readings.weights)), h])
        exchanged = np.concatenate([np.full((len(readings.weights), 2), -1), np.stack([a, b], 1)])
        self._readings = _Readings(readings.modes[which], readings.weights[which], exchanged)

    def _unlike(self, view: Observations, looks: list[int]) -> Array:
        """(K, D): what gown and stature say against a pair; the marks are those from before they met."""
        gowns, heights = self._marks.T
        return attire_cost(gowns, view.sterile[looks]) + stature_cost(heights, view.sizes[looks, 2])

    def _set_modes(self, modes: Modes) -> None:
        self._readings = _Readings(modes, self._readings.weights, self._readings.exchanged)


def _near(people: Sequence[Track]) -> set[int]:
    """Keys of those who are close to somebody."""
    places = np.array([t.mean[:2] for t in people]).reshape(-1, 2)
    near = ((places[:, None] - places[None]) ** 2).sum(-1) < _CLOSE_M**2
    return {people[i].key for i in np.flatnonzero(near.sum(1) > 1)}  # everybody is near themselves


def _no_readings() -> _Readings:
    nobody = Modes(np.zeros((1, 0, 2, 6)), np.zeros((1, 0, 2, 6, 6)), np.zeros((1, 0, 2)))
    return _Readings(nobody, np.zeros(1), np.full((1, 2), -1))


def _owners(cost: Array, exchanged: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D,): whose look each is, at the least cost (K, D) in all; then those of the exchanged two change hands."""
    rows, columns = linear_sum_assignment(cost)
    owners = rows[np.argsort(columns)]
    a, b = exchanged
    return owners if a < 0 else np.where(owners == a, b, np.where(owners == b, a, owners))


def _distinct(readings: _Readings, most: int) -> _Readings:
    """Best first, without the hopeless and without those that say what a better one says; weights relative to the best.

    What says the same adds its weight.
    """
    order = np.argsort(-readings.weights, kind="stable")
    weights = readings.weights[order] - readings.weights[order[0]]
    order, weights = order[weights > -_HOPELESS], weights[weights > -_HOPELESS]
    states = np.einsum("hkm,hkmi->hki", readings.modes.weights[order], readings.modes.means[order])
    apart = np.abs(states[:, None] - states[None])
    same = (apart[..., :3].max((-1, -2)) < _SAME_M) & (apart[..., 3:].max((-1, -2)) < _SAME_M_S)
    kept: list[int] = []
    for i in range(len(order)):
        like = next((k for k in kept if same[k, i]), None)
        if like is not None:
            weights[like] = np.logaddexp(weights[like], weights[i])
        elif len(kept) < most:
            kept.append(i)
    return _Readings(readings.modes[order[kept]], weights[kept], np.full((len(kept), 2), -1))


def _as_seen(flat: Modes, view: Observations, looks: list[int], lag_s: float) -> tuple[Array, Array]:
    """(N, D, 3) and (N, D, 3, 3): the looks and their noise for each of N states, carried by its velocity if late."""
    measured = view.centers[looks][None].repeat(len(flat.weights), 0)
    noise = view.covariances[looks][None].repeat(len(flat.weights), 0)
    if lag_s <= 0.0:
        return measured, noise
    means, covariances = flat.combined()
    return measured + lag_s * means[:, None, 3:], noise + lag_s**2 * covariances[:, None, 3:, 3:]


def _flat(modes: Modes) -> Modes:
    return Modes(*(v.reshape(-1, *v.shape[2:]) for v in (modes.means, modes.covariances, modes.weights)))


def _unflat(modes: Modes, shape: tuple[int, int]) -> Modes:
    return Modes(*(v.reshape(*shape, *v.shape[1:]) for v in (modes.means, modes.covariances, modes.weights)))


def _put(modes: Modes, rows: NDArray[np.int64], new: Modes) -> Modes:
    parts = [v.copy() for v in (modes.means, modes.covariances, modes.weights)]
    for part, value in zip(parts, (new.means, new.covariances, new.weights), strict=True):
        part[rows] = value
    return Modes(*parts)


def _repeated(driving: Driving, times: int) -> Driving:
    return Driving(*(np.repeat(v, times, 0) for v in vars(driving).values()))
