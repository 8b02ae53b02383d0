"""Folders of 4D-OR and MM-OR as they are downloaded: which files show which annotated moment.

Layout (N a take's number, T a take's name, C a camera's number, F and P numbers of a moment)
    4D-OR   export_holistic_takeN_processed/ {timestamp_to_pcd_and_frames_list.json, camera0C.json,
            colorimage/camera0C_colorimage-F.jpg, annotations/P.json, pcds/P.pcd, segmentation_export_C/}
    MM-OR   take_jsons/T.json, or T/timestamp_to_pcd_and_frames_list.json
            T/ {camera0C.json, colorimage/camera0C_colorimage-F.jpg, segmentation_export_C/}
            where takes share pictures, T is the folder of several: 012_1_PKA in 012_PKA, 016_PKA in 015-018_PKA
    both    relationships_{train,validation}.json in the folder of annotations
Convention
    the frame of an annotation is a position in its take's list of moments, not the number of a picture
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from or_spatial.datasets import four_d_or, mm_or
from or_spatial.datasets.annotation_files import AnnotatedScene, parse_one, read_json
from or_spatial.datasets.room_pictures import PictureFiles
from or_spatial.errors import DatasetError, GeometryError

SPLITS = {"train": "relationships_train.json", "val": "relationships_validation.json"}
CAMERAS = {four_d_or.VOCABULARY: (1, 2, 3, 4, 5, 6), mm_or.VOCABULARY: (1, 4, 5)}
"""Usual cameras: all of 4D-OR's; those of MM-OR that have masks."""

_SHARED = {12: "012_PKA"}  # a take's number to the folder it was published in with others
_SHARED |= {n: f"{a:03}-{b:03}_PKA" for a, b in ((15, 18), (19, 22), (23, 32)) for n in range(a, b + 1)}
_LIST = "timestamp_to_pcd_and_frames_list.json"
_Moment = dict[str, Any]  # channel to the number of its file


@dataclass
class Damage:
    """What could not be read, each with the name of its file; with `stop`, the first of them ends the reading."""

    stop: bool
    found: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep what the block could not read and go on after it, or let the error through."""
        try:
            yield
        except (DatasetError, GeometryError) as error:
            if self.stop:
                raise
            self.found.append(str(error))


@dataclass(frozen=True)
class RoomFolder:
    """A data set on disk: `dataset` is 4d-or or mm-or, `root` holds the takes, `annotations` the relationships."""

    dataset: str
    root: Path
    annotations: Path
    cameras: tuple[int, ...]

    def pictures(self, split: str, damage: Damage) -> list[PictureFiles]:
        """Every view of every annotated moment of `split` (a key of SPLITS), whether its files are there or not.

        Left out: the 4D-OR takes that MM-OR's relationships list too, and moments of MM-OR without any relation (its
        files list no other objects) or that no room camera saw.

        Raises:
            DatasetError: no readable relationships; or, where `damage` stops, a take without its list of moments.
        """
        found: list[PictureFiles] = []
        scenes = self._scenes(self.annotations / SPLITS[split])
        for take in dict.fromkeys(scene.take for scene in scenes):
            with damage.noting():
                found += self._take([scene for scene in scenes if scene.take == take], damage)
        return found

    def _scenes(self, file: Path) -> list[AnnotatedScene]:
        if self.dataset == four_d_or.VOCABULARY:
            return [scan.scene() for scan in four_d_or.read_relationships(file)]
        own = [t for t in mm_or.read_relationships(file) if t.origin == "MMOR"]
        return [t.scene() for t in own if t.relationships]

    def _take(self, scenes: Sequence[AnnotatedScene], damage: Damage) -> list[PictureFiles]:
        take = scenes[0].take.removesuffix("_MMOR")
        if self.dataset == four_d_or.VOCABULARY:
            folder, views = self.root / f"export_holistic_take{take}_processed", _four_d_or_views
        else:
            folder, views = _mm_or_folder(self.root, take), _mm_or_views
        file = self.root / "take_jsons" / f"{take}.json"
        file = file if file.exists() or folder.name in _SHARED.values() else folder / _LIST  # which is one take's
        moments = parse_one(file, "moments", read_json(file), _moments)

        def look(scene: AnnotatedScene) -> list[PictureFiles]:
            return list(views(folder, self.cameras, moments[int(scene.frame)], scene))

        found: list[PictureFiles] = []
        for scene in scenes:
            with damage.noting():
                found += parse_one(file, f"moment {scene.frame}", scene, look)
        return found


def _mm_or_folder(root: Path, take: str) -> Path:
    number = take.partition("_")[0]
    shared = _SHARED.get(int(number)) if number.isdecimal() else None
    return root / take if shared is None or (root / take).is_dir() else root / shared


def _moments(data: Any) -> list[_Moment]:
    """Moments in order: from a list of [timestamp, channels], or from `timestamps` by number."""
    if isinstance(data, dict):
        return [dict(data["timestamps"][key]) for key in sorted(data["timestamps"], key=int)]
    return [dict(channels) for _, channels in data]


def _four_d_or_views(
    folder: Path, cameras: Sequence[int], moment: _Moment, scene: AnnotatedScene
) -> Iterator[PictureFiles]:
    for camera in cameras:
        image, file, masks = _view(folder, camera, moment[f"color_{camera}"])
        joints, cloud = folder / "annotations" / f"{moment['pcd']}.json", folder / "pcds" / f"{moment['pcd']}.pcd"
        yield PictureFiles(scene, image, file, masks, joints, cloud)


def _mm_or_views(
    folder: Path, cameras: Sequence[int], moment: _Moment, scene: AnnotatedScene
) -> Iterator[PictureFiles]:
    if moment.get("azure") is not None:
        for camera in cameras:
            yield PictureFiles(scene, *_view(folder, camera, moment["azure"]))


def _view(folder: Path, camera: int, number: str) -> tuple[Path, Path, tuple[Path, Path]]:
    stem = f"camera0{camera}_colorimage-{number}"
    masks = folder / f"segmentation_export_{camera}"
    return (
        folder / "colorimage" / f"{stem}.jpg",
        folder / f"camera0{camera}.json",
        (masks / f"{stem}.png", masks / f"{stem}_interpolated.png"),
    )
