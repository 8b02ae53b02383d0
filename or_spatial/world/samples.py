"""From a moment of a clip to a labelled picture: what a camera sees, and the truth of just that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert
from or_spatial.scene.graph import CameraStatus, SceneGraph, Source
from or_spatial.scene.objects import Box2D
from or_spatial.world.hazard_truth import hazards_at
from or_spatial.world.light import Lighting
from or_spatial.world.light_plan import room_light
from or_spatial.world.motion import moved_while_open
from or_spatial.world.parts import Solid
from or_spatial.world.plan import PlannedFrame, planned_simulation, sample_plan
from or_spatial.world.raycasting import TriangleRoom
from or_spatial.world.renderer import Quality, Rendering, render, visibility_alone
from or_spatial.world.rig import RoomCamera, camera_rig
from or_spatial.world.sample import FrameSample, ObjectView
from or_spatial.world.sensor import expose
from or_spatial.world.simulation import TOOL_LABELS, Simulation, WorldState
from or_spatial.world.splits import stream
from or_spatial.world.truth import Bodies, pair_facts, truth_graph

__all__ = [
    "Painter",
    "PlannedFrame",
    "View",
    "glance",
    "graph_of",
    "legible_least",
    "look",
    "render_planned",
    "render_sample",
    "sample_of",
    "sample_plan",
]

MODEL_PIXELS = 448 * 256
"""Pixel limits are meant at this image size and scale with the area of others."""
FULL = Quality()
Painter = Callable[[Sequence[Solid], Lighting, Camera, NDArray[np.float64]], Rendering]
"""Another renderer than `renderer.render` at a quality: what draws solids under a light from a camera's pose."""
LEAST_PX = 12
LEAST_TOOL_PX = 6
LEAST_FRACTION = 0.05
_STATUS = {None: CameraStatus.OK, "dark": CameraStatus.DARK, "covered": CameraStatus.COVERED}


@dataclass(frozen=True)
class View:
    """One camera's picture of a moment, with what it shows of each entity."""

    index: int
    rig: RoomCamera
    camera: Camera
    image: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    instance: NDArray[np.int16]
    views: tuple[ObjectView, ...]
    tool_px: dict[str, int] = field(default_factory=dict)

    @property
    def keep(self) -> set[str]:
        """Ids of what is visible enough to count."""
        return {v.object_id for v in self.views}

    @property
    def legible(self) -> set[str]:
        """Ids of the instruments that show enough pixels at the model's input size for an action label to count."""
        least = legible_least(self.camera.width, self.camera.height)
        return {id for id, px in self.tool_px.items() if px >= least}

    def boxes(self) -> dict[str, Box2D]:
        """The box of each visible object in this camera's picture."""
        return {v.object_id: Box2D(self.rig.name, *v.box_xyxy, 1.0) for v in self.views}


def legible_least(width: int, height: int) -> float:
    """Pixels that an instrument must show in a picture of this size for an action label to count."""
    return LEAST_TOOL_PX * width * height / MODEL_PIXELS


def look(
    simulation: Simulation,
    state: WorldState,
    camera_index: int,
    width: int,
    height: int,
    quality: Quality = FULL,
    occlusion: bool = True,
    fov_rad: float | None = None,
    painter: Painter | None = None,
) -> View:
    """Draw one camera's picture of a state; noise depends on clip, camera and time only.

    `fov_rad` puts another lens on the camera, of this horizontal field of view. Without `occlusion` it is measured
    only where it decides whether a thing counts, and NaN elsewhere: training has no use for it, and it costs a fifth
    of a frame. A `painter` draws in place of our own renderer.
    """
    rig = camera_rig(simulation.script)[camera_index]
    rig = rig if fov_rad is None else replace(rig, horizontal_fov_rad=fov_rad)
    camera = rig.at(width, height)
    rng = stream(simulation.split, simulation.seed, "noise", camera_index, int(round(state.time_s * 1000)))
    if how := state.blind.get(camera_index):
        nothing = np.full((height, width), -1, np.int16)
        image = blinded((height, width), how, rng)
        return View(camera_index, rig, camera, image, np.full((height, width), np.nan, np.float32), nothing, ())
    light = room_light(simulation.script)
    paint = painter or partial(render, quality=quality)
    rendering = paint(state.solids, light, camera, rig.room_from_camera)
    if rig.sensor.shutter_s:
        pose, shutter = rig.room_from_camera, rig.sensor.shutter_s
        rendering = replace(rendering, linear_rgb=moved_while_open(simulation, state, rendering, camera, pose, shutter))
    image = expose(rendering, rig.sensor, rng)
    views = object_views(state, rendering.instance, rig, width, height, occlusion)
    return View(
        camera_index,
        rig,
        camera,
        image,
        rendering.depth_m,
        rendering.instance,
        views,
        _tools(state, rendering.instance),
    )


def glance(simulation: Simulation, state: WorldState, camera_index: int, width: int = 448, height: int = 256) -> View:
    """What `look` gives, but with a black picture: depth and identities only, several times as quick."""
    rig = camera_rig(simulation.script)[camera_index]
    camera = rig.at(width, height)
    room = TriangleRoom(state.solids)
    pose = rig.room_from_camera
    rays = (camera.pixel_rays().reshape(-1, 3) @ pose[:3, :3].T).astype(np.float32)
    hits = room.cast(np.broadcast_to(pose[:3, 3].astype(np.float32), rays.shape), rays)
    seen = hits.face >= 0
    instance = np.where(seen, room.face_solid[hits.face], -1).astype(np.int16).reshape(height, width)
    depth = np.where(seen, hits.distance, np.nan).astype(np.float32).reshape(height, width)
    views = object_views(state, instance, rig, width, height)
    return View(
        camera_index,
        rig,
        camera,
        np.zeros((height, width, 3), np.uint8),
        depth,
        instance,
        views,
        _tools(state, instance),
    )


def graph_of(state: WorldState, views: Sequence[View], stamp_ns: int, sequence: int = 0) -> SceneGraph:
    """The truth of what these cameras see together; left and right are meant for the first of them."""
    keep = set().union(*(v.keep for v in views))
    legible = set().union(*(v.legible for v in views))
    bodies = Bodies.of(state, keep)
    viewer = views[0].rig
    graph = truth_graph(
        state,
        pair_facts(state, bodies),
        bodies,
        viewer.room_from_camera,
        viewer.name,
        legible=legible,
        stamp_ns=stamp_ns,
        sequence=sequence,
    )
    boxes = [v.boxes() for v in views]
    objects = tuple(replace(o, boxes=tuple(b[o.id] for b in boxes if o.id in b)) for o in graph.objects)
    sources = tuple(
        Source(v.rig.name, f"{v.rig.name}_optical_frame", stamp_ns, _STATUS[state.blind.get(v.index)]) for v in views
    )
    return replace(graph, objects=objects, sources=sources)


def render_sample(
    simulation: Simulation,
    t: float,
    camera_index: int,
    width: int = 448,
    height: int = 256,
    quality: Quality = FULL,
    *,
    alerts: tuple[str, ...] | None = None,
    fov_rad: float | None = None,
    painter: Painter | None = None,
) -> FrameSample:
    """Draw what camera `camera_index` sees at t and label it. `alerts` None computes them from the last second;
    `fov_rad` and `painter` are those of `look`."""
    state = simulation.state(t)
    view = look(simulation, state, camera_index, width, height, quality, fov_rad=fov_rad, painter=painter)
    return sample_of(simulation, state, view, hazards_at(simulation, t, camera_index) if alerts is None else alerts)


def sample_of(simulation: Simulation, state: WorldState, view: View, alerts: tuple[str, ...]) -> FrameSample:
    """A picture with its truth."""
    index = np.full(len(state.solids) + 1, -1, np.int16)  # the last entry serves instance -1
    order = {v.object_id: k for k, v in enumerate(view.views)}
    for k, entity in enumerate(state.entities):
        index[k] = order.get(entity.id, -1)
    return FrameSample(
        split=simulation.split,
        seed=simulation.seed,
        time_s=float(state.time_s),
        procedure=simulation.procedure,
        phase=state.phase,
        camera_name=view.rig.name,
        camera=view.camera,
        room_from_camera=view.rig.room_from_camera,
        image=view.image,
        depth_m=view.depth_m,
        instances=index[view.instance],
        views=view.views,
        graph=graph_of(state, [view], int(round(state.time_s * 1e9))),
        roles={k: v for k, v in simulation.roles.items() if k in view.keep},
        alerts=alerts,
    )


def render_planned(
    plan: Sequence[PlannedFrame], width: int = 448, height: int = 256, quality: Quality = FULL
) -> Iterator[FrameSample]:
    """Draw the frames of a plan in its order."""
    simulation, of = None, None
    for frame in plan:
        if simulation is None or of != (frame.split, frame.seed):
            simulation, of = planned_simulation(frame), (frame.split, frame.seed)
        yield render_sample(simulation, frame.time_s, frame.camera_index, width, height, quality)


def object_views(
    state: WorldState, instance: NDArray[np.int16], rig: RoomCamera, width: int, height: int, occlusion: bool = True
) -> tuple[ObjectView, ...]:
    """What the camera shows of each entity; those too small or too hidden are left out."""
    camera, scale = rig.at(width, height), width * height / MODEL_PIXELS
    views = []
    for k, entity in enumerate(state.entities):
        mask = instance == k
        px = int(mask.sum())
        least = LEAST_TOOL_PX if entity.label in TOOL_LABELS else LEAST_PX
        if px < max(1, least * scale):
            continue
        alone = np.nan
        if occlusion or px < LEAST_FRACTION * _most_pixels(entity.solid, camera, rig.room_from_camera):
            alone = max(px, visibility_alone(entity.solid, camera, rig.room_from_camera))
        if px / alone < LEAST_FRACTION:
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5)
        views.append(ObjectView(entity.id, px, float(1 - px / alone), tuple(float(v) for v in box)))
    return tuple(views)


def _tools(state: WorldState, instance: NDArray[np.int16]) -> dict[str, int]:
    """Visible pixels of each hand instrument."""
    counts = np.bincount(instance[instance >= 0], minlength=len(state.entities))
    return {e.id: int(counts[k]) for k, e in enumerate(state.entities) if e.label in TOOL_LABELS}


def _most_pixels(solid: Solid, camera: Camera, room_from_camera: NDArray[np.float64]) -> float:
    """A bound on the pixels that a solid can cover: those of the box around its projection, clipped to the picture."""
    seen = apply(invert(room_from_camera), solid.vertices)
    if (seen[:, 2] < 0.05).any():
        return float(camera.width * camera.height)
    pixels = camera.project(seen).clip((-0.5, -0.5), (camera.width - 0.5, camera.height - 0.5))
    return float(np.prod(pixels.max(0) - pixels.min(0)))


def blinded(size: tuple[int, int], how: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of a camera in the dark, or with something soft right before its lens."""
    h, w = size
    if how == "dark":
        level = rng.normal(3.0, 1.2, (h, w, 3))
    else:
        y, x = np.mgrid[0:h, 0:w] / max(h, w)
        shade = 62 + 14 * np.sin(3 * x + 1) + 10 * np.cos(2 * y)
        level = shade[..., None] * (0.8, 0.95, 1.05) + rng.normal(0, 1.5, (h, w, 3))
    return np.clip(level, 0, 255).astype(np.uint8)
