"""Where every camera of a room stands, from what they see together: nothing but detections with labels and times.

Two cameras: all sightings of one label at one moment are candidates for one thing; consensus finds the rigid motion
that most of them agree with (RANSAC, known scale). All cameras: from those whose place is known, along the pairs that
share most; then one robust least-squares fit of all poses at once, with its covariance. Where too little is shared, the
rig is refused and not guessed.

Convention
    sightings     in the optical frame of their camera, m
    pose error    as in `pose_errors`: (shift m, turn rad) about the camera's own place, in the room's frame
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError
from or_spatial.geometry.rigid_fit import fit_rigid_robustly
from or_spatial.geometry.transforms import apply, invert, pose_matrix
from or_spatial.perception.perceiver import Detection
from or_spatial.perception.pose_errors import independent, motion_of
from or_spatial.scene.vocabulary import load_vocabulary

Array = NDArray[np.float64]

_HEAVY_TAIL = 6.0
_STEPS = 40
_STILL = 1e-5
_MOST_CANDIDATES = 4000
_PLACE_M = 1.0  # chosen: somebody who has walked this far is seen with another error


@dataclass(frozen=True, kw_only=True)
class RigConfig:
    """What the estimation assumes and when it refuses; all chosen, and checked on the world's val split.

    `within_m`: of each other are two sightings of one thing. `persistent_error_m`: of a detector at one thing that
    stays, however long it is watched. `least_pairs` sightings must agree, of `least_things` kinds or places at least
    0.5 m apart.
    `worst_m`, `worst_deg`: one standard deviation of a pose beyond which it is refused. `tilt_deg`: how well the tilt
    of a given pose is trusted (`keep_tilt`), one standard deviation.
    """

    within_m: float = 0.5
    persistent_error_m: float = 0.1
    least_pairs: int = 20
    least_things: int = 3
    worst_m: float = 0.25
    worst_deg: float = 6.0
    keep_tilt: bool = False
    tilt_deg: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Sightings:
    """S things as one camera saw them: `moment` and `label` (S,) int, `points` (S, 3) m, `covariances` (S, 3, 3)."""

    moment: NDArray[np.int64]
    label: NDArray[np.int64]
    points: Array
    covariances: Array

    def __len__(self) -> int:
        return len(self.moment)


def sightings_of(rows: Sequence[tuple[int, Detection]], vocabulary: str) -> Sightings:
    """One camera's detections, each with its moment; those whose place or doubt is not finite are left out."""
    labels = {name: i for i, name in enumerate(load_vocabulary(vocabulary).objects)}
    rows = [(m, d) for m, d in rows if np.isfinite(d.center_m).all() and np.isfinite(d.covariance_m2).all()]
    return Sightings(
        np.array([m for m, _ in rows], dtype=np.int64),
        np.array([labels.get(d.label, -1) for _, d in rows], dtype=np.int64),
        np.array([d.center_m for _, d in rows], dtype=np.float64).reshape(-1, 3),
        np.array([d.covariance_m2 for _, d in rows], dtype=np.float64).reshape(-1, 3, 3),
    )


@dataclass(frozen=True)
class CameraEstimate:
    """One camera of the estimated rig. `pairs` of sightings with other cameras agree, `rms_m` apart on average;
    `before_m` is the same for the pose that was given (NaN without one). `covariance` (6, 6) of its pose error."""

    room_from_camera: Array
    covariance: Array
    pairs: int
    rms_m: float
    before_m: float
    fixed: bool

    @property
    def sigma_m(self) -> float:
        """Standard deviation of where it stands."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))

    @property
    def sigma_deg(self) -> float:
        """Standard deviation of where it looks."""
        return math.degrees(float(np.sqrt(np.trace(self.covariance[3:, 3:]))))


@dataclass
class _Pairs:
    """K matched sightings: cameras (K,), (K,), rows (K,), (K,)."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]


@dataclass
class RigEstimator:
    """Sightings of N cameras, the poses that are known (`fixed`) and those that were given, by name."""

    sightings: Mapping[str, Sightings]
    fixed: Mapping[str, Array]
    given: Mapping[str, Array] = field(default_factory=dict)
    config: RigConfig = field(default_factory=RigConfig)

    def estimate(self) -> dict[str, CameraEstimate]:
        """Every camera's pose in the room.

        Raises:
            GeometryError: no camera is fixed, or one shares too little with the others; says which and what to do.
        """
        if not self.fixed:
            raise GeometryError("no camera has a known place: measure one by hand and name it with --fix")
        return self.described(self._refined(self._first_guess()))

    def described(self, poses: Mapping[str, Array]) -> dict[str, CameraEstimate]:
        """Residuals and doubts of a rig; raises GeometryError where one camera is known too badly."""
        now, before = self._residuals(poses), self._residuals({**poses, **self.given, **self.fixed})
        doubt = np.linalg.inv(self._held_equations(poses)[0])
        found = {}
        for k, name in enumerate(self.sightings):
            known = name in self.given or name in self.fixed
            found[name] = CameraEstimate(
                poses[name],
                doubt[6 * k : 6 * k + 6, 6 * k : 6 * k + 6],
                len(now[name]),
                _rms(now[name]),
                _rms(before[name]) if known else math.nan,
                fixed=name in self.fixed,
            )
            self._refuse(name, found[name])
        return found

    def _refuse(self, name: str, found: CameraEstimate) -> None:
        if found.fixed:
            return
        advice = "record longer, while people walk through what several cameras see, or measure this camera by hand"
        if found.pairs < self.config.least_pairs:
            raise GeometryError(
                f"{name} shares too little with the other cameras: {found.pairs} sightings agree, "
                f"{self.config.least_pairs} must; {advice}"
            )
        if found.sigma_m > self.config.worst_m or found.sigma_deg > self.config.worst_deg:
            raise GeometryError(
                f"the place of {name} remains unsure by {found.sigma_m:.2f} m and {found.sigma_deg:.1f} degrees "
                f"(limits: {self.config.worst_m} m, {self.config.worst_deg} degrees): what it shares lies too close "
                f"together; {advice}"
            )

    def _first_guess(self) -> dict[str, Array]:
        """Poses along a tree: next is always the camera that shares most with one that is placed."""
        poses = {n: np.asarray(p, dtype=np.float64) for n, p in self.fixed.items()}
        tried: dict[tuple[str, str], tuple[int, Array] | None] = {}
        while left := [n for n in self.sightings if n not in poses]:
            best: tuple[int, str, Array] | None = None
            for new in left:
                for old in [n for n in poses if n in self.sightings]:
                    if (old, new) not in tried:
                        tried[old, new] = self._relative(old, new)
                    found = tried[old, new]
                    if found is not None and (best is None or found[0] > best[0]):
                        best = (found[0], new, poses[old] @ found[1])
            if best is None:
                raise GeometryError(
                    f"{', '.join(left)} and {', '.join(n for n in self.sightings if n in poses)} see too little "
                    "together: record longer, while people walk through what several cameras see, or measure by hand"
                )
            poses[best[1]] = best[2]
        return poses

    def _relative(self, old: str, new: str) -> tuple[int, Array] | None:
        """How many sightings agree, and `old_from_new` (4, 4); None where nothing convinces."""
        A, B = self.sightings[new], self.sightings[old]
        a, b = np.nonzero((A.moment[:, None] == B.moment[None]) & (A.label[:, None] == B.label[None]))
        rng = np.random.default_rng(self.config.seed)
        if len(a) > _MOST_CANDIDATES:
            kept = np.sort(rng.choice(len(a), _MOST_CANDIDATES, replace=False))
            a, b = a[kept], b[kept]
        if len(a) < self.config.least_pairs:
            return None
        # One of several people may be any of those that the other camera sees.
        weights = 1.0 / np.maximum(np.bincount(a)[a], np.bincount(b)[b])
        turn_new, turn_old = self._levelling(new), self._levelling(old)
        points, onto = A.points[a] @ turn_new.T, B.points[b] @ turn_old.T
        about_z = self.config.keep_tilt and new in self.given and (old in self.given or old in self.fixed)
        try:
            T = fit_rigid_robustly(points, onto, self.config.within_m, rng, weights, about_z, rounds=600)
        except GeometryError:
            return None
        things = self._things(A.label[a], onto, T.inliers)
        if T.inliers.sum() < self.config.least_pairs or things < self.config.least_things:
            return None
        back = pose_matrix(turn_old.T, (0, 0, 0)) @ T.target_from_source @ pose_matrix(turn_new, (0, 0, 0))
        return int(T.inliers.sum()), back

    def _levelling(self, name: str) -> Array:
        """(3, 3) that makes z point up in this camera's frame, where its tilt is to be kept."""
        pose = self.fixed.get(name, self.given.get(name))
        return pose[:3, :3] if self.config.keep_tilt and pose is not None else np.eye(3)

    def _things(self, label: NDArray[np.int64], points: Array, which: NDArray[np.bool_]) -> int:
        """How many things or places, at least 0.5 m apart, agree."""
        cells = np.column_stack([label[which], np.floor(points[which] / 0.5).astype(int)])
        return len(np.unique(cells, axis=0))

    def _refined(self, poses: dict[str, Array]) -> dict[str, Array]:
        """All free poses at once: Gauss-Newton with a bounded say for what does not fit."""
        for _ in range(_STEPS):
            H, g = self._held_equations(poses)
            error = np.linalg.solve(H, g).reshape(-1, 6)
            poses = {n: corrected(poses[n], error[k]) for k, n in enumerate(self.sightings)} | dict(self.fixed)
            if np.abs(error).max() < _STILL:
                break
        return poses

    def _held_equations(self, poses: Mapping[str, Array]) -> tuple[Array, Array]:
        """The normal equations with what is known besides: a fixed camera does not move, a kept tilt moves little."""
        H, g = self._normal_equations(poses, self._pairs(poses))
        H += 1e-6 * np.eye(len(H))  # nothing is without any hold
        for k, name in enumerate(self.sightings):
            at = 6 * k
            if name in self.fixed:
                H[at : at + 6, at : at + 6] += 1e12 * np.eye(6)
            elif self.config.keep_tilt and name in self.given:
                tilted = Rotation.from_matrix(poses[name][:3, :3] @ self.given[name][:3, :3].T).as_rotvec()[:2]
                w = 1.0 / math.radians(self.config.tilt_deg) ** 2
                H[at + 3 : at + 5, at + 3 : at + 5] += w * np.eye(2)
                g[at + 3 : at + 5] += w * tilted
        return H, g

    def _normal_equations(self, poses: Mapping[str, Array], pairs: _Pairs) -> tuple[Array, Array]:
        """H (6N, 6N), g (6N,) of the pose errors that explain how far matched sightings are apart."""
        names = list(self.sightings)
        H, g = np.zeros((6 * len(names), 6 * len(names))), np.zeros(6 * len(names))
        begins = np.cumsum([0, *(len(s) for s in self.sightings.values())])
        share = independent(begins[pairs.i] + pairs.a, begins[pairs.j] + pairs.b, int(begins[-1]))
        for i, j in {*zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)}:
            which = (pairs.i == i) & (pairs.j == j)
            left, right = names[i], names[j]
            p, C = self._placed(left, pairs.a[which], poses)
            q, D = self._placed(right, pairs.b[which], poses)
            lasting = _looks_at_one_place(self.sightings[left].label[pairs.a[which]], p)
            lasting = lasting * self.config.persistent_error_m**2
            W = np.linalg.inv(C + D + 2.0 * lasting[:, None, None] * np.eye(3))
            fresh = np.linalg.inv(C + D + 2.0 * self.config.persistent_error_m**2 * np.eye(3))
            surprise = np.einsum("ki,kij,kj->k", p - q, fresh, p - q)
            bounded = np.minimum((_HEAVY_TAIL + 3.0) / (_HEAVY_TAIL + surprise), 1.0)
            W = W * (share[which] * bounded)[:, None, None]
            J = np.concatenate(
                [motion_of(p, poses[left][:3, 3]), -motion_of(q, poses[right][:3, 3])], axis=2
            )
            at = np.r_[6 * i : 6 * i + 6, 6 * j : 6 * j + 6]
            JW = J.transpose(0, 2, 1) @ W
            H[np.ix_(at, at)] += (JW @ J).sum(0)
            g[at] += (JW @ (p - q)[..., None]).sum(0)[:, 0]
        return H, g

    def _placed(self, name: str, rows: NDArray[np.int64], poses: Mapping[str, Array]) -> tuple[Array, Array]:
        s, R = self.sightings[name], poses[name][:3, :3]
        return apply(poses[name], s.points[rows]), R @ s.covariances[rows] @ R.T

    def _pairs(self, poses: Mapping[str, Array]) -> _Pairs:
        """Sightings of two cameras at one moment that are each other's nearest of one label, within reach."""
        names = list(self.sightings)
        parts: list[list[NDArray[np.int64]]] = [[], [], [], []]
        for i, left in enumerate(names):
            for j in range(i + 1, len(names)):
                a, b = self._matched(left, names[j], poses)
                for part, values in zip(parts, (np.full(len(a), i), np.full(len(a), j), a, b), strict=True):
                    part.append(values)
        return _Pairs(*(np.concatenate(p) if p else np.zeros(0, dtype=np.int64) for p in parts))

    def _matched(
        self, left: str, right: str, poses: Mapping[str, Array]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        A, B = self.sightings[left], self.sightings[right]
        if not len(A) or not len(B):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        p, q = apply(poses[left], A.points), apply(poses[right], B.points)
        one = (A.moment[:, None] == B.moment[None]) & (A.label[:, None] == B.label[None])
        a, b = np.nonzero(one)
        gap = np.full(one.shape, np.inf)
        gap[a, b] = np.linalg.norm(p[a] - q[b], axis=1)
        reach = 2.0 * self.config.within_m
        mutual = (gap == gap.min(1, keepdims=True)) & (gap == gap.min(0, keepdims=True)) & (gap < reach)
        return np.nonzero(mutual)

    def _residuals(self, poses: Mapping[str, Array]) -> dict[str, Array]:
        """Distances (K,) of the matched sightings that each camera takes part in, m."""
        names = list(self.sightings)
        pairs = self._pairs(poses)
        found: dict[str, list[Array]] = {n: [np.zeros(0)] for n in names}
        for i, j in {*zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)}:
            which = (pairs.i == i) & (pairs.j == j)
            p, _ = self._placed(names[i], pairs.a[which], poses)
            q, _ = self._placed(names[j], pairs.b[which], poses)
            for name in (names[i], names[j]):
                found[name].append(np.linalg.norm(p - q, axis=1))
        return {n: np.concatenate(d) for n, d in found.items()}


def _looks_at_one_place(label: NDArray[np.int64], points: Array) -> NDArray[np.int64]:
    """(K,) how many of these sightings are of the same kind at the same place: they share one lasting error."""
    places = np.column_stack([label, np.floor(points / _PLACE_M).astype(np.int64)])
    _, at, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    return counts[at.ravel()]


def corrected(room_from_camera: Array, pose_error: Array) -> Array:
    """The pose (4, 4) without its error (6,): turned back about the camera's own place and shifted back."""
    R = Rotation.from_rotvec(-pose_error[3:]).as_matrix()
    return pose_matrix(R @ room_from_camera[:3, :3], room_from_camera[:3, 3] - pose_error[:3])


def pose_difference(a: Array, b: Array) -> tuple[float, float]:
    """How far apart two poses (4, 4) stand, m, and look, degrees."""
    turn = Rotation.from_matrix((invert(a) @ b)[:3, :3]).magnitude()
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3])), math.degrees(float(turn))


def _rms(distances: Array) -> float:
    return float(np.sqrt((distances**2).mean())) if len(distances) else math.nan
