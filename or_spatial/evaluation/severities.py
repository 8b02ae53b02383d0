"""The named severities that robustness is measured at: what they do to a frame, and to what can be asked of it.

    gamma_0.5, gamma_2   the picture's levels in [0, 1] to this power: washed out, dark
    blur_2px             Gaussian, sigma 2 px at the model's size
    noise_0.06           Gaussian, sigma 0.06 of white, per pixel and channel
    jpeg_20              JPEG of quality 20
    cover_20             a gray rectangle over 20 % of the picture; what it hides is asked of nobody
    fov_45, fov_100      the same camera at the same place behind another lens, degrees; drawn anew, with its own truth
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.scene.graph import SceneGraph
from or_spatial.world.sample import FrameSample, ObjectView
from or_spatial.world.samples import LEAST_FRACTION, LEAST_PX, LEAST_TOOL_PX
from or_spatial.world.simulation import TOOL_LABELS
from or_spatial.world.splits import stream

Rng = np.random.Generator
Image = NDArray[np.uint8]

COVERED = 0.20
_GRAY = 96


def _gamma(power: float) -> Callable[[Image, Rng], Image]:
    table = np.round(255.0 * (np.arange(256) / 255.0) ** power).astype(np.uint8)
    return lambda image, rng: table[image]


def _blurred(image: Image, rng: Rng) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 2.0)


def _noisy(image: Image, rng: Rng) -> Image:
    return np.clip(image + 255.0 * 0.06 * rng.standard_normal(image.shape), 0, 255).round().astype(np.uint8)


def _compressed(image: Image, rng: Rng) -> Image:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 20])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


_PICTURES: dict[str, Callable[[Image, Rng], Image]] = {
    "gamma_0.5": _gamma(0.5),
    "gamma_2": _gamma(2.0),
    "blur_2px": _blurred,
    "noise_0.06": _noisy,
    "jpeg_20": _compressed,
}
LENSES_DEG = {"fov_45": 45.0, "fov_100": 100.0}
NAMES = (*_PICTURES, "cover_20", *LENSES_DEG)


def suffered(sample: FrameSample, name: str) -> FrameSample:
    """The frame under a severity that needs no drawing; the same frame suffers the same way every time."""
    rng = stream(sample.split, sample.seed, "severity", name, sample.camera_name, round(sample.time_s * 1000))
    if name == "cover_20":
        return covered(sample, rng)
    return replace(sample, image=_PICTURES[name](sample.image, rng))


def covered(sample: FrameSample, rng: Rng) -> FrameSample:
    """A rectangle over a fifth of the picture. By the world's own rule things of which too little is left to see are
    not asked for any more, nor are their relations, nor depth under the cover."""
    rows, columns = sample.image.shape[:2]
    share = rng.uniform(0.35, 0.6)  # of the width
    wide, tall = round(share * columns), round(COVERED / share * rows)
    left, top = int(rng.integers(0, columns - wide + 1)), int(rng.integers(0, rows - tall + 1))
    hidden = np.zeros((rows, columns), dtype=bool)
    hidden[top : top + tall, left : left + wide] = True
    image = np.where(hidden[..., None], np.uint8(_GRAY), sample.image)
    left_to_see = [_left(k, view, sample, hidden) for k, view in enumerate(sample.views)]
    keep = [k for k, view in enumerate(left_to_see) if view is not None]
    index = np.full(len(sample.views) + 1, -1, np.int16)
    index[keep] = np.arange(len(keep))
    return replace(
        sample,
        image=image,
        depth_m=np.where(hidden, np.float32(np.nan), sample.depth_m),
        instances=np.where(hidden, np.int16(-1), index[sample.instances]),
        views=tuple(left_to_see[k] for k in keep),
        graph=_without(sample.graph, {v.object_id for k, v in enumerate(sample.views) if k not in keep}),
    )


def _left(k: int, view: ObjectView, sample: FrameSample, hidden: NDArray[np.bool_]) -> ObjectView | None:
    """What is still to be seen of a thing; None when it counts as hidden."""
    rows, columns = np.nonzero((sample.instances == k) & ~hidden)
    alone = view.visible_px / max(1.0 - view.occlusion, 1e-6)
    thing = sample.graph.find(view.object_id)
    least = LEAST_TOOL_PX if thing is not None and thing.label in TOOL_LABELS else LEAST_PX
    if len(rows) < least or len(rows) / alone < LEAST_FRACTION:
        return None
    box = (columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5)
    return ObjectView(view.object_id, len(rows), 1.0 - len(rows) / alone, tuple(float(v) for v in box))


def _without(graph: SceneGraph, gone: set[str]) -> SceneGraph:
    """The graph without these objects and whatever it says of them."""
    return replace(
        graph,
        objects=tuple(o for o in graph.objects if o.id not in gone),
        relations=tuple(r for r in graph.relations if not {r.subject_id, r.object_id} & gone),
    )
