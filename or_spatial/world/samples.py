"""From a moment of a clip to a labelled picture: what a camera sees, and the truth of just that."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.world.hazard_truth import hazards_at
from or_spatial.world.plan import PlannedFrame, planned_simulation, sample_plan
from or_spatial.world.renderer import Quality, Rendering, render, visibility_alone
from or_spatial.world.rig import RoomCamera, camera_rig, room_light
from or_spatial.world.sample import FrameSample, ObjectView
from or_spatial.world.sensor import expose
from or_spatial.world.simulation import TOOL_LABELS, Simulation, WorldState
from or_spatial.world.splits import stream
from or_spatial.world.truth import Bodies, pair_facts, truth_graph

__all__ = ["PlannedFrame", "render_planned", "render_sample", "sample_plan"]

MODEL_PIXELS = 448 * 256
"""Pixel limits are meant at this image size and scale with the area of others."""
FULL = Quality()
LEAST_PX = 12
LEAST_TOOL_PX = 6
LEAST_FRACTION = 0.05


def render_sample(
    simulation: Simulation,
    t: float,
    camera_index: int,
    width: int = 448,
    height: int = 256,
    quality: Quality = FULL,
    *,
    alerts: tuple[str, ...] | None = None,
) -> FrameSample:
    """Draw what camera `camera_index` sees at t and label it. `alerts` None computes them from the last second."""
    state = simulation.state(t)
    rig = camera_rig(simulation.script)[camera_index]
    camera = rig.at(width, height)
    rendering = render(state.solids, room_light(simulation.script), camera, rig.room_from_camera, quality)
    rng = stream(simulation.split, simulation.seed, "noise", camera_index, int(round(t * 1000)))
    image = expose(rendering, rig.sensor, rng)
    if how := state.blind.get(camera_index):
        image = blinded(image, how, rng)
        rendering = _nothing(rendering)
    views = object_views(state, rendering, rig, width, height)
    keep = {v.object_id for v in views}
    bodies = Bodies.of(state, keep)
    graph = truth_graph(
        state,
        pair_facts(state, bodies),
        bodies,
        rig.room_from_camera,
        rig.name,
        keep=keep,
        legible=legible_instruments(views, width, height),
        stamp_ns=int(round(t * 1e9)),
    )
    index = np.full(len(state.solids) + 1, -1, np.int16)
    order = {v.object_id: k for k, v in enumerate(views)}
    for k, entity in enumerate(state.entities):
        index[k] = order.get(entity.id, -1)
    return FrameSample(
        split=simulation.split,
        seed=simulation.seed,
        time_s=float(t),
        procedure=simulation.procedure,
        phase=state.phase,
        camera_name=rig.name,
        camera=camera,
        room_from_camera=rig.room_from_camera,
        image=image,
        depth_m=rendering.depth_m,
        instances=index[rendering.instance],
        views=views,
        graph=graph,
        roles={k: v for k, v in simulation.roles.items() if k in keep},
        alerts=hazards_at(simulation, t, camera_index) if alerts is None else alerts,
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
    state: WorldState, rendering: Rendering, rig: RoomCamera, width: int, height: int
) -> tuple[ObjectView, ...]:
    """What the camera shows of each entity; those too small or too hidden are left out."""
    camera, scale = rig.at(width, height), width * height / MODEL_PIXELS
    flat = rendering.instance
    views = []
    for k, entity in enumerate(state.entities):
        mask = flat == k
        px = int(mask.sum())
        least = LEAST_TOOL_PX if entity.label in TOOL_LABELS else LEAST_PX
        if px < max(1, least * scale):
            continue
        alone = max(px, visibility_alone(entity.solid, camera, rig.room_from_camera))
        if px / alone < LEAST_FRACTION:
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5)
        views.append(ObjectView(entity.id, px, float(1 - px / alone), tuple(float(v) for v in box)))
    return tuple(views)


def legible_instruments(views: tuple[ObjectView, ...], width: int, height: int) -> set[str]:
    """Ids of the instruments that show enough pixels at the model's input size for an action label to count."""
    least = LEAST_TOOL_PX * width * height / MODEL_PIXELS
    return {v.object_id for v in views if v.object_id.rsplit("_", 1)[0] in TOOL_LABELS and v.visible_px >= least}


def blinded(image: NDArray[np.uint8], how: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture of a camera in the dark, or with something soft right before its lens."""
    h, w = image.shape[:2]
    if how == "dark":
        level = rng.normal(3.0, 1.2, (h, w, 3))
    else:
        y, x = np.mgrid[0:h, 0:w] / max(h, w)
        shade = 62 + 14 * np.sin(3 * x + 1) + 10 * np.cos(2 * y)
        level = shade[..., None] * (0.8, 0.95, 1.05) + rng.normal(0, 1.5, (h, w, 3))
    return np.clip(level, 0, 255).astype(np.uint8)


def _nothing(rendering: Rendering) -> Rendering:
    depth = np.full_like(rendering.depth_m, np.nan)
    return Rendering(rendering.linear_rgb, depth, np.full_like(rendering.instance, -1))
