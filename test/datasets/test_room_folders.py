"""Folders of real data sets: labels land on the pixels they speak of, what nobody said stays unknown, damage is named.

The rooms are drawn by the test, in the data sets' formats.
"""

import json

import cv2
import drawn_rooms as room
import numpy as np
import pytest

from or_spatial.datasets.clouds import read_pcd, seen_depth
from or_spatial.datasets.packed import UNKNOWN, visible_middle
from or_spatial.datasets.picture_files import Fitting, read_picture
from or_spatial.datasets.room_folders import Damage, RoomFolder
from or_spatial.datasets.room_pictures import pack_picture
from or_spatial.datasets.room_reader import read_view
from or_spatial.errors import DatasetError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert
from or_spatial.scene.vocabulary import load_vocabulary

SIZE = (96, 128)  # half of what is drawn, in the same shape
WORDS = {name: load_vocabulary(name) for name in ("4d-or", "mm-or")}


def folder(root, dataset="4d-or") -> RoomFolder:
    return RoomFolder(dataset, root, root, tuple(room.EYES))


def views(root, dataset="4d-or", split="train", stop=True):
    return folder(root, dataset).pictures(split, Damage(stop))


def packed(files):
    return pack_picture(read_view(files, *SIZE), WORDS[files.scene.dataset])


def row_of(pack, name, dataset="4d-or") -> int:
    return int(np.flatnonzero(pack.label == WORDS[dataset].object_index(name))[0])


def drawn_at(image, peak) -> str:
    """Whose colour is nearest to the pixel's."""
    pixel = image[int(peak[1]), int(peak[0])].astype(int)
    return min(room.COLOURS, key=lambda name: np.abs(pixel - room.COLOURS[name]).sum())


def test_every_annotated_moment_is_seen_by_every_camera(tmp_path):
    found = views(room.write_four_d_or(tmp_path))
    assert len(found) == 3 * len(room.EYES)
    assert {f.scene.frame for f in found} == {"000000", "000001", "000002"}
    assert found[0].image.name == "camera01_colorimage-000007.jpg"
    assert found[0].cloud.name == "000000.pcd"  # the moment's own number, not the picture's


@pytest.mark.parametrize(
    ("take", "shared"),
    [
        ("012_1_PKA", "012_PKA"),
        ("018_2_PKA", "015-018_PKA"),
        ("019_PKA", "019-022_PKA"),
        ("032_PKA", "023-032_PKA"),
        ("033_PKA", "033_PKA"),
    ],
)
def test_takes_that_were_published_in_one_folder_are_found_there(tmp_path, take, shared):
    root = room.write_mm_or(tmp_path)
    (root / "001_PKA").rename(root / shared)
    (root / "take_jsons" / "001_PKA.json").rename(root / "take_jsons" / f"{take}.json")
    annotations = root / "relationships_train.json"
    annotations.write_text(annotations.read_text().replace("001_PKA", take))
    found = views(root, "mm-or")
    assert len(found) == 3 * len(room.EYES) and all(f.image.is_file() for f in found)
    assert {f.scene.take.removesuffix("_MMOR") for f in found} == {take}
    (root / "take_jsons" / f"{take}.json").unlink()
    with pytest.raises(DatasetError, match=f"take_jsons/{take}.json" if shared != take else "timestamp_to_pcd"):
        views(root, "mm-or")


@pytest.mark.parametrize("camera", [0, 1])
@pytest.mark.parametrize("name", ["Patient", "human_0", "human_1"])
def test_joints_place_a_person_where_it_is_drawn(tmp_path, camera, name):
    files = views(room.write_four_d_or(tmp_path))[camera]
    pack = packed(files)
    row = row_of(pack, name)
    low, high = pack.box[row, :2], pack.box[row, 2:]
    assert (low < pack.peak[row]).all() and (pack.peak[row] < high).all()
    near = pack.image[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1].astype(int)
    assert (np.abs(near - room.COLOURS[name]).max(-1) < 60).mean() > 0.2
    truth = room.joints(name, 0)
    middle = apply(invert(room.room_from_camera(list(room.EYES)[camera])), (truth.min(0) + truth.max(0)) / 2)
    np.testing.assert_allclose(pack.center[row], middle, atol=1e-3)


def test_the_mount_of_the_camera_is_that_of_the_room(tmp_path):
    pack = packed(views(room.write_four_d_or(tmp_path))[0])
    assert pack.height[0] == pytest.approx(2.6, abs=1e-4)
    np.testing.assert_allclose(pack.intrinsics, [90.0, 91.0, (124.5) / 2 - 0.5, 97.5 / 2 - 0.5], atol=1e-4)


def test_a_cloud_gives_the_depth_of_what_it_shows(tmp_path):
    files = views(room.write_four_d_or(tmp_path))[0]
    pack = packed(files)
    rows, columns = np.nonzero(pack.depth)
    assert rows.size > 0.3 * pack.depth.size
    fx, fy, cx, cy = pack.intrinsics
    pixels = 4 * np.stack([columns, rows], axis=1) + 1.5
    rays = np.stack([(pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy, np.ones(len(pixels))], axis=1)
    floor = apply(room.room_from_camera(1), rays * pack.depth[rows, columns].astype(float)[:, None])
    assert np.median(np.abs(floor[:, 2])) < 0.05  # a cell shows a piece of floor, not one point of it


def test_what_shines_through_a_gap_of_a_nearer_surface_is_not_seen():
    camera = Camera.from_fov(80, 64, 1.0)
    u, v = np.meshgrid(np.arange(1.5, 80, 4), np.arange(1.5, 64, 4))
    front = camera.unproject(np.stack([u, v], -1).reshape(-1, 2), 2.0)
    gap = np.delete(front, 85, axis=0)
    behind = front[85] * 2.0
    depth = seen_depth(np.vstack([gap, behind]), camera, 4)
    assert depth.ravel()[85] == 0 and np.allclose(np.delete(depth.ravel(), 85), 2.0)


def test_masks_place_what_they_show_and_say_what_is_not_there(tmp_path):
    files = views(room.write_four_d_or(tmp_path, masks="_interpolated"))[0]
    pack = packed(files)
    table = row_of(pack, "operating_table")
    assert drawn_at(pack.image, pack.peak[table]) == "operating_table"
    surgeon = row_of(pack, "human_0")
    assert np.isfinite(pack.center[surgeon]).all() and np.isfinite(pack.peak[surgeon]).all()
    assert not np.isfinite(pack.center[table]).any()  # no joints: nobody said how far it is
    shown = np.unique(pack.semantic)
    assert WORDS["4d-or"].object_index("operating_table") + 1 in shown
    assert UNKNOWN in shown  # the other person is masked as a nurse, which is no role of 4D-OR
    assert WORDS["4d-or"].object_index("secondary_table") not in pack.label


def test_relations_keep_their_direction(tmp_path):
    pack = packed(views(room.write_four_d_or(tmp_path))[0])
    words = WORDS["4d-or"]
    patient, surgeon, tool = (row_of(pack, n) for n in ("Patient", "human_0", "instrument"))
    assert pack.action[surgeon, patient] == words.action_index("Sawing")
    assert pack.action[surgeon, tool] == words.action_index("Holding")
    assert pack.action[patient, surgeon] == len(words.actions)


def test_an_object_that_nobody_placed_is_somewhere_and_its_label_not_judged(tmp_path):
    pack = packed(views(room.write_four_d_or(tmp_path))[0])
    tool = row_of(pack, "instrument")
    assert np.isnan(pack.peak[tool]).all() and np.isnan(pack.size[tool]).all()
    words = WORDS["4d-or"]
    unjudged = {label for i, label in enumerate(words.objects) if int(pack.unjudged) >> i & 1}
    assert unjudged == {"instrument", "operating_table"}  # 4D-OR lists all objects: others are nowhere


def test_a_person_outside_the_picture_is_left_out_of_it(tmp_path):
    root = room.write_four_d_or(tmp_path)
    take = root / "export_holistic_take1_processed"
    for path in (take / "annotations").iterdir():
        data = json.loads(path.read_text())
        for label in data["labels"]:
            if label["humanName"] == "anna":
                label["point3d"]["location"]["x"] += 400.0  # 20 m to the right
        path.write_text(json.dumps(data))
    pack = packed(views(root)[0])
    assert WORDS["4d-or"].object_index("human_0") not in pack.label
    assert (pack.action != len(WORDS["4d-or"].actions)).sum() == 1  # of three relations two were hers


def test_mm_or_moments_and_masks(tmp_path):
    found = views(room.write_mm_or(tmp_path), "mm-or")
    assert len(found) == 3 * len(room.EYES)  # neither the moment without a room camera nor 4D-OR's take
    pack = packed(found[0])
    words = WORDS["mm-or"]
    nurse, surgeon, patient = (row_of(pack, n, "mm-or") for n in ("nurse", "head_surgeon", "patient"))
    assert drawn_at(pack.image, pack.peak[nurse]) == "human_1"  # seen, in no relation
    assert pack.action[surgeon, patient] == words.action_index("sawing")
    unjudged = {label for i, label in enumerate(words.objects) if int(pack.unjudged) >> i & 1}
    assert unjudged == {"instrument"}
    assert not pack.depth.any()


def test_mm_or_without_masks_judges_nothing(tmp_path):
    pack = packed(views(room.write_mm_or(tmp_path, masks=None), "mm-or")[0])
    assert int(pack.unjudged) == 2 ** len(WORDS["mm-or"].objects) - 1
    assert (pack.semantic == UNKNOWN).all()


def test_a_picture_of_another_shape_is_padded_as_the_perceiver_pads(tmp_path):
    from or_spatial.perception.model import fit
    from or_spatial.perception.perceiver import Frame

    image = np.random.default_rng(0).integers(0, 255, (room.HEIGHT, room.WIDTH, 3), dtype=np.uint8)
    for size in ((64, 112), (96, 128), (100, 128)):
        fitted, wanted = Fitting(room.CAMERA, *size), fit(Frame("", 0, image, room.CAMERA), *size)
        np.testing.assert_array_equal(fitted.picture(image), wanted.image)
        np.testing.assert_allclose(fitted.camera.K, wanted.camera.K)


def test_convention_a_lens_is_straightened():
    bent = Camera(room.CAMERA.K, room.WIDTH, room.HEIGHT, (0.2, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0))
    point = np.array([0.9, -0.5, 2.0])
    image = np.zeros((room.HEIGHT, room.WIDTH, 3), np.uint8)
    u, v = bent.project(point).round().astype(int)
    cv2.circle(image, (int(u), int(v)), 3, (255, 255, 255), -1)
    fitting = Fitting(bent, room.HEIGHT, room.WIDTH)
    found = visible_middle(fitting.picture(image)[..., 0] > 128, (0, 0, 0, 0))
    np.testing.assert_allclose(found, fitting.camera.project(point), atol=1.5)
    assert np.linalg.norm(found - (u, v)) > 3.0  # the lens did bend it


DAMAGES = {
    "picture gone": ("colorimage/camera01_colorimage-000007.jpg", None, "does not exist"),
    "picture cut": ("colorimage/camera01_colorimage-000007.jpg", 0.6, "cut off"),
    "picture empty": ("colorimage/camera01_colorimage-000007.jpg", 0.0, "damaged"),
    "camera gone": ("camera01.json", None, "does not exist"),
    "camera cut": ("camera01.json", 0.5, "damaged or cut off"),
    "joints cut": ("annotations/000000.json", 0.5, "damaged or cut off"),
    "cloud cut": ("pcds/000000.pcd", 0.5, "damaged or cut off"),
    "mask cut": ("segmentation_export_1/camera01_colorimage-000007.png", 0.5, "cut off"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_missing_or_damaged_file_is_named(tmp_path, case):
    name, share, said = DAMAGES[case]
    root = room.write_four_d_or(tmp_path, masks="")
    path = root / "export_holistic_take1_processed" / name
    content = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DatasetError, match=said) as caught:
        read_view(views(root)[0], *SIZE)
    assert str(path) in str(caught.value)


def test_a_take_that_was_not_downloaded_is_named_or_passed_over(tmp_path):
    root = room.write_four_d_or(tmp_path)
    (root / "export_holistic_take1_processed" / "timestamp_to_pcd_and_frames_list.json").unlink()
    with pytest.raises(DatasetError, match="take1_processed.*does not exist"):
        views(root)
    damage = Damage(stop=False)
    assert folder(root).pictures("train", damage) == []
    assert len(damage.found) == 1 and "take1_processed" in damage.found[0]


def test_a_moment_that_the_list_does_not_have_is_named(tmp_path):
    root = room.write_four_d_or(tmp_path)
    path = root / "export_holistic_take1_processed" / "timestamp_to_pcd_and_frames_list.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:2]))
    damage = Damage(stop=False)
    assert len(folder(root).pictures("train", damage)) == 2 * len(room.EYES)
    assert "moment 000002" in damage.found[0]


def test_a_picture_that_is_not_its_cameras_is_refused(tmp_path):
    root = room.write_four_d_or(tmp_path)
    path = views(root)[0].image
    cv2.imwrite(str(path), np.zeros((100, 300, 3), np.uint8))
    with pytest.raises(DatasetError, match="300x100 px, its camera file says 256x192"):
        read_view(views(root)[0], *SIZE)


def test_a_mask_that_is_not_its_pictures_is_refused(tmp_path):
    root = room.write_four_d_or(tmp_path, masks="")
    cv2.imwrite(str(views(root)[0].masks[0]), np.zeros((10, 12), np.uint8))
    with pytest.raises(DatasetError, match="mask .* has 12x10 px"):
        read_view(views(root)[0], *SIZE)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("FIELDS x y\nPOINTS 1\nDATA ascii\n0 0\n", "'z'"),
        ("FIELDS x y z\nPOINTS 2\nDATA ascii\n0 0 1\n", "the header says"),
        ("FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 1\nDATA binary_compressed\n....", "ascii and binary"),
        ("no cloud at all", "no DATA"),
    ],
)
def test_a_cloud_that_cannot_be_read_says_why(tmp_path, header, said):
    (tmp_path / "x.pcd").write_text(header)
    with pytest.raises(DatasetError, match=said) as caught:
        read_pcd(tmp_path / "x.pcd")
    assert "x.pcd" in str(caught.value)


def test_a_cloud_in_ascii_reads_the_same(tmp_path):
    (tmp_path / "x.pcd").write_text("VERSION .7\nFIELDS rgb z x y\nPOINTS 3\nDATA ascii\n9 3 1 2\n9 nan 1 2\n9 6 4 5\n")
    np.testing.assert_array_equal(read_pcd(tmp_path / "x.pcd"), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("dataset", ["4d-or", "mm-or"])
def test_published_annotations_fit_drawn_pictures(tmp_path, data_dir, dataset):
    """Real relations of the validation split, our own pictures: labels, directions and counts survive the pack."""
    published = RoomFolder(dataset, tmp_path, data_dir / dataset, (1,))
    damage = Damage(stop=False)
    assert published.pictures("val", damage) == [] and damage.found  # the pictures are not there, and that is said
    take = "export_holistic_take4_processed" if dataset == "4d-or" else "002_PKA"
    (tmp_path / take).mkdir()
    room.write_camera(tmp_path / take / "camera01.json", 1)
    channels = {"pcd": "0", "color_1": "000000", "azure": "000000"}
    moments = [[i, channels] for i in range(1800)]
    (tmp_path / take / "timestamp_to_pcd_and_frames_list.json").write_text(json.dumps(moments))
    room.write_picture(tmp_path / take, 1, 0, "000000", None)
    found = published.pictures("val", Damage(stop=False))
    assert len(found) > 500
    for files in found[::97]:
        pack = packed(files)
        assert (pack.action != len(WORDS[dataset].actions)).sum() == len(files.scene.graph.relations)
        assert (pack.label >= 0).sum() == len(files.scene.graph.objects)


def test_a_picture_is_read_in_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "x.png"), np.full((4, 4, 3), (10, 20, 200), np.uint8))
    assert read_picture(tmp_path / "x.png")[0, 0].tolist() == [200, 20, 10]
