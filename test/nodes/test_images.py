"""Image messages to pixels: every encoding, every fault, asymmetric sizes and values."""

import array

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

import cv2
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from or_spatial.errors import GeometryError, ImageError
from or_spatial.geometry.camera import Camera
from or_spatial.nodes.images import (
    camera_from_info,
    cloud_from_points,
    compressed_from_rgb,
    depth_from_image,
    image_from_array,
    info_from_camera,
    rgb_from_compressed,
    rgb_from_image,
)

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 7  # 2 rows, 3 columns


def message(encoding, pixels, padding=0, bigendian=0):
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    image = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=padded.shape[1])
    image.is_bigendian = bigendian
    image.data = array.array("B", padded.tobytes())
    return image


ALPHA = np.full((2, 3, 1), 9, np.uint8)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "stored"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.concatenate([RGB, ALPHA], axis=2)),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], axis=2)),
    ],
)
def test_every_colour_encoding_gives_the_same_rgb(encoding, stored, padding):
    np.testing.assert_array_equal(rgb_from_image(message(encoding, stored, padding)), RGB)


@pytest.mark.parametrize("padding", [0, 3])
def test_grey_becomes_three_equal_channels(padding):
    grey = rgb_from_image(message("mono8", RGB[..., :1], padding))
    np.testing.assert_array_equal(grey, np.repeat(RGB[..., :1], 3, axis=2))


def test_sixteen_bit_grey_keeps_its_upper_bits_in_both_byte_orders():
    values = np.array([[[0x1234], [0xFF00], [0x00FF]]], np.uint16)
    little = rgb_from_image(message("mono16", values.astype("<u2")))
    big = rgb_from_image(message("mono16", values.astype(">u2"), bigendian=1))
    np.testing.assert_array_equal(little[0, :, 0], [0x12, 0xFF, 0x00])
    np.testing.assert_array_equal(little, big)


def test_depth_in_millimetres_becomes_metres_and_zero_becomes_unknown():
    depth = depth_from_image(message("16UC1", np.array([[[1500], [0], [250]]], np.uint16)))
    np.testing.assert_allclose(depth, [[1.5, np.nan, 0.25]])


def test_float_depth_keeps_nan():
    depth = depth_from_image(message("32FC1", np.array([[[1.25], [np.nan]]], np.float32)))
    np.testing.assert_array_equal(depth, np.array([[1.25, np.nan]], np.float32))


def cut(image, count):
    image.data = image.data[:-count]
    return image


def with_step(image, step):
    image.step = step
    return image


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image(encoding="rgb8"), "0x0 pixels"),
        (Image(encoding="rgb8", width=4, height=0), "4x0 pixels"),
        (cut(message("rgb8", RGB), 1), "holds 17 bytes, 3x2 needs 18"),
        (with_step(message("rgb8", RGB), 8), "step is 8 bytes, a row of 3 pixels rgb8 needs 9"),
        (message("32FC1", np.array([[[np.nan], [0.5]]], np.float32)), "50% of the 32FC1 pixels are NaN"),
        (message("bayer_rggb8", RGB[..., :1]), "'bayer_rggb8' is not read without cv_bridge; expected rgb8"),
    ],
)
def test_a_bad_image_is_refused_in_words(image, said):
    with pytest.raises(ImageError, match=said):
        rgb_from_image(image)


def test_a_colour_image_is_no_depth_image():
    with pytest.raises(ImageError, match="'rgb8' is no depth image"):
        depth_from_image(message("rgb8", RGB))


def picture():
    rng = np.random.default_rng(5)
    return cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), (160, 90), interpolation=cv2.INTER_CUBIC)


def test_a_jpeg_comes_back_with_red_in_the_first_channel():
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    back = rgb_from_compressed(compressed_from_rgb(red, Header()))
    assert back.shape == (20, 30, 3)
    np.testing.assert_allclose(back.mean(axis=(0, 1)), [200, 0, 0], atol=6)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_jpeg_that_was_cut_off_is_refused_however_much_is_left(kept):
    whole = compressed_from_rgb(picture(), Header()).data
    part = CompressedImage(format="jpeg", data=whole[: int(kept * len(whole))])
    with pytest.raises(ImageError, match="holds no bytes|cut off"):
        rgb_from_compressed(part)


def test_bytes_that_are_no_picture_are_refused():
    with pytest.raises(ImageError, match="7 bytes of format 'jpeg' are not a readable"):
        rgb_from_compressed(CompressedImage(format="jpeg", data=array.array("B", b"garbage")))


CAMERA = Camera(np.array([[410.0, 0, 310.0], [0, 420.0, 190.0], [0, 0, 1]]), 640, 360, (0.1, -0.05, 0.001, 0.002, 0.0))


def test_a_camera_survives_the_way_through_camera_info():
    assert camera_from_info(info_from_camera(CAMERA, Header()), 640, 360) == CAMERA


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": np.zeros(9)}, r"K\[0\] = 0"),
        ({"width": 1280, "height": 720}, "for 1280x720, the images are 640x360"),
        ({"distortion_model": "equidistant"}, "'equidistant'"),
        ({"binning_x": 2}, "binning"),
    ],
)
def test_camera_info_that_does_not_fit_is_refused_in_words(change, said):
    info = info_from_camera(CAMERA, Header())
    for name, value in change.items():
        setattr(info, name, value)
    with pytest.raises(GeometryError, match=said):
        camera_from_info(info, 640, 360)


def test_an_empty_camera_info_is_not_calibrated():
    with pytest.raises(GeometryError, match="not calibrated"):
        camera_from_info(CameraInfo(), 640, 360)


def test_a_depth_image_comes_back_exactly():
    depth = np.array([[1.5, np.nan, 2.25], [0.5, 3.0, 9.0]], np.float32)
    sent = image_from_array(depth, Header(frame_id="c"))
    assert (sent.encoding, sent.step, sent.header.frame_id) == ("32FC1", 12, "c")
    np.testing.assert_array_equal(depth_from_image(sent), depth)


def test_a_cloud_leaves_out_unknown_points_and_packs_colour_as_rviz_reads_it():
    points = np.array([[1.0, 2.0, 3.0], [np.nan, 0, 0], [4.0, 5.0, 6.0]])
    colours = np.array([[1, 2, 3], [9, 9, 9], [4, 5, 6]], np.uint8)
    cloud = cloud_from_points(points, colours, Header())
    rows = np.frombuffer(cloud.data, dtype=[("xyz", "<f4", 3), ("rgb", "<u4")])
    np.testing.assert_array_equal(rows["xyz"], points[[0, 2]])
    assert [hex(v) for v in rows["rgb"]] == ["0x10203", "0x40506"]
