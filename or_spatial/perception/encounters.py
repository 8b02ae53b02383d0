"""Who is who when people meet: several readings of one encounter are kept until one of them is plain.

One look is off by more than two who pass each other are apart, so that the nearest match, made look by look, exchanges
their names about as often as not; and as each gets the look on their own side, it pushes two tracks apart whose people
stand in one place. Where two come close, the tracker therefore follows several stories: each look of each camera may be
either one's. They are weighed by everything that is seen from then on: whether a walker goes on walking (both modes of
`motion_modes`), gown and stature. Stories that say nearly the same become one, their mean; hopeless ones are dropped;
some seconds after people have parted what is told of them is final. A name changes hands only when another story has
become plainly likelier than the one told.

Multiple hypothesis tracking, confined to people who meet: Reid, IEEE Transactions on Automatic Control 24(6), 1979;
Bar-Shalom and Li, Multitarget-Multisensor Tracking, 1995, ch. 6; merging as in Salmond, SPIE 1305, 1990.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
_CLOSE_M = 0.9  # nearer than this, one look may be either one's: at 0.25 m of noise one in two hundred is
_PLAIN = 5.0  # nats: who may have given two looks is plain when their exchange is that much less likely
_CONVINCING = 1.5  # nats by which another reading must be likelier than the one told to take its place
_PARTED_NS = 3_000_000_000  # that long after the last closeness what is told is final
_HOPELESS = 7.0  # nats behind the best reading: one in a thousand
_MOST = 8
_SAME_M = 0.10  # two readings that put everybody within this, at speeds within the next, say the same
_SAME_M_S = 0.25
_HEDGE_M = 0.9  # readings that put nobody farther than this from where the told one does are told as one, their mean
_MISFIT = 60.0  # -2 ln: what a look costs at most, so that one stray detection decides nothing


@dataclass(frozen=True)
class _Readings:
    """H stories about K people: states (H, K, ...), log weights (H,), and the place of the one that is told."""

    modes: Modes
    weights: Array
    told: int


@dataclass(frozen=True)
class _Choices:
    """R ways to give out D looks: of which reading (R,), to whom (R, D), and at what cost in all (R,), -2 ln."""

    readings: NDArray[np.int64]
    owners: NDArray[np.int64]
    costs: Array

    def __getitem__(self, which: NDArray[np.bool_]) -> "_Choices":
        return _Choices(self.readings[which], self.owners[which], self.costs[which])


class Encounters:
    """The people who are close, by track key, and the readings of it while it is in doubt who is who: until then, and
    when it is plain again, their tracks say it all."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self._marks = np.zeros((0, 2))  # gown and height of each before they met
        self._close_ns = np.zeros(0, dtype=np.int64)  # when each was last close to somebody in any reading
        self._readings: _Readings | None = None

    def open(self, people: Sequence[Track], stamp_ns: int) -> None:
        """Before the looks of an update: let go who is in no doubt any more, and take in who is close to somebody."""
        self._keep_only({t.key for t in people})
        near = _near(people)
        if self.keys:
            self._conclude(stamp_ns, near)
        for track in people:
            if track.key in near:
                self._join(track, stamp_ns)
        if self.keys:
            self._watch(near, stamp_ns)

    def predict(self, dt_s: float, driving: Driving) -> None:
        """Carry all readings ahead; `driving` of one person."""
        if self._readings is not None and dt_s > 0.0:
            modes = self._readings.modes
            shape = modes.weights.shape[:2]
            flat = motion_modes.predict(_flat(modes), dt_s, _repeated(driving, shape[0] * shape[1]))
            self._readings = replace(self._readings, modes=_unflat(flat, shape))

    def in_doubt(self, pairs: list[tuple[int, int]], cost: Array, tracks: Sequence[Track]) -> bool:
        """Whether readings are kept of these people, or must be from now on: because two of them could exchange the
        looks that `pairs` (track, detection) give them at little `cost` (T, D), -2 ln."""
        if self._readings is not None or not self.keys:
            return self._readings is not None
        members = [i for i, t in enumerate(tracks) if t.key in self.keys]
        look = dict(pairs)
        seen = np.array([m in look for m in members])
        rows, looks = np.array(members)[seen], [look[m] for m in members if m in look]
        extra = np.zeros((len(members), len(members)))  # what the look of the second costs the first more
        extra[:, seen] = cost[np.array(members)[:, None], looks] - cost[rows, looks]
        cheap = (extra + extra.T < 2.0 * _PLAIN) & (seen[:, None] | seen)
        return bool(np.triu(cheap, 1).any())

    def take(
        self, view: Observations, pairs: list[tuple[int, int]], tracks: Sequence[Track], lag_s: float
    ) -> list[tuple[int, int]]:
        """Give the looks that `pairs` (track, detection) gave to these people to whom each reading thinks they belong.

        Returns the pairs as the told reading has them; the states of the tracks become those of that reading, see
        `told`.
        """
        at = {t.key: i for i, t in enumerate(tracks)}
        members = [at[key] for key in self.keys]
        looks = [d for t, d in pairs if t in members]
        if not looks:
            return pairs
        readings = self._readings or _as_they_are([tracks[m] for m in members])
        flat = _flat(readings.modes)
        measured, noise = _as_seen(flat, view, looks, lag_s)
        cost = motion_modes.misfit(flat, measured, noise).reshape(*readings.modes.weights.shape[:2], len(looks))
        choices = _choices(np.minimum(cost + self._unlike(view, looks), _MISFIT))
        weights = readings.weights[choices.readings] - 0.5 * choices.costs
        hopeful = weights > weights.max() - _HOPELESS
        choices, weights = choices[hopeful], weights[hopeful]
        told = _told(weights, choices.readings == readings.told)
        self._readings = _distinct(_Readings(_corrected(readings.modes, choices, measured, noise), weights, told))
        rest = [(t, d) for t, d in pairs if t not in members]
        return rest + [(members[k], d) for k, d in zip(choices.owners[told].tolist(), looks, strict=True)]

    def tell(self) -> dict[int, Modes]:
        """State by key of everybody of whom readings are kept; once there is but one, it is kept no longer."""
        if self._readings is None:
            return {}
        told = _between(self._readings)
        if not self.undecided:
            self._readings = None
        return {key: told[k] for k, key in enumerate(self.keys)}

    @property
    def undecided(self) -> bool:
        """Whether more than one reading is left."""
        return self._readings is not None and len(self._readings.weights) > 1

    def _join(self, track: Track, stamp_ns: int) -> None:
        if track.key in self.keys:
            return
        self.keys.append(track.key)
        self._close_ns = np.append(self._close_ns, stamp_ns)
        self._marks = np.concatenate([self._marks, [[track.sterile, track.height_m]]])
        if self._readings is not None:
            modes = self._readings.modes
            added = Modes.stack([track.modes] * len(modes.weights))
            parts = ((getattr(modes, n), getattr(added, n)) for n in ("means", "covariances", "weights"))
            modes = Modes(*(np.concatenate([a, b[:, None]], 1) for a, b in parts))
            self._readings = replace(self._readings, modes=modes)

    def _keep_only(self, keys: set[int]) -> None:
        kept = [k for k, key in enumerate(self.keys) if key in keys]
        if len(kept) == len(self.keys):
            return
        self.keys = [self.keys[k] for k in kept]
        self._marks, self._close_ns = self._marks[kept], self._close_ns[kept]
        if self._readings is not None:
            self._readings = replace(self._readings, modes=self._readings.modes[:, kept]) if kept else None

    def _conclude(self, stamp_ns: int, near: set[int]) -> None:
        """What is told of those who have long parted is final; who is neither close to anybody nor in doubt may go."""
        sure = np.ones(len(self.keys), dtype=bool)
        if self._readings is not None:
            self._readings, sure = _settled(self._readings, stamp_ns - self._close_ns > _PARTED_NS)
        self._keep_only({key for key, plain in zip(self.keys, sure.tolist(), strict=True) if key in near or not plain})

    def _watch(self, near: set[int], stamp_ns: int) -> None:
        """Note who is close to somebody, in any reading."""
        close = np.array([key in near for key in self.keys])
        if self._readings is not None:
            places = _states(self._readings)[..., :2]
            gap2 = ((places[:, :, None] - places[:, None]) ** 2).sum(-1)
            close |= ((gap2 < _CLOSE_M**2).sum(-1) > 1).any(0)  # everybody is close to themselves
        self._close_ns[close] = stamp_ns

    def _unlike(self, view: Observations, looks: list[int]) -> Array:
        """(K, D): what gown and stature say against a pair; the marks are those from before they met."""
        gowns, heights = self._marks.T
        return attire_cost(gowns, view.sterile[looks]) + stature_cost(heights, view.sizes[looks, 2])


def _near(people: Sequence[Track]) -> set[int]:
    """Keys of those who are close to somebody."""
    places = np.array([t.mean[:2] for t in people]).reshape(-1, 2)
    near = ((places[:, None] - places[None]) ** 2).sum(-1) < _CLOSE_M**2
    return {people[i].key for i in np.flatnonzero(near.sum(1) > 1)}  # everybody is near themselves


def _as_they_are(people: Sequence[Track]) -> _Readings:
    """The one reading of people of whom nothing is in doubt yet."""
    return _Readings(Modes.stack([Modes.stack([t.modes for t in people])]), np.zeros(1), 0)


def _told(weights: Array, before: NDArray[np.bool_]) -> int:
    """Place of the reading to tell: the likeliest that goes on from what was told `before`, unless another is likelier
    by so much that names should change."""
    told, best = int(np.argmax(np.where(before, weights, -np.inf))), int(np.argmax(weights))
    return best if weights[best] - weights[told] > _CONVINCING else told


def _choices(cost: Array) -> _Choices:
    """What each of H readings may make of the looks by their cost (H, K, D): the cheapest way, and that with the looks
    of any two exchanged unless it costs plainly more."""
    readings, people, looks = cost.shape
    owners = np.empty((readings, looks), dtype=np.int64)
    for h, table in enumerate(cost):
        rows, columns = linear_sum_assignment(table)
        owners[h, columns] = rows
    h, d = np.arange(readings), np.arange(looks)
    least = cost[h[:, None], owners, d].sum(1)
    a, b = (v[:, None] for v in np.triu_indices(people, 1))
    one, other = owners[:, None] == a, owners[:, None] == b
    exchanged = np.where(one, b, np.where(other, a, owners[:, None]))
    dear = cost[h[:, None, None], exchanged, d].sum(-1)
    i, pair = np.nonzero((one | other).any(-1) & (dear - least[:, None] < 2.0 * _PLAIN))
    return _Choices(
        np.concatenate([h, i]), np.concatenate([owners, exchanged[i, pair]]), np.concatenate([least, dear[i, pair]])
    )


def _corrected(modes: Modes, choices: _Choices, measured: Array, noise: Array) -> Modes:
    """(R, K, ...): of every choice its reading, corrected by the looks as it gives them out."""
    people, looks = modes.weights.shape[1], np.arange(choices.owners.shape[1])
    before = choices.readings[:, None] * people + choices.owners
    after = np.arange(len(before))[:, None] * people + choices.owners
    seen = measured[before, looks].reshape(-1, 3), noise[before, looks].reshape(-1, 3, 3)
    new = motion_modes.update(_flat(modes)[before.ravel()], *seen)
    return _unflat(_put(_flat(modes[choices.readings]), after.ravel(), new), (len(before), people))


def _between(readings: _Readings) -> Modes:
    """(K, ...): the mean of the told reading and of those that put nobody far from where it does."""
    if len(readings.weights) == 1:
        return readings.modes[0]
    places = _states(readings)[..., :2]
    off2 = ((places - places[readings.told]) ** 2).sum(-1).max(-1)
    like = off2 < _HEDGE_M**2
    return _merged(readings.modes[like], readings.weights[like])[0]


def _settled(readings: _Readings, final: NDArray[np.bool_]) -> tuple[_Readings, NDArray[np.bool_]]:
    """Without those that say another thing than the one told about people of whom it is `final` (K,); and of whom the
    others say the same (K,)."""
    states = _states(readings)
    like = _alike(states, states[readings.told])
    kept = ~(final & ~like).any(-1)
    if kept.all():
        return readings, like.all(0)
    told = int(kept[: readings.told].sum())
    return _Readings(readings.modes[kept], readings.weights[kept], told), like[kept].all(0)


def _states(readings: _Readings) -> Array:
    """(H, K, 6)."""
    return np.einsum("hkm,hkmi->hki", readings.modes.weights, readings.modes.means)


def _alike(states: Array, others: Array) -> NDArray[np.bool_]:
    """Whether two readings say the same of each of K people, by states (..., K, 6)."""
    apart = np.abs(states - others)
    return (apart[..., :3].max(-1) < _SAME_M) & (apart[..., 3:].max(-1) < _SAME_M_S)


def _distinct(readings: _Readings) -> _Readings:
    """The likeliest, best first; those that say nearly the same are one. Weights relative to the best."""
    if len(readings.weights) == 1:
        return readings
    order = np.argsort(-readings.weights, kind="stable")
    weights = readings.weights[order] - readings.weights[order[0]]
    states = _states(readings)[order]
    same = _alike(states[:, None], states[None]).all(-1)
    groups: list[list[int]] = []
    for i in range(len(order)):
        like = next((g for g in groups if same[g[0], i]), None)
        if like is not None:
            like.append(i)
        else:
            groups.append([i])
    groups = groups[:_MOST]
    told = next((k for k, group in enumerate(groups) if readings.told in order[group]), 0)
    first = [group[0] for group in groups]
    modes, merged = readings.modes[order[first]], weights[first]
    for k, group in enumerate(groups):
        if len(group) > 1:
            one, merged[k] = _merged(readings.modes[order[group]], weights[group])
            modes.means[k], modes.covariances[k], modes.weights[k] = one.means, one.covariances, one.weights
    return _Readings(modes, merged - merged.max(), told)


def _merged(modes: Modes, weights: Array) -> tuple[Modes, float]:
    """One reading in the place of several (N, K, ...) that say nearly the same, and its weight."""
    total = float(np.logaddexp.reduce(weights))
    shares = np.exp(weights - total)[:, None, None] * modes.weights  # (N, K, M)
    whole = shares.sum(0)
    part = shares / whole
    means = (part[..., None] * modes.means).sum(0)
    off = modes.means - means
    spread = modes.covariances + off[..., :, None] * off[..., None, :]
    return Modes(means, (part[..., None, None] * spread).sum(0), whole), total


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
