"""A recording for the Rerun viewer: cameras with their pictures, boxes, labels, relations and hazards in 3D.

    with RerunFile("demo.rrd") as file:
        file.camera("wall", camera, room_from_camera)
        file.image("wall", stamp_ns, image_rgb)
        file.graph(graph, alerts)

Needs the package `rerun-sdk`; nothing else of or_spatial does.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import MissingDependency
from or_spatial.geometry.camera import Camera
from or_spatial.scene.alerts import HazardAlert
from or_spatial.scene.graph import SceneGraph
from or_spatial.visual.markers import Marker, MarkerAction, MarkerScene, MarkerStyle, MarkerType


class RerunFile:
    """Writes one `.rrd` file. Times are those of the graphs, on the timeline `stamp`.

    Raises:
        MissingDependency: rerun-sdk is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            import rerun
        except ImportError as error:
            raise MissingDependency("the Rerun export needs rerun-sdk; pip install rerun-sdk") from error
        self._rerun: Any = rerun
        self._stream = rerun.RecordingStream("or_spatial")
        self._stream.save(str(path))
        self._stream.log("room", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._scene = MarkerScene(MarkerStyle(labels=True))
        self._shown: set[str] = set()

    def camera(self, name: str, camera: Camera, room_from_camera: NDArray[np.float64]) -> None:
        """Where a camera stands and what its lens is like (distortion is not shown)."""
        rr, path = self._rerun, f"room/cameras/{name}"
        place = rr.Transform3D(translation=room_from_camera[:3, 3], mat3x3=room_from_camera[:3, :3])
        self._stream.log(path, place, static=True)
        lens = rr.Pinhole(
            image_from_camera=camera.K, resolution=(camera.width, camera.height), camera_xyz=rr.ViewCoordinates.RDF
        )
        self._stream.log(f"{path}/image", lens, static=True)

    def image(self, name: str, stamp_ns: int, image_rgb: NDArray[np.uint8]) -> None:
        """One picture (H, W, 3) uint8 RGB of a camera, stored as JPEG."""
        self._at(stamp_ns)
        self._stream.log(f"room/cameras/{name}/image", self._rerun.Image(image_rgb).compress(jpeg_quality=85))

    def graph(self, graph: SceneGraph, alerts: Sequence[HazardAlert] = ()) -> None:
        """A graph with the hazards active at its moment; what the one before showed and this one does not goes away."""
        self._at(graph.stamp_ns)
        markers = [m for m in self._scene.update(graph, alerts) if m.action == MarkerAction.ADD]
        shown = set()
        for ns in sorted({m.ns for m in markers}):
            for kind in sorted({m.type for m in markers if m.ns == ns}):
                path = f"room/{ns}/{kind.name.lower()}"
                self._stream.log(path, self._shape(kind, [m for m in markers if m.ns == ns and m.type == kind]))
                shown.add(path)
        for path in self._shown - shown:
            self._stream.log(path, self._rerun.Clear(recursive=False))
        self._shown = shown

    def close(self) -> None:
        """Finish the file."""
        self._stream.flush()
        self._stream.disconnect()

    def __enter__(self) -> "RerunFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _at(self, stamp_ns: int) -> None:
        self._stream.set_time("stamp", timestamp=np.datetime64(stamp_ns, "ns"))

    def _shape(self, kind: MarkerType, markers: Sequence[Marker]) -> Any:
        rr = self._rerun
        centers = np.array([m.position for m in markers])
        colors = np.array([[round(255 * c) for c in m.color] for m in markers], np.uint8)
        sizes = np.array([m.scale for m in markers])
        turns = np.array([m.orientation for m in markers])
        if kind == MarkerType.TEXT:
            return rr.Points3D(centers, colors=colors, radii=0.01, labels=[m.text for m in markers])
        if kind == MarkerType.ARROW:
            ends = np.array([m.points for m in markers])
            return rr.Arrows3D(origins=ends[:, 0], vectors=ends[:, 1] - ends[:, 0], colors=colors)
        if kind == MarkerType.LINE_LIST:
            return rr.LineStrips3D([line for m in markers for line in _lines(m)], colors=np.repeat(colors, 12, axis=0))
        if kind == MarkerType.SPHERE:
            return rr.Ellipsoids3D(centers=centers, half_sizes=sizes / 2.0, colors=colors)
        return rr.Boxes3D(centers=centers, sizes=sizes, quaternions=turns, colors=colors, fill_mode="solid")


def _lines(marker: Marker) -> NDArray[np.float64]:
    """The segments (N, 2, 3) of a LINE_LIST in the room: its points are in the marker's own frame."""
    x, y, z, w = marker.orientation
    c, s = w * w - z * z, 2.0 * w * z  # markers turn about z only
    points = np.array(marker.points) @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return (points + np.asarray(marker.position)).reshape(-1, 2, 3)
