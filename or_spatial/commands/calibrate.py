"""`or_spatial calibrate`: where every camera stands, from a recording in which several cameras see the same things."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from or_spatial.commands.console import err, interactive
from or_spatial.commands.recordings import Recording, depth_images, each_image, read_recording
from or_spatial.errors import ConfigError, DatasetError, GeometryError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.icp import icp
from or_spatial.geometry.pointmap import point_map, voxel_downsample
from or_spatial.geometry.transforms import apply, quaternion_xyzw_from_rotation
from or_spatial.perception.perceiver import Detection, Frame, Perceiver
from or_spatial.perception.rig_estimation import (
    CameraEstimate,
    RigConfig,
    RigEstimator,
    pose_difference,
    sightings_of,
)

Array = NDArray[np.float64]

_TOGETHER_NS = 100_000_000
_CLOUDS = 3  # moments whose depth makes the clouds
_VOXEL_M = 0.05
_FARTHEST_M = 6.0
_REACH_M = 0.3
_NOT_WORSE = 1.02  # a refinement that takes sightings farther apart than this is not taken


@dataclass(frozen=True)
class CalibrateOptions:
    """What the command line said; see `cli.calibrate`."""

    bag: Path
    out: Path
    fix: tuple[str, ...] = ()
    cameras_file: Path | None = None
    bundle: Path | None = None
    perceiver: str = "model"
    every_s: float = 1.0
    icp: str = "numpy"
    keep_tilt: bool = True
    worst_m: float = 0.25
    worst_deg: float = 6.0


@dataclass
class _Seen:
    """What was found in the pictures of one camera: moment, detection per row; a few depth images."""

    rows: list[tuple[int, Detection]] = field(default_factory=list)
    depth: list[tuple[Camera, NDArray[np.float32]]] = field(default_factory=list)


@dataclass
class _Rig:
    """A recording with the poses that are known of its cameras."""

    recording: Recording
    given: dict[str, Array]
    fixed: dict[str, Array]


def calibrate(options: CalibrateOptions, console: Console) -> dict[str, CameraEstimate]:
    """Estimate the rig, print a table and write a file that `or_spatial run -p perception.cameras_file=` reads.

    Raises:
        DatasetError: no recording, or fewer than two calibrated cameras with pictures in it.
        ConfigError: the fixed camera is unknown or has no pose; the file to write exists already.
        GeometryError: the cameras share too little; says which camera and what to do.
    """
    if options.out.exists():
        raise ConfigError(f"{options.out} exists; name a new file with --out, or delete it")
    rig = _open(options)
    perceiver, lasting_m = _perceiver(options, rig.recording)
    seen = _look(options, rig, perceiver)
    sightings = {name: sightings_of(s.rows, perceiver.vocabulary) for name, s in seen.items()}
    limits = {"worst_m": options.worst_m, "worst_deg": options.worst_deg}
    config = RigConfig(persistent_error_m=lasting_m, keep_tilt=options.keep_tilt, **limits)
    estimator = RigEstimator(sightings, rig.fixed, rig.given, config)
    found = estimator.estimate()
    told = dict.fromkeys(found, "")
    if options.icp != "none":
        found, told = refine(estimator, found, {n: _cloud(s.depth) for n, s in seen.items()}, options.icp)
    console.print(table_of(found, rig.given, told))
    write_cameras(options.out, found, f"or_spatial calibrate {options.bag.name}, fixed: {', '.join(rig.fixed)}")
    next_step = f"or_spatial run -p perception.extrinsics=file -p perception.cameras_file={options.out.resolve()}"
    console.print(f"{options.out}\nnext: {next_step}", markup=False, soft_wrap=True)
    return found


def refine(
    estimator: RigEstimator, found: dict[str, CameraEstimate], clouds: dict[str, Array], backend: str
) -> tuple[dict[str, CameraEstimate], dict[str, str]]:
    """Move each free camera's cloud (N, 3), optical frame, onto those of the cameras before it (ICP).

    A step that takes the sightings farther apart is not taken: depth guessed from one picture is often worse than the
    detections. Returns the estimates and per camera what ICP said.

    Raises:
        MissingDependency: backend open3d without Open3D.
    """
    told = dict.fromkeys(found, "")
    placed = [n for n, e in found.items() if e.fixed]
    poses = {n: e.room_from_camera for n, e in found.items()}
    for name in sorted((n for n, e in found.items() if not e.fixed), key=lambda n: found[n].sigma_m):
        target = np.concatenate([apply(poses[n], clouds[n]) for n in placed])
        placed.append(name)
        if not len(clouds[name]) or not len(target):
            told[name] = "no depth"
            continue
        try:
            better = icp(clouds[name], target, poses[name], _REACH_M, backend=backend)
            tried = estimator.described({**poses, name: better.target_from_source})
        except GeometryError as error:
            told[name] = f"not used: {error}"
            continue
        shift_m, turn_deg = pose_difference(poses[name], better.target_from_source)
        moved = f"{shift_m:.2f} m, {turn_deg:.1f}° (overlap {better.overlap:.0%}, {better.rms_m:.3f} m to planes)"
        if not tried[name].rms_m <= _NOT_WORSE * found[name].rms_m:
            told[name] = f"not used: {moved} takes sightings farther apart"
            continue
        poses[name], found, told[name] = better.target_from_source, tried, moved
    return found, told


def table_of(found: dict[str, CameraEstimate], given: dict[str, Array], told: dict[str, str]) -> Table:
    """One line per camera."""
    table = Table(box=None, pad_edge=False)
    headings = ("camera", "sightings", "apart before, m", "apart now, m", "moved by", "one sigma", "ICP")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for name, e in found.items():
        moved = _metres_and_degrees(*pose_difference(given[name], e.room_from_camera)) if name in given else "no pose"
        doubt = "fixed" if e.fixed else _metres_and_degrees(e.sigma_m, e.sigma_deg)
        before = "" if math.isnan(e.before_m) else f"{e.before_m:.2f}"
        table.add_row(name, str(e.pairs), before, f"{e.rms_m:.2f}", moved, doubt, told[name])
    return table


def write_cameras(file: Path, found: dict[str, CameraEstimate], made_with: str) -> None:
    """The rig as a cameras file; see config/cameras.yaml for its form."""
    cameras = {
        name: {
            "frame_id": f"{name}_optical_frame",
            "position_m": [round(float(v), 4) for v in e.room_from_camera[:3, 3]],
            "quaternion_xyzw": [round(float(v), 6) for v in quaternion_xyzw_from_rotation(e.room_from_camera[:3, :3])],
        }
        for name, e in found.items()
    }
    doubts = [f"#   {n}: {_metres_and_degrees(e.sigma_m, e.sigma_deg)}" for n, e in found.items() if not e.fixed]
    head = [f"# {made_with}", "# One standard deviation:", *doubts]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"cameras": cameras}, sort_keys=False, default_flow_style=None)
    file.write_text("\n".join(head) + "\n" + text, encoding="utf-8")


def _metres_and_degrees(shift_m: float, turn_deg: float) -> str:
    return f"{shift_m:.2f} m, {turn_deg:.1f}°"


def _open(options: CalibrateOptions) -> _Rig:
    recording = read_recording(options.bag).require(images=True)
    recording.cameras = {n: c for n, c in recording.cameras.items() if recording.image_stamps.get(n)}
    if len(recording.cameras) < 2:
        there = ", ".join(recording.cameras) or "none"
        why = "".join(f"; {name}: {reason}" for name, reason in recording.refused.items())
        raise DatasetError(
            f"{options.bag} holds pictures of too few calibrated cameras ({there}); two see together{why}"
        )
    given = {n: pose for n, (_, pose) in recording.cameras.items() if pose is not None}
    if options.cameras_file is not None:
        from or_spatial.nodes.extrinsics import FilePoses

        poses = FilePoses.load(options.cameras_file).poses
        for name in (n for n in poses if n not in recording.cameras):
            there = ", ".join(recording.cameras)
            err.print(
                f"notice: {options.bag} has no camera {name!r} of {options.cameras_file}; it has {there}", markup=False
            )
        given |= {n: pose for n, pose in poses.items() if n in recording.cameras}
    fixed = options.fix or tuple(n for n in recording.cameras if n in given)[:1]
    for name in fixed:
        if name not in recording.cameras:
            raise ConfigError(f"--fix {name}: {options.bag} has no such camera; it has {', '.join(recording.cameras)}")
        if name not in given:
            raise ConfigError(f"--fix {name}: its pose is neither in the recording nor in --cameras-file; measure it")
    if not fixed:
        raise ConfigError(
            "no camera has a pose, so nothing says where the room is: measure one, write it into a file as "
            "config/cameras.yaml shows, and pass --cameras-file FILE --fix NAME"
        )
    return _Rig(recording, given, {n: given[n] for n in fixed})


def _perceiver(options: CalibrateOptions, recording: Recording) -> tuple[Any, float]:
    """The perceiver, and the error of its detections that watching longer does not reduce, m."""
    if options.perceiver == "rules":
        from or_spatial.perception.rules import RulePerceiver

        truth = {g.stamp_ns: (g, None) for g in recording.require(truth=True).truth}
        return RulePerceiver(lambda frame: truth.get(frame.stamp_ns), relations=False), 0.02
    from or_spatial.perception.model import ModelPerceiver

    model = ModelPerceiver(options.bundle)
    return model, model.tracker_settings["floor_error_m"]


def moments_of(recording: Recording, every_s: float) -> list[dict[str, int]]:
    """The stamps (ns) of pictures that were taken together, by camera; at least two in each moment."""
    stamps = {n: np.sort(np.array(recording.image_stamps[n], dtype=np.int64)) for n in recording.cameras}
    found = []
    for t in np.arange(recording.start_ns, recording.end_ns + 1, round(every_s * 1e9), dtype=np.int64):
        nearest = {n: int(s[np.abs(s - t).argmin()]) for n, s in stamps.items()}
        middle = int(np.median(list(nearest.values())))
        together = {n: s for n, s in nearest.items() if abs(s - middle) <= _TOGETHER_NS}
        if len(together) >= 2 and together not in found[-1:]:
            found.append(together)
    return found


def _look(options: CalibrateOptions, rig: _Rig, perceiver: Perceiver) -> dict[str, _Seen]:
    """Let the perceiver look at the pictures of all moments, one after the other."""
    moments = moments_of(rig.recording, options.every_s)
    wanted = {n: {m[n]: k for k, m in enumerate(moments) if n in m} for n in rig.recording.cameras}
    seen = {n: _Seen() for n in wanted}
    deep = {round(k) for k in np.linspace(0, len(moments) - 1, _CLOUDS)} if options.icp != "none" else set()
    for (name, stamp_ns), image in _shown(
        each_image(options.bag, {n: set(s) for n, s in wanted.items()}), sum(len(m) for m in moments)
    ):
        camera, moment = rig.recording.cameras[name][0], wanted[name][stamp_ns]
        pose = rig.recording.cameras[name][1] if options.perceiver == "rules" else rig.given.get(name)
        frame = Frame(name, stamp_ns, image, camera.scaled(image.shape[1], image.shape[0]), pose)
        perception = perceiver.perceive([frame])[0]
        seen[name].rows += [(moment, d) for d in perception.detections]
        if moment in deep and perception.depth_m is not None and perception.depth_camera is not None:
            seen[name].depth.append((perception.depth_camera, perception.depth_m))
    if deep:
        _measured_depth(options, rig, [moments[k] for k in sorted(deep)], seen)
    return seen


def _measured_depth(
    options: CalibrateOptions, rig: _Rig, moments: list[dict[str, int]], seen: dict[str, _Seen]
) -> None:
    """What a depth sensor measured replaces what was guessed from pictures."""
    measured: dict[str, list[tuple[Camera, NDArray[np.float32]]]] = {}
    for name, stamp_ns, depth in depth_images(options.bag, list(seen)):
        if any(abs(stamp_ns - m.get(name, 0)) <= _TOGETHER_NS for m in moments):
            camera = rig.recording.cameras[name][0].scaled(depth.shape[1], depth.shape[0])
            measured.setdefault(name, []).append((camera, depth))
    for name, images in measured.items():
        seen[name].depth = images


def _cloud(depth: list[tuple[Camera, NDArray[np.float32]]]) -> Array:
    """(N, 3) m in the optical frame, thinned; nothing beyond 6 m, where depth is worth little."""
    maps = [point_map(d, camera).reshape(-1, 3) for camera, d in depth]
    points = np.concatenate([p[p[:, 2] < _FARTHEST_M] for p in maps]) if maps else np.zeros((0, 3))
    return voxel_downsample(points, _VOXEL_M)


def _shown(items: Iterator[Any], total: int) -> Iterator[Any]:
    if not interactive():
        return items
    return iter(track(items, "looking at the pictures", total=total, console=err, transient=True))
