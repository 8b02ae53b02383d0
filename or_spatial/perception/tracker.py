"""Detections of any number of cameras become one scene graph with identities that last.

`SceneTracker.update` reads as the algorithm: choose the frames that may speak, carry the tracks to each frame's time,
match, correct, give birth, weigh what was not seen, merge doubles, forget, relate. One class, no ROS, no clock of its
own: time comes with the frames.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception import motion_modes
from or_spatial.perception.absentees import Absentees
from or_spatial.perception.association import assign, attire_cost, pair_cost
from or_spatial.perception.camera_agreement import CameraAgreement
from or_spatial.perception.camera_health import CameraHealth
from or_spatial.perception.doubles import Together, find_doubles, hidden_from, in_view
from or_spatial.perception.encounters import Encounters
from or_spatial.perception.fusion import Observations, graph_from_camera, observe_all
from or_spatial.perception.graph_writer import GraphWriter, Room
from or_spatial.perception.labels import Labels
from or_spatial.perception.motion_modes import Driving, Modes
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.perception.relations_fusion import Evidence
from or_spatial.perception.states import States
from or_spatial.perception.tracker_config import TrackerConfig, driving_of, motion_of
from or_spatial.perception.tracks import Track, born
from or_spatial.scene.graph import CameraStatus, Scale, SceneGraph, Source
from or_spatial.scene.objects import Category
from or_spatial.scene.vocabulary import load_vocabulary

_log = logging.getLogger(__name__)
_NS = 1_000_000_000
_EYE = np.eye(3)
_GONE = -2.0  # log-odds below which a track is forgotten: 0.12
_BESIDE_DOUBT = 2.0  # log-odds, chosen: with a detection of 0.95, two more sightings before it is told
_HIDDEN = 1.0 / 6.0  # of the fading while in plain view


class SceneTracker:
    """Turns perceptions into graphs; one per room, not to be shared between threads."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        vocabulary = load_vocabulary(self.config.vocabulary)
        self.labels = Labels(vocabulary)
        self.health = CameraHealth(self.config.cameras, self.config.health, self.config.health is not None)
        self.agreement = CameraAgreement(self.config.agreement, self.config.floor_error_m)
        self.writer = GraphWriter(self.config, self.labels, vocabulary.actions)
        self._numbers: Counter[str] = Counter()
        self._keys = itertools.count()
        self.reset()

    def reset(self) -> None:
        """Forget the room, as after a jump back in time. Ids go on counting: nobody inherits another's name."""
        self.tracks: list[Track] = []
        self._states = States([])
        self.together = Together()
        self.encounters = Encounters()
        self.absentees = Absentees()
        self.stamp_ns = 0
        self.health.reset()
        self.agreement.reset()
        self.writer.reset()
        self._frame_ns: dict[str, int] = {}
        self._pose: dict[str, NDArray[np.float64]] = {}
        self._lone_camera = ""  # without any pose, one camera's own frame is the world
        self._lone_frame_id = ""
        self._scale = Scale.UNKNOWN

    def update(self, frames: Sequence[Frame], perceptions: Sequence[Perception], stamp_ns: int) -> SceneGraph:
        """Take in what the cameras saw and return the room at `stamp_ns` (the newest image's acquisition time).

        `perceptions` belong to `frames` in the same order. Frames that were taken in before, or are too late, or come
        from a blind camera, change nothing but the camera's health. No frames at all: the room is carried forward.

        Raises:
            ValueError: not as many perceptions as frames.
        """
        if len(frames) != len(perceptions):
            raise ValueError(f"one perception per frame is expected, got {len(perceptions)} for {len(frames)} frames")
        self._restart_if_time_jumped(stamp_ns)
        stamp_ns = max(stamp_ns, self.stamp_ns)
        before_ns = self.stamp_ns or stamp_ns
        seen = self._observations(frames, perceptions, stamp_ns)
        self.encounters.open([t for t in self.tracks if t.id and self._is_staff(t)], stamp_ns)
        matches = [self._take_in(view) for _, view in seen]
        self.agreement.look([view for _, view in seen], matches, stamp_ns)
        self._advance(stamp_ns)
        self._weigh_absence([view for _, view in seen], (stamp_ns - before_ns) / _NS)
        self._merge_doubles(stamp_ns)
        self._forget_and_name(stamp_ns)
        evidence = self._evidence(seen, matches)
        room = Room(stamp_ns, self._frame_id(), self._scale, self._sources(stamp_ns), *self._viewer())
        return self.writer.write(self._shown(), evidence, room)

    def _restart_if_time_jumped(self, stamp_ns: int) -> None:
        if not self.stamp_ns:
            return
        ahead_s = (stamp_ns - self.stamp_ns) / _NS
        if ahead_s < -self.config.jump_back_s or ahead_s > self.config.forget_after_s:
            _log.warning("time jumped by %+.1f s to %d ns: the room is tracked anew", ahead_s, stamp_ns)
            self.reset()

    def _observations(
        self, frames: Sequence[Frame], perceptions: Sequence[Perception], stamp_ns: int
    ) -> list[tuple[Perception, Observations]]:
        """The frames that may speak, oldest first, with their usable detections in the graph's frame."""
        usable: list[tuple[Frame, Perception, NDArray[np.float64]]] = []
        for frame, perception in sorted(zip(frames, perceptions, strict=True), key=lambda pair: pair[0].stamp_ns):
            status = self.health.look(frame)
            late_s = (stamp_ns - frame.stamp_ns) / _NS
            if frame.stamp_ns <= self._frame_ns.get(frame.name, -1) or late_s > self.config.late_after_s:
                continue
            self._frame_ns[frame.name] = frame.stamp_ns
            lone = self._lone_camera
            pose = self._graph_from_camera(frame)
            if lone and not self._lone_camera:
                usable.clear()  # seen from a camera's own frame a moment ago, which the graph has left
            if status.sees and pose is not None:
                usable.append((frame, perception, pose))
        views = observe_all(usable, self.labels, self.config)
        return [(p, self.agreement.temper(view)) for (_, p, _), view in zip(usable, views, strict=True)]

    def _sources(self, stamp_ns: int) -> tuple[Source, ...]:
        """Every camera and its health; one that sees, but not where the others do, DISAGREES."""
        return tuple(
            replace(s, status=CameraStatus.DISAGREES)
            if s.status == CameraStatus.OK and s.camera in self.agreement.told
            else s
            for s in self.health.sources(stamp_ns)
        )

    def _graph_from_camera(self, frame: Frame) -> NDArray[np.float64] | None:
        """Pose in the graph's frame. The room wins as soon as one camera knows its place in it."""
        pose = graph_from_camera(frame) if frame.camera is not None else None
        if pose is not None:
            if self._lone_camera:
                _log.info("camera %s knows its place: the graph moves from a camera's frame to the room", frame.name)
                self.tracks, self._lone_camera = [], ""
            self._pose[frame.name] = pose
            self._scale = Scale.METRIC
            return pose
        if self._pose or self._lone_camera not in ("", frame.name):
            return None
        self._lone_camera = frame.name
        self._lone_frame_id = frame.frame_id or f"{frame.name}_optical_frame"
        self._scale = Scale.RELATIVE if frame.camera is None else Scale.UNKNOWN
        return np.eye(4)

    def _take_in(self, view: Observations) -> dict[int, int]:
        """One camera's detections: match, correct, give birth. Returns track key by place in the perception."""
        lag_s = self._advance(view.stamp_ns)
        pairs, cost = self._match(view, lag_s)
        pairs = self._correct(view, pairs, cost, lag_s)
        taken = {d for _, d in pairs}
        matches = {int(view.index[d]): self.tracks[t].key for t, d in pairs}
        doubted = self.encounters.keys if self.encounters.undecided else ()
        for t, d in pairs:
            self.tracks[t].see(view, d)
            if self.tracks[t].key not in doubted:
                self.tracks[t].measure(float(view.sizes[d, 2]))
        for d in range(len(view)):
            if d not in taken and len(self.tracks) < self.config.max_tracks:
                matches[int(view.index[d])] = self._give_birth(view, d).key
        seen = [t for t in self.tracks if t.seen_by.get(view.camera) == view.stamp_ns]
        self.together.note(seen, view.stamp_ns)
        for track in self.tracks:
            if track.seen_by.get(view.camera) != view.stamp_ns:
                track.boxes.pop(view.camera, None)
        return matches

    def _advance(self, stamp_ns: int) -> float:
        """Carry all tracks to `stamp_ns`; returns by how much a late frame lags behind them, s."""
        lag_s = max(self.stamp_ns - stamp_ns, 0) / _NS
        dt_s = (stamp_ns - self.stamp_ns) / _NS if self.stamp_ns else 0.0
        self.stamp_ns = max(stamp_ns, self.stamp_ns)
        if dt_s > 0 and self.tracks:
            driving = _driving(tuple((t.label(self.labels), self._category(t)) for t in self.tracks))
            self._states = States(self.tracks, motion_modes.predict(self._current().modes, dt_s, driving))
            self.encounters.predict(dt_s, _driving((("person", Category.PERSON),)))
        return lag_s

    def _match(self, view: Observations, lag_s: float) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
        """Pairs (track, detection), and the cost (T, D) of every other one."""
        if not self.tracks or not len(view):
            return [], np.zeros((len(self.tracks), len(view)))
        states = self._current()
        # What watching does not average out separates two cameras' opinions of one place, too.
        covariances = states.covariances[:, :3, :3] + self.config.floor_error_m**2 * _EYE
        places = states.means[:, :3] - lag_s * states.means[:, 3:]
        beliefs = np.array([t.belief for t in self.tracks])
        agreement = self.labels.agreement(beliefs, view.beliefs)
        cost = pair_cost(places, covariances, view.centers, view.covariances, agreement)
        cost += attire_cost(np.array([t.sterile for t in self.tracks]), view.sterile)
        return assign(cost), cost

    def _correct(
        self, view: Observations, pairs: list[tuple[int, int]], cost: NDArray[np.float64], lag_s: float
    ) -> list[tuple[int, int]]:
        """Correct what was seen; returns the pairs as they are told, which readings of an encounter may exchange."""
        if not pairs:
            return []
        meeting = set(self.encounters.keys) if self.encounters.in_doubt(pairs, cost, self.tracks) else ()
        alone = [(t, d) for t, d in pairs if self.tracks[t].key not in meeting]
        if alone:
            self._correct_alone(view, alone, lag_s)
        if len(alone) == len(pairs):
            return pairs
        pairs = self.encounters.take(view, pairs, self.tracks, lag_s)
        self._tell_encounters()
        return pairs

    def _tell_encounters(self) -> None:
        """The states of those of whom readings are kept become what these say together."""
        told = self.encounters.tell()
        met = [t for t in self.tracks if t.key in told]
        if met:
            States(met, Modes.stack([told[t.key] for t in met]))

    def _correct_alone(self, view: Observations, pairs: list[tuple[int, int]], lag_s: float) -> None:
        rows, d = [t for t, _ in pairs], [d for _, d in pairs]
        states, measured, noise = self._current(), view.centers[d], view.covariances[d]
        if lag_s:
            measured += lag_s * states.means[rows, 3:]
            noise += lag_s**2 * states.covariances[rows, 3:, 3:]
        states.correct(rows, measured, noise)

    def _give_birth(self, view: Observations, d: int) -> Track:
        """A new track; where another of its kind already is, it must show itself more often to be believed."""
        doubt = _BESIDE_DOUBT if self._has_neighbour(view, d) else 0.0
        track = born(next(self._keys), view, d, self.config.first_doubt)
        track.log_odds -= doubt
        self.tracks.append(track)
        return track

    def _has_neighbour(self, view: Observations, d: int) -> bool:
        """Whether a track of this kind is close by that this camera does not see as another thing in the same image."""
        unseen = [t for t in self.tracks if t.seen_by.get(view.camera) != view.stamp_ns]
        near = [t for t in unseen if np.linalg.norm(t.mean[:3] - view.centers[d]) < self.config.merge_within_m]
        if not near:
            return False
        return bool((self.labels.agreement(np.array([t.belief for t in near]), view.beliefs[d][None]) > 0.3).any())

    def _weigh_absence(self, views: list[Observations], dt_s: float) -> None:
        """What no camera saw in this update fades: fast where it was in plain view, slowly where it may be hidden."""
        if not self.tracks or dt_s <= 0:
            return
        missed = [t for t in self.tracks if not any(t.seen_by.get(v.camera) == v.stamp_ns for v in views)]
        if not missed:
            return
        places = np.array([t.mean[:3] for t in missed])
        plain = np.zeros(len(missed), dtype=bool)
        for view in views:
            plain |= in_view(places, view) & ~hidden_from(places, view)
        for track, seen in zip(missed, plain, strict=True):
            fades = motion_of(track.label(self.labels), self._category(track)).fades_per_s
            track.miss(fades * (1.0 if seen else _HIDDEN), min(dt_s, 1.0))

    def _merge_doubles(self, stamp_ns: int) -> None:
        self.together.forget(stamp_ns)
        gone = find_doubles(self.tracks, self.labels, self.config, self.together)
        self.tracks = [t for i, t in enumerate(self.tracks) if i not in gone]

    def _forget_and_name(self, stamp_ns: int) -> None:
        for track in self.tracks:
            if track.log_odds <= _GONE and track.id and self._is_staff(track):
                self.absentees.remember(track)
        self.absentees.forget(stamp_ns)
        self.tracks = [t for t in self.tracks if t.log_odds > _GONE]
        for track in [t for t in self.tracks if not t.id and t.existence >= self.config.confirm_existence]:
            if self._is_staff(track) and self.absentees.worth_waiting(track, stamp_ns):
                continue
            known = self._recognised(track)
            self.tracks = [t for t in self.tracks if not known or t.id != known]
            track.id = known or self._new_name(track)

    def _recognised(self, track: Track) -> str:
        """Name of the one who comes back, if it is plain who; beside somebody it may be that one's double."""
        if not self._is_staff(track):
            return ""
        present = [t for t in self.tracks if t.id and self._is_staff(t)]
        if any(np.linalg.norm(t.mean[:3] - track.mean[:3]) < self.config.merge_within_m for t in present):
            return ""
        return self.absentees.recognise(track, present)

    def _new_name(self, track: Track) -> str:
        label = track.label(self.labels) or "object"
        self._numbers[label] += 1
        return f"{label}_{self._numbers[label]}"

    def _evidence(self, seen: list[tuple[Perception, Observations]], matches: list[dict[int, int]]) -> Evidence:
        """Relation evidence of all cameras on the tracks that the graph will show."""
        shown = {t.key: i for i, t in enumerate(self._shown())}
        predicates = self.writer.predicates
        evidence = Evidence.none(len(shown), len(predicates.names))
        for (perception, view), match in zip(seen, matches, strict=True):
            track_of = np.full(len(perception.detections), -1)
            for detection, key in match.items():
                track_of[detection] = shown.get(key, -1)
            unsaid = (self.writer.memory.spoken, self.config.unsaid_probability)
            skip = () if view.camera == self._viewer_name() else predicates.directional
            evidence.add(perception.relations, track_of, predicates, unsaid, skip)
        return evidence

    def _shown(self) -> list[Track]:
        return [t for t in self.tracks if t.id and t.existence >= self.config.show_existence]

    def _viewer_name(self) -> str:
        if self._lone_camera:
            return self._lone_camera
        if self.config.viewer:
            return self.config.viewer
        configured = [c for c in self.config.cameras if c in self._pose]
        return next(iter(configured or self._pose), "")

    def _viewer(self) -> tuple[str, NDArray[np.float64] | None]:
        name = self._viewer_name()
        return name, self._pose.get(name)

    def _frame_id(self) -> str:
        return self._lone_frame_id if self._lone_camera else self.config.world_frame

    def _category(self, track: Track) -> int:
        return self.labels.categories[int(np.argmax(track.belief))]

    def _is_staff(self, track: Track) -> bool:
        return track.label(self.labels) == "person"

    def _current(self) -> States:
        """The states of all tracks, stacked anew where tracks came, went or got another state."""
        if not self._states.are_of(self.tracks):
            self._states = States(self.tracks)
        return self._states


@lru_cache(maxsize=256)
def _driving(kinds: tuple[tuple[str, Category], ...]) -> Driving:
    """How tracks of these labels and categories move."""
    return driving_of([motion_of(label, category) for label, category in kinds])
