"""A scripted room as detectors would see it: the truth of each camera with noise, misses and dropouts; no pictures.

Boxes of bodies are measured on the meshes once a second and carried along the exact paths in between. What one
camera sees is everything in its field of view: **occlusion is not computed**, misses and dropouts stand for it. A blind
camera shows a dark picture and finds nothing; the others show noise, so that their health can be judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.clips import NS, START_NS
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.rules import RuleNoise, RulePerceiver
from or_spatial.scene import Scale, SceneGraph, SceneObject
from or_spatial.world.rig import RoomCamera, camera_rig
from or_spatial.world.samples import blinded
from or_spatial.world.simulation import Entity, Simulation, is_instrument
from or_spatial.world.splits import stream
from or_spatial.world.timeline import Pose2
from or_spatial.world.truth import oriented_box, scene_object

_KEY_S = 1.0
_IMAGE = (36, 64)
_FIELD = (448, 256)


@dataclass(frozen=True)
class Noise:
    """Position sigma = `position_m` + `range_fraction` x distance, per axis and camera; `miss` of all detections; and
    each object is lost to each camera for `dropout_s`, once in `dropout_every_s` on average (that rate is chosen)."""

    position_m: float = 0.10
    range_fraction: float = 0.03
    miss: float = 0.05
    dropout_s: float = 0.5
    dropout_every_s: float = 10.0


@dataclass(frozen=True)
class _Key:
    """An entity at a full second: its box in the frame of its own pose."""

    entity: Entity
    value: SceneObject
    local: NDArray[np.float64]


class NoisyRoom:
    """One clip; `frames(t)` and the perceiver that belongs to them, and all that is there at t: `truth(t)`."""

    def __init__(self, simulation: Simulation, noise: Noise) -> None:
        self.simulation, self.noise = simulation, noise
        self.rig: tuple[RoomCamera, ...] = camera_rig(simulation.script)[: simulation.cameras]
        given = RuleNoise(position_m=noise.position_m, range_fraction=noise.range_fraction, miss=noise.miss)
        self.perceiver = RulePerceiver(self._seen, given, simulation.seed, relations=False)
        self._key = lru_cache(maxsize=3)(self._measure)
        self.truth = lru_cache(maxsize=1)(self._truth)  # all cameras ask for the same moment

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names in order."""
        return tuple(r.name for r in self.rig)

    def _truth(self, t: float) -> SceneGraph:
        """Everything in the room at t s of the clip, without relations."""
        k = int(t / _KEY_S)
        before, after = self._key(k), self._key(k + 1)
        share = t / _KEY_S - k
        objects = tuple(self._between(key, after.get(id, key), share, t) for id, key in before.items())
        return SceneGraph(stamp_ns=START_NS + round(t * NS), scale=Scale.METRIC, model_id="truth", objects=objects)

    def frames(self, t: float) -> list[Frame]:
        """One small picture per camera; none while all are silent."""
        line, stamp_ns = self.simulation.script.line, START_NS + round(t * NS)
        if line.held("silence", t):
            return []
        blind = self.blind(t)
        frames = []
        for k, rig in enumerate(self.rig):
            rng = stream(self.simulation.split, self.simulation.seed, "noisy room", k, round(t * 1000))
            image = blinded(_IMAGE, blind[k], rng) if k in blind else rng.integers(0, 255, (*_IMAGE, 3), np.uint8)
            frames.append(Frame(rig.name, stamp_ns, image, rig.at(*_FIELD), rig.room_from_camera))
        return frames

    def blind(self, t: float) -> dict[int, str]:
        """Why which camera sees nothing at t."""
        spans = [s for s in self.simulation.script.line.spans if s.name.startswith("blind:") and s.holds(t)]
        return {int(s.name.split(":")[1]): s.name.split(":")[2] for s in spans}

    def _seen(self, frame: Frame) -> tuple[SceneGraph, None] | None:
        """What the perceiver is told for one frame, before its own noise."""
        t = (frame.stamp_ns - START_NS) / NS
        if self.names.index(frame.name) in self.blind(t):
            return None
        graph = self.truth(t)
        kept = tuple(o for o in graph.objects if not self._dropped(frame.name, o.id, t))
        return replace(graph, objects=kept), None

    def _dropped(self, camera: str, id: str, t: float) -> bool:
        starts = self._dropouts.get((camera, id))
        if starts is None:
            rng = stream(self.simulation.split, self.simulation.seed, "dropouts", camera, id)
            duration_s = self.simulation.duration_s
            starts = rng.uniform(0.0, duration_s, rng.poisson(duration_s / self.noise.dropout_every_s))
            self._dropouts[camera, id] = starts
        return bool(((starts <= t) & (t < starts + self.noise.dropout_s)).any())

    @cached_property
    def _dropouts(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        return {}

    def _measure(self, k: int) -> dict[str, _Key]:
        return dict(self._measured(k))

    def _measured(self, k: int) -> Iterator[tuple[str, _Key]]:
        for entity in self.simulation.state(min(k * _KEY_S, self.simulation.duration_s)).entities:
            box = oriented_box(entity)
            local = _turned(box.center - (entity.pose.x, entity.pose.y, entity.pose.z), -entity.pose.yaw)
            yield entity.id, _Key(entity, scene_object(entity, box, 0), local)

    def _between(self, before: _Key, after: _Key, share: float, t: float) -> SceneObject:
        pose = self._pose(before, after, share, t)
        local = (1 - share) * before.local + share * after.local
        size = (1 - share) * np.array(before.value.size_m) + share * np.array(after.value.size_m)
        center = _turned(local, pose.yaw) + (pose.x, pose.y, pose.z)
        return replace(
            before.value,
            center_m=tuple(float(v) for v in center),
            size_m=tuple(float(v) for v in size),
            yaw_rad=float((pose.yaw + np.pi) % (2 * np.pi) - np.pi),
        )

    def _pose(self, before: _Key, after: _Key, share: float, t: float) -> Pose2:
        """Exact for what has a track; tools are carried straight from one full second to the next."""
        id = before.entity.id
        if not is_instrument(id):
            return self.simulation.script.line.tracks["operating_table_1" if id == "patient_1" else id].at(t)
        a, b = before.entity.pose, after.entity.pose
        yaw = b.yaw if share >= 0.5 else a.yaw
        x, y, z = ((1 - share) * getattr(a, n) + share * getattr(b, n) for n in ("x", "y", "z"))
        return Pose2(x, y, yaw, z)


def _turned(v: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([c * v[0] - s * v[1], s * v[0] + c * v[1], v[2]])
