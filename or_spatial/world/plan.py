"""Which moments to draw for training: rare actions on purpose, the rest as it comes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from or_spatial.geometry.transforms import apply, invert
from or_spatial.world.rig import CAMERAS, camera_rig
from or_spatial.world.simulation import Simulation
from or_spatial.world.timeline import Action

CLIP_S = 20.0
SEEDS = 9_000_000
"""Clips are drawn from seeds below this."""
_SOUGHT_SHARE = 0.78
_SOUGHT = (
    "assisting",
    "calibrating",
    "cementing",
    "cleaning",
    "cutting",
    "drilling",
    "hammering",
    "holding",
    "manipulating",
    "preparing",
    "sawing",
    "scanning",
    "suturing",
    "touching",
)
_MODEST = {"manipulating": 0.4, "preparing": 0.4, "holding": 0.3}  # these come along anyway


@dataclass(frozen=True)
class PlannedFrame:
    """One frame to draw: split, seed of the clip, time and camera."""

    split: str
    seed: int
    time_s: float
    camera_index: int


def sample_plan(split: str, n: int, seed: int = 0) -> list[PlannedFrame]:
    """`n` frames of a split in which every action predicate has a fair share; the same seed gives the same plan.

    Clips are drawn first, then each frame looks for a predicate among what their scripts hold. Frames of one clip
    stand together, so that drawing them in order builds each room once.
    """
    rng = np.random.default_rng([77, seed])
    clips = [_clip(split, int(s)) for s in rng.integers(0, SEEDS, max(8, int(n * 0.8)))]
    found = _by_predicate(clips)
    weights = np.array([_MODEST.get(p, 1.0) for p in _SOUGHT])
    frames = []
    for _ in range(n):
        predicate = str(rng.choice(_SOUGHT, p=weights / weights.sum()))
        if rng.random() < _SOUGHT_SHARE and found.get(predicate):
            simulation, action = found[predicate][int(rng.integers(len(found[predicate])))]
            low, high = max(0.0, action.start_s), min(CLIP_S, action.end_s)
            t = float(rng.uniform(low, high))
            camera = _camera_that_sees(simulation, action, t, rng)
        else:
            simulation = clips[int(rng.integers(len(clips)))]
            t, camera = float(rng.uniform(0, CLIP_S)), int(rng.integers(CAMERAS))
        frames.append(PlannedFrame(split, simulation.seed, round(t, 3), camera))
    return sorted(frames, key=lambda f: (f.seed, f.time_s, f.camera_index))


@lru_cache(maxsize=64)  # a plan looks at its clips before they are drawn
def _clip(split: str, seed: int) -> Simulation:
    """A clip without blind cameras: there is nothing to learn from those."""
    rng = np.random.default_rng([78, seed])
    hazards = ((), ("sterile_breach",), ("collision_course",), ("near_sterile",))[
        int(rng.choice(4, p=(0.5, 0.2, 0.2, 0.1)))
    ]
    return Simulation(split, seed, CAMERAS, CLIP_S, hazards=hazards)


def planned_simulation(frame: PlannedFrame) -> Simulation:
    """The clip of a planned frame."""
    return _clip(frame.split, frame.seed)


def _by_predicate(clips: list[Simulation]) -> dict[str, list[tuple[Simulation, Action]]]:
    found: dict[str, list[tuple[Simulation, Action]]] = {}
    for simulation in clips:
        line = simulation.script.line
        for action in line.actions:
            if min(action.end_s, CLIP_S) - max(action.start_s, 0.0) > 0.3:
                found.setdefault(action.predicate, []).append((simulation, action))
        for tool, carries in line.carries.items():
            ends = [c.start_s for c in carries[1:]] + [CLIP_S]
            for carry, end in zip(carries, ends, strict=True):
                if carry.holder and min(end, CLIP_S) - max(carry.start_s, 0.0) > 0.3:
                    action = Action(carry.start_s, end, carry.holder, "holding", tool)
                    found.setdefault("holding", []).append((simulation, action))
    return found


def _camera_that_sees(simulation: Simulation, action: Action, t: float, rng: np.random.Generator) -> int:
    """A camera with the acting person or machine in its picture, if there is one; more often a near one, and one that
    sees them from the front, where hands and tool are.
    """
    at = simulation.script.line.tracks[action.subject].at(t)
    point = np.array([at.x, at.y, 1.15])
    scores = np.full(CAMERAS, 1e-3)
    for k, camera in enumerate(camera_rig(simulation.script)):
        seen = apply(invert(camera.room_from_camera), point)
        pixel = camera.at(448, 256).project(seen)
        if np.all(pixel > (20, 15)) and np.all(pixel < (428, 241)):
            aside = camera.room_from_camera[:2, 3] - point[:2]
            facing = aside @ (np.cos(at.yaw), np.sin(at.yaw)) / (np.linalg.norm(aside) + 1e-9)
            scores[k] = np.exp(1.2 * facing) / max(1.2, seen[2])
    return int(rng.choice(CAMERAS, p=scores / scores.sum()))
