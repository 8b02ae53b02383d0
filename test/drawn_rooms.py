"""Tiny folders in 4D-OR's and MM-OR's own formats, with rooms drawn here: nothing of the data sets themselves.

The room is z up with the floor at 0; two cameras look down at a table, two persons and a patient. Every number goes out
through the formats' conventions written here once more, not through the readers' code.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at

WIDTH, HEIGHT = 256, 192
CAMERA = Camera(np.array([[180.0, 0, 124.0], [0, 182.0, 97.0], [0, 0, 1]]), WIDTH, HEIGHT)
EYES = {1: (0.4, -3.4, 2.6), 4: (-2.8, -2.0, 2.4)}
JOINTS = (
    "head", "neck", "leftshoulder", "rightshoulder", "lefthip", "righthip", "leftelbow", "rightelbow", "leftwrist",
    "rightwrist", "leftknee", "rightknee", "leftfoot", "rightfoot",
)  # fmt: skip
COLOURS = {
    "Patient": (230, 60, 60),
    "human_0": (60, 160, 250),
    "human_1": (60, 220, 90),
    "operating_table": (240, 240, 90),
}
MASKS = {"Patient": 5, "human_0": 10, "human_1": 12, "operating_table": 3}
ROLES = {"human_0": "head-surgeon", "human_1": "circulating-nurse", "Patient": "Patient"}
MM_OR_NAMES = {
    "Patient": "patient", "human_0": "head_surgeon", "human_1": "nurse", "operating_table": "operating_table",
    "instrument": "instrument",
}  # fmt: skip


def room_from_camera(number: int) -> np.ndarray:
    """(4, 4), m."""
    return look_at(EYES[number], (0.0, 0.2, 0.8))


def joints(name: str, moment: int) -> np.ndarray:
    """(14, 3) m in the room; the patient lies."""
    sway = 0.25 * np.sin(1.3 * moment)
    if name == "Patient":
        return np.array([[-0.8 + 0.12 * i, 0.2 + 0.1 * (i % 2), 0.95] for i in range(len(JOINTS))])
    x, y = {"human_0": (-0.4 + sway, 0.9), "human_1": (1.1, -0.3 - sway)}[name]
    heights = (1.7, 1.5, 1.4, 1.4, 0.95, 0.95, 1.15, 1.15, 1.0, 1.0, 0.5, 0.5, 0.05, 0.05)
    return np.array([[x + (0.15 if i % 2 else -0.15) * (i > 1), y, z] for i, z in enumerate(heights)])


def table() -> np.ndarray:
    """Corners (4, 3) of its top, m."""
    return np.array([[-1.0, -0.1, 0.85], [1.0, -0.1, 0.85], [1.0, 0.55, 0.85], [-1.0, 0.55, 0.85]])


def drawn(camera: int, moment: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB picture and mask of one view."""
    rng = np.random.default_rng([camera, moment])
    image = rng.integers(90, 110, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    camera_from_room = invert(room_from_camera(camera))
    top = CAMERA.project(apply(camera_from_room, table())).round().astype(np.int32)
    cv2.fillConvexPoly(image, top, COLOURS["operating_table"])
    cv2.fillConvexPoly(mask, top, MASKS["operating_table"])
    for name in ("human_0", "Patient", "human_1"):
        for u, v in CAMERA.project(apply(camera_from_room, joints(name, moment))).round().astype(int):
            cv2.circle(image, (int(u), int(v)), 7, COLOURS[name], -1)
            cv2.circle(mask, (int(u), int(v)), 7, MASKS[name], -1)
    return image, mask


def triplets(moment: int) -> list[tuple[str, str, str]]:
    """(subject, predicate, object) in 4D-OR's words."""
    act = ("Sawing", "Drilling", "Suturing")[moment % 3]
    lying = ("Patient", "LyingOn", "operating_table")
    return [("human_0", act, "Patient"), lying, ("human_0", "Holding", "instrument")]


def _matrix(values) -> dict[str, float]:
    return {f"m{i}0": float(v) for i, v in enumerate(values)}


def write_camera(path: Path, number: int, distortion: tuple[float, ...] = (0.0,) * 8) -> None:
    """A Kinect's file: world with y up, sensor looking along its minus z, matrices by column then row."""
    world_from_room = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    sensor = world_from_room @ room_from_camera(number) @ np.diag([1.0, -1, -1, 1])
    still = {"rotation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}, "translation": _matrix((0, 0, 0))}
    turn = dict(zip("xyzw", map(float, Rotation.from_matrix(sensor[:3, :3]).as_quat()), strict=True))
    k1, k2, p1, p2, k3, k4, k5, k6 = distortion
    colour = {
        "fov_x": CAMERA.fx, "fov_y": CAMERA.fy, "c_x": CAMERA.cx, "c_y": CAMERA.cy, "width": WIDTH, "height": HEIGHT,
        "radial_distortion": _matrix((k1, k2, k3, k4, k5, k6)), "tangential_distortion": _matrix((p1, p2)),
    }  # fmt: skip
    pose = {"rotation": turn, "translation": _matrix(sensor[:3, 3])}
    path.write_text(
        json.dumps({"value0": {"camera_pose": pose, "color2depth_transform": still, "color_parameters": colour}})
    )


def write_picture(folder: Path, camera: int, moment: int, number: str, masks: str | None) -> None:
    """The picture, and with `masks` ("" or "_interpolated") its segmentation."""
    image, mask = drawn(camera, moment)
    stem = f"camera0{camera}_colorimage-{number}"
    written = {f"colorimage/{stem}.jpg": image[..., ::-1]}
    if masks is not None:
        written[f"segmentation_export_{camera}/{stem}{masks}.png"] = mask
    for name, pixels in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), pixels)


def write_joints(path: Path, moment: int) -> None:
    """4D-OR's annotation tool: units of 2 mm, y and z exchanged, the new y reversed, 1000 off z, by 25."""
    labels = []
    for name, human in (("Patient", "Patient"), ("human_0", "anna"), ("human_1", "bert")):
        x, y, z = joints(name, moment).T
        units = np.stack([x, z, -y], axis=1) * 500.0  # the recording's world, y up
        tool = units[:, [0, 2, 1]] * (1, -1, 1)
        tool = (tool - (0, 0, 1000.0)) / 25.0
        for joint, place in zip(JOINTS, tool, strict=True):
            location = dict(zip("xyz", map(float, place), strict=True))
            labels.append({"humanName": human, "jointName": joint, "point3d": {"location": location}, "track_idx": 1})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"labels": labels}))


def write_cloud(path: Path) -> None:
    """The floor, every 2 cm, as Open3D writes it: binary, with colours, units of 2 mm, y up."""
    x, y = np.meshgrid(np.arange(-3.0, 3.0, 0.02), np.arange(-2.5, 4.0, 0.02))
    points = np.stack([x.ravel(), np.zeros(x.size), -y.ravel()], axis=1) * 500.0
    row = np.zeros(len(points), np.dtype([("xyz", "<f4", 3), ("rgb", "<f4")]))
    row["xyz"] = points
    header = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F F\n"
        f"COUNT 1 1 1 1\nWIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + row.tobytes())


def write_four_d_or(root: Path, moments: int = 3, labels_3d: bool = True, masks: str | None = None) -> Path:
    """Take 1 for training and take 4 for validation, cameras 1 and 4."""
    words = ["Assisting", "Cementing", "Cleaning", "CloseTo", "Cutting", "Drilling", "Hammering", "Holding", "LyingOn",
             "Operating", "Preparing", "Sawing", "Suturing", "Touching"]  # fmt: skip
    ids = {"Patient": 1, "human_0": 2, "human_1": 3, "instrument": 4, "operating_table": 5}
    for take, name in ((1, "train"), (4, "validation")):
        folder = root / f"export_holistic_take{take}_processed"
        folder.mkdir(parents=True)
        for camera in EYES:
            write_camera(folder / f"camera0{camera}.json", camera)
        scans, listed = [], []
        for moment in range(moments):
            number = f"{10 * moment + 7:06d}"  # pictures are not numbered as the moments are
            listed.append([1000 + moment, {"pcd": f"{moment:06d}", **{f"color_{c}": number for c in range(1, 7)}}])
            for camera in EYES:
                write_picture(folder, camera, moment, number, masks)
            if labels_3d:
                write_joints(folder / "annotations" / f"{moment:06d}.json", moment)
                write_cloud(folder / "pcds" / f"{moment:06d}.pcd")
            scans.append(
                {
                    "take_idx": take,
                    "scan": f"{moment:06d}",
                    "objects": {str(i): label for label, i in ids.items()},
                    "relationships": [[ids[s], ids[o], words.index(p), p] for s, p, o in triplets(moment)],
                    "human_idx_to_name": ROLES,
                }
            )
        (folder / "timestamp_to_pcd_and_frames_list.json").write_text(json.dumps(listed))
        (root / f"relationships_{name}.json").write_text(json.dumps({"scans": scans}))
    return root


def write_mm_or(root: Path, moments: int = 3, masks: str | None = "") -> Path:
    """Take 001_PKA for training and 002_PKA for validation; one moment more that no room camera saw."""
    (root / "take_jsons").mkdir(parents=True)
    for take, name in (("001_PKA", "train"), ("002_PKA", "validation")):
        folder = root / take
        folder.mkdir()
        for camera in EYES:
            write_camera(folder / f"camera0{camera}.json", camera)
        points, listed = [], {}
        for moment in range(moments + 1):
            number = f"{10 * moment + 7:06d}"
            listed[str(1000 + moment)] = {"azure": number if moment < moments else None, "simstation": number}
            for camera in EYES:
                if moment < moments:
                    write_picture(folder, camera, moment, number, masks)
            said = [[MM_OR_NAMES[s], MM_OR_NAMES[o], p[0].lower() + p[1:]] for s, p, o in triplets(moment)]
            points.append({"take_name": f"{take}_MMOR", "frame_id": f"{moment:06d}", "relationships": said})
        points.append({"take_name": "004_4DOR", "frame_id": "000000", "relationships": []})
        (root / "take_jsons" / f"{take}.json").write_text(json.dumps({"timestamps": listed}))
        (root / f"relationships_{name}.json").write_text(json.dumps(points))
    return root
