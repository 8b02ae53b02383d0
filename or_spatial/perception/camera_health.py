"""Is this camera still looking at the room? Dark, covered and frozen images, and cameras that fell silent.

One image is judged by brightness and by how much of it has edges, on a coarse grid of block means (sensor noise
averages out there, and a 720p image costs well under a millisecond). Frozen means the same pixels again: a real
sensor never repeats its noise, a stuck driver repeats it exactly.
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.perception.perceiver import Frame
from or_spatial.scene.graph import CameraStatus, Source

_BLOCK_PX = 3
_SHARP = 5.0  # chosen: times the step that counts as an edge
_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class HealthConfig:
    """Thresholds; grey levels are 0..255. All are chosen, and checked on the world's and 4D-OR's pictures.

    `dark_level`: mean below this, with 99 % of the image below `dark_peak`. `edge_step`: difference of neighbouring
    block means that counts as an edge; fewer than `covered_edges` (a fraction) of them means that something flat is
    before the lens. `frozen_after_s` of exact repetition over at least three images. `lost_after_s` of silence, or
    three usual intervals of the camera if that is longer.
    """

    dark_level: float = 10.0
    dark_peak: float = 40.0
    edge_step: float = 6.0
    covered_edges: float = 0.01
    frozen_after_s: float = 0.4
    lost_after_s: float = 0.6

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"camera health: {name} must be above 0, got {value}")


def is_image(image: object) -> bool:
    """Whether this is (H, W, 3) uint8 with at least one pixel, as a Frame promises."""
    return isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and 0 not in image.shape


def block_means(image: NDArray[np.uint8], across: int = 64) -> NDArray[np.float32]:
    """Grey block means (h, w), about `across` columns wide, of (H, W, 3) uint8; green stands for grey.

    Each value is the mean of a 3 x 3 patch of pixels at its place; the rest of the image is not touched.
    """
    height, width = image.shape[:2]
    step = max(_BLOCK_PX, width // across)
    rows, columns = max(height - _BLOCK_PX + 1, 1), max(width - _BLOCK_PX + 1, 1)
    total = np.zeros((len(range(0, rows, step)), len(range(0, columns, step))), np.uint16)
    patch = [(y, x) for y in range(min(_BLOCK_PX, height)) for x in range(min(_BLOCK_PX, width))]
    for y, x in patch:
        total += image[y : y + rows : step, x : x + columns : step, 1]
    return total.astype(np.float32) / len(patch)


def classify(image: NDArray[np.uint8], config: HealthConfig | None = None) -> CameraStatus:
    """OK, DARK, COVERED or BAD_IMAGE from one image alone; FROZEN needs the memory of `CameraHealth`."""
    if not is_image(image):
        return CameraStatus.BAD_IMAGE
    return _judge(block_means(image), config or HealthConfig())


def _judge(grey: NDArray[np.float32], config: HealthConfig) -> CameraStatus:
    if np.add.reduce(grey, axis=None) < config.dark_level * grey.size and np.percentile(grey, 99) < config.dark_peak:
        return CameraStatus.DARK
    steps = np.abs(grey[1:] - grey[:-1]), np.abs(grey[:, 1:] - grey[:, :-1])
    size = steps[0].size + steps[1].size
    few = sum(np.count_nonzero(s > config.edge_step) for s in steps) < config.covered_edges * size
    # A lit screen in a dark room has few edges too, but strong ones; nothing so near to a lens is sharp.
    if few and np.percentile(np.concatenate([s.ravel() for s in steps]), 99.9) < _SHARP * config.edge_step:
        return CameraStatus.COVERED
    return CameraStatus.OK


@dataclass
class _Seen:
    """What is remembered of one camera."""

    frame_id: str
    stamp_ns: int = 0
    status: CameraStatus = CameraStatus.LOST
    fingerprint: int = 0
    repeats: int = 0
    same_since_ns: int = 0
    intervals_ns: deque[int] = field(default_factory=lambda: deque(maxlen=9))


class CameraHealth:
    """The health of every configured camera, kept from image to image."""

    def __init__(
        self, cameras: tuple[str, ...] = (), config: HealthConfig | None = None, judges_images: bool = True
    ) -> None:
        """`cameras` are listed from the start, LOST until their first image; others join when they are first seen.

        Without `judges_images` only silence and missing calibration are noticed.
        """
        self.config = config or HealthConfig()
        self._judges_images = judges_images
        self._configured = cameras
        self.reset()

    def reset(self) -> None:
        """Forget every image, as after a jump back in time; the configured cameras stay listed."""
        self._seen = {name: _Seen(f"{name}_optical_frame") for name in self._configured}
        self._since_ns: int | None = None

    def look(self, frame: Frame) -> CameraStatus:
        """Judge one new image and remember the verdict; a stamp that is not newer leaves the verdict as it was."""
        seen = self._seen.setdefault(frame.name, _Seen(frame.frame_id))
        seen.frame_id = frame.frame_id or seen.frame_id or f"{frame.name}_optical_frame"
        if seen.stamp_ns and frame.stamp_ns <= seen.stamp_ns:
            return seen.status
        if seen.stamp_ns:
            seen.intervals_ns.append(frame.stamp_ns - seen.stamp_ns)
        seen.stamp_ns = frame.stamp_ns
        seen.status = self._verdict(seen, frame)
        return seen.status

    def sources(self, now_ns: int) -> tuple[Source, ...]:
        """Every known camera at `now_ns`, in order of configuration, then of first sight."""
        self._since_ns = now_ns if self._since_ns is None else self._since_ns
        return tuple(Source(name, s.frame_id, s.stamp_ns, self._status(s, now_ns)) for name, s in self._seen.items())

    def _verdict(self, seen: _Seen, frame: Frame) -> CameraStatus:
        if not self._judges_images:
            return CameraStatus.OK if _placed(frame) else CameraStatus.UNCALIBRATED
        if not is_image(frame.image):
            return CameraStatus.BAD_IMAGE
        grey = block_means(frame.image)
        status = _judge(grey, self.config)
        fingerprint = zlib.crc32(grey.tobytes())
        if fingerprint != seen.fingerprint:
            seen.fingerprint, seen.repeats, seen.same_since_ns = fingerprint, 1, frame.stamp_ns
        else:
            seen.repeats += 1
        still_s = (frame.stamp_ns - seen.same_since_ns) / _NS
        # A black or covered picture repeats itself too; what it shows is the better name for it.
        if status == CameraStatus.OK and seen.repeats >= 3 and still_s >= self.config.frozen_after_s:
            return CameraStatus.FROZEN
        if status == CameraStatus.OK and not _placed(frame):
            return CameraStatus.UNCALIBRATED
        return status

    def _status(self, seen: _Seen, now_ns: int) -> CameraStatus:
        usual_s = median(seen.intervals_ns) / _NS if seen.intervals_ns else 0.0
        patience_s = max(self.config.lost_after_s, 3.0 * usual_s)
        last_ns = seen.stamp_ns or self._since_ns or now_ns
        return CameraStatus.LOST if (now_ns - last_ns) / _NS > patience_s else seen.status


def _placed(frame: Frame) -> bool:
    return frame.camera is not None and frame.room_from_camera is not None
