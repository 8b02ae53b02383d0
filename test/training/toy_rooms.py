"""A handful of rooms, and a recipe small enough to train on them in a second."""

from dataclasses import fields

import numpy as np
from small_model import SMALL

from or_spatial.datasets.packed import Packed, pack, stack
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at
from or_spatial.scene import Category, EvidenceSource, Family, SceneGraph, SceneObject, SpatialRelation, load_vocabulary
from or_spatial.world.sample import FrameSample, ObjectView

WORDS = load_vocabulary()
WIDTH, HEIGHT = 112, 64


def seen_room(seed: int = 0) -> FrameSample:
    """A person left of a table before an asymmetric camera: enough for every kind of target."""
    rng = np.random.default_rng(seed)
    camera = Camera.from_fov(WIDTH, HEIGHT, np.radians(75.0))
    room_from_camera = look_at([0.3 + 0.1 * seed, -3.0, 2.2], [0.1, 0.5, 0.8])
    places = {"person_1": (-0.8, 0.4, 0.9), "operating_table_1": (0.6, 0.7, 0.45)}
    instances = np.full((HEIGHT, WIDTH), -1, np.int16)
    views = []
    for index, (name, place) in enumerate(places.items()):
        u, v = camera.project(apply(invert(room_from_camera), np.array(place))).round().astype(int)
        instances[v - 6 : v + 7, u - 4 : u + 5] = index
        views.append(ObjectView(name, int((instances == index).sum()), 0.0, (u - 4.0, v - 6.0, u + 4.0, v + 6.0)))
    objects = tuple(
        SceneObject(
            id=name,
            label=name.rsplit("_", 1)[0],
            category=Category.PERSON,
            center_m=place,
            size_m=(0.5, 0.6, 1.7),
            yaw_rad=0.4,
            sterile=1.0 if name == "person_1" else float("nan"),
        )
        for name, place in places.items()
    )
    relations = (
        relation("person_1", "manipulating", "operating_table_1", Family.ACTION),
        relation("person_1", "left_of", "operating_table_1", Family.GEOMETRIC),
        relation("operating_table_1", "right_of", "person_1", Family.GEOMETRIC),
        relation("person_1", "near", "operating_table_1", Family.GEOMETRIC),
    )
    return FrameSample(
        split="train",
        seed=seed,
        time_s=0.0,
        procedure="total_knee",
        phase="",
        camera_name="cam0",
        camera=camera,
        room_from_camera=room_from_camera,
        image=rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        depth_m=np.full((HEIGHT, WIDTH), 3.0 + seed, np.float32),
        instances=instances,
        views=tuple(views),
        graph=SceneGraph(stamp_ns=0, objects=objects, relations=relations),
        roles={},
    )


def relation(subject: str, predicate: str, target: str, family: Family) -> SpatialRelation:
    return SpatialRelation(
        subject_id=subject,
        predicate=predicate,
        object_id=target,
        family=family,
        confidence=1.0,
        source=EvidenceSource.TRUTH,
    )


def write_cache(folder, count: int = 4) -> None:
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text("{}")
    batch = stack([pack(seen_room(i), WORDS) for i in range(count)])
    np.savez(folder / "00000.npz", **{f.name: getattr(batch, f.name) for f in fields(Packed)})


def tiny_recipe(tmp_path, **changes) -> dict:
    write_cache(tmp_path / "train")
    write_cache(tmp_path / "val")
    return {
        "name": "tiny",
        "threads": 1,
        "data": {
            "folder": str(tmp_path / "train"),
            "val_folder": str(tmp_path / "val"),
            "frames": 32,
            "val_frames": 32,
        },
        "stages": [{"height": HEIGHT, "width": WIDTH, "steps": 4, "batch": 2}],
        "model": {**SMALL, "image_height": HEIGHT, "image_width": WIDTH, "queries": 8},
        **changes,
    }
