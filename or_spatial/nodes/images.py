"""Image messages to pixels and back, in NumPy: no cv_bridge, whose ABI follows another NumPy than ours.

Every reader says what is wrong with an image instead of guessing: `ImageError` names size, step, encoding or bytes.
"""

import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from or_spatial.errors import GeometryError, ImageError
from or_spatial.geometry.camera import Camera

# encoding -> (channels, NumPy type, how the channels become RGB)
_COLOUR = {
    "rgb8": (3, np.uint8, None),
    "bgr8": (3, np.uint8, (2, 1, 0)),
    "rgba8": (4, np.uint8, (0, 1, 2)),
    "bgra8": (4, np.uint8, (2, 1, 0)),
    "mono8": (1, np.uint8, (0, 0, 0)),
    "8UC1": (1, np.uint8, (0, 0, 0)),
    "8UC3": (3, np.uint8, (2, 1, 0)),  # OpenCV's order, as cv_bridge has it
}
_DEPTH = {"32FC1": (1, np.float32), "16UC1": (1, np.uint16), "mono16": (1, np.uint16)}
_PLUMB_BOB = {"plumb_bob", "rational_polynomial", ""}


def rgb_from_image(message: Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of an Image in a colour or grey encoding; `step` may hold padding.

    32FC1 and 16UC1 are taken as grey: in [0, 1], and as the upper eight of 16 bits.

    Raises:
        ImageError: zero size, a step shorter than a row, missing bytes, NaN pixels, or an encoding that neither we
            nor an installed cv_bridge can read.
    """
    if message.encoding in _COLOUR:
        channels, kind, order = _COLOUR[message.encoding]
        pixels = _pixels(message, channels, kind)
        return np.ascontiguousarray(pixels if order is None else pixels[..., order])
    if message.encoding in _DEPTH:
        return _grey(_pixels(message, *_DEPTH[message.encoding])[..., 0])
    return _through_cv_bridge(message)


def depth_from_image(message: Image) -> NDArray[np.float32]:
    """(H, W) depth in metres along optical z; NaN where the sensor has none. 16UC1 is millimetres (REP 118).

    Raises:
        ImageError: as `rgb_from_image`, or an encoding that is not a depth encoding.
    """
    if message.encoding not in _DEPTH:
        raise ImageError(f"encoding {message.encoding!r} is no depth image; expected 32FC1 (m) or 16UC1 (mm)")
    values = _pixels(message, *_DEPTH[message.encoding])[..., 0]
    if values.dtype == np.uint16:
        return np.where(values == 0, np.nan, values * np.float32(1e-3)).astype(np.float32)
    return values.astype(np.float32)


def rgb_from_compressed(message: CompressedImage) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a JPEG or PNG.

    Raises:
        ImageError: empty, damaged or cut-off bytes. OpenCV fills the rest of a cut-off JPEG with grey, which would
            pass for a picture, so its end is looked for first.
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size == 0:
        raise ImageError("compressed image holds no bytes")
    if bytes(data[:2]) == b"\xff\xd8" and b"\xff\xd9" not in bytes(data[-64:]):
        raise ImageError(f"JPEG of {data.size} bytes ends before its end marker; it was cut off")
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None or picture.size == 0:
        raise ImageError(f"{data.size} bytes of format {message.format!r} are not a readable JPEG or PNG")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def camera_from_info(info: CameraInfo, width: int, height: int) -> Camera:
    """The camera of raw images of this size: K and D of the message.

    Raises:
        GeometryError: K[0] = 0 (not calibrated), another image size, binning, a region of interest, or a distortion
            model that is neither plumb_bob nor rational_polynomial.
    """
    if info.k[0] == 0.0:
        raise GeometryError("CameraInfo has K[0] = 0: the camera is not calibrated")
    if (info.width, info.height) != (width, height):
        raise GeometryError(f"CameraInfo is for {info.width}x{info.height}, the images are {width}x{height}")
    if info.binning_x > 1 or info.binning_y > 1 or info.roi.width or info.roi.height:
        raise GeometryError("CameraInfo has binning or a region of interest; publish one for the image as it is sent")
    if info.distortion_model not in _PLUMB_BOB:
        raise GeometryError(f"distortion model {info.distortion_model!r}; expected plumb_bob or rational_polynomial")
    return Camera(np.array(info.k).reshape(3, 3), width, height, tuple(info.d))


def info_from_camera(camera: Camera, header: Header) -> CameraInfo:
    """The CameraInfo of raw images of this camera; P is K, for it has no stereo partner."""
    K = camera.K
    model = "rational_polynomial" if len(camera.distortion) == 8 else "plumb_bob"
    distortion = [float(v) for v in camera.distortion] or [0.0] * 5
    P = np.hstack([K, np.zeros((3, 1))])
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model=model,
        d=distortion,
        k=K.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=P.ravel().tolist(),
    )


def image_from_array(pixels: NDArray, header: Header) -> Image:
    """An Image of (H, W, 3) uint8 RGB (rgb8), (H, W) uint8 (mono8) or (H, W) float32 (32FC1, metres)."""
    pixels = np.ascontiguousarray(pixels)
    encoding = {(3, np.dtype(np.uint8)): "rgb8", (2, np.dtype(np.uint8)): "mono8", (2, np.dtype(np.float32)): "32FC1"}
    message = Image(header=header, height=pixels.shape[0], width=pixels.shape[1])
    message.encoding = encoding[pixels.ndim, pixels.dtype]
    message.step = pixels.strides[0]
    message.data = array.array("B", pixels.tobytes())  # the one type that rclpy takes without looking at each byte
    return message


def compressed_from_rgb(pixels: NDArray[np.uint8], header: Header, quality: int = 90) -> CompressedImage:
    """A JPEG of (H, W, 3) uint8 RGB."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ImageError(f"an array of shape {pixels.shape} cannot be written as JPEG")
    return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=array.array("B", data.tobytes()))


def cloud_from_points(points: NDArray[np.float64], colours: NDArray[np.uint8], header: Header) -> PointCloud2:
    """A PointCloud2 of `points` (N, 3) m, header's frame, with `colours` (N, 3) RGB; rows with NaN are left out."""
    seen = np.isfinite(points).all(axis=1)
    packed = np.zeros(int(seen.sum()), dtype=[("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
    for axis, name in enumerate("xyz"):
        packed[name] = points[seen, axis]
    r, g, b = colours[seen].astype(np.uint32).T
    packed["rgb"] = r << 16 | g << 8 | b
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    fields.append(PointField(name="rgb", offset=12, datatype=PointField.UINT32, count=1))
    cloud = PointCloud2(header=header, height=1, width=packed.size, fields=fields, point_step=16, is_dense=True)
    cloud.row_step = 16 * packed.size
    cloud.data = array.array("B", packed.tobytes())
    return cloud


def _pixels(message: Image, channels: int, kind: type) -> NDArray:
    """(H, W, channels) view of the bytes, in native byte order."""
    if message.width < 1 or message.height < 1:
        raise ImageError(f"image is {message.width}x{message.height} pixels; expected at least 1x1")
    stored = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    row = message.width * channels * stored.itemsize
    if message.step < row:
        raise ImageError(
            f"step is {message.step} bytes, a row of {message.width} pixels {message.encoding} needs {row}"
        )
    needed = message.step * (message.height - 1) + row
    if len(message.data) < needed:
        raise ImageError(f"image holds {len(message.data)} bytes, {message.width}x{message.height} needs {needed}")
    flat = np.frombuffer(message.data, dtype=np.uint8, count=needed)
    shape = (message.height, message.width, channels)
    strides = (message.step, channels * stored.itemsize, stored.itemsize)
    return np.ndarray(shape, stored, flat, strides=strides).astype(kind, copy=False)


def _grey(values: NDArray) -> NDArray[np.uint8]:
    if values.dtype == np.uint16:
        levels = (values >> 8).astype(np.uint8)
    else:
        bad = ~np.isfinite(values) | (values < 0) | (values > 1)
        if bad.any():
            raise ImageError(f"{bad.mean():.0%} of the 32FC1 pixels are NaN or outside [0, 1]: is this a depth image?")
        levels = np.round(values * 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def _through_cv_bridge(message: Image) -> NDArray[np.uint8]:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        known = ", ".join([*_COLOUR, *_DEPTH])
        raise ImageError(f"encoding {message.encoding!r} is not read without cv_bridge; expected {known}") from None
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    except CvBridgeError as error:
        raise ImageError(f"encoding {message.encoding!r}: {error}") from None
