"""Pictures as files: read whole or refused by name, and brought to the network's size with their camera."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import DatasetError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.letterbox import GREY, Letterbox, straightening

_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}
_TAIL = 64  # bytes in which the end mark must stand; some cameras pad their files


def read_picture(path: Path, grey: bool = False) -> NDArray[np.uint8]:
    """RGB (H, W, 3), or the values as stored (H, W) with `grey`.

    A JPEG that ends too early is decoded by OpenCV without a word, its lower part grey: here it is refused.

    Raises:
        DatasetError: missing, cut off or no picture; names the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"picture {path} does not exist") from None
    except OSError as error:
        raise DatasetError(f"picture {path} cannot be read: {error.strerror}") from error
    mark = next((end for start, end in _ENDS.items() if content.startswith(start)), b"")
    if mark not in content[-_TAIL:]:
        raise DatasetError(f"picture {path} is cut off after {len(content)} bytes")
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION) if content else None
    if pixels is None:
        raise DatasetError(f"picture {path} is damaged or of an unknown format")
    return pixels if grey else np.ascontiguousarray(pixels[..., ::-1])


class Fitting:
    """How pictures of one camera come to (height, width): scaled, padded where the shape differs, lens straightened.

    `camera` is that of the fitted picture, without distortion.
    """

    def __init__(self, camera: Camera, height: int, width: int) -> None:
        self._box = Letterbox(camera.width, camera.height, width, height)
        self._small = camera.scaled(*self._box.inner_size)
        self.camera = self._box.camera(camera)

    def picture(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB picture, fitted."""
        return self._placed(image, cv2.INTER_AREA, cv2.INTER_LINEAR, GREY)

    def mask(self, values: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        """A picture of indices, fitted without mixing them; `outside` where the camera saw nothing."""
        return self._placed(values, cv2.INTER_NEAREST, cv2.INTER_NEAREST, outside)

    def _placed(self, image: NDArray[np.uint8], shrink: int, move: int, fill: int) -> NDArray[np.uint8]:
        small = cv2.resize(image, self._box.inner_size, interpolation=shrink)
        if self._small.distorted:
            small = cv2.remap(small, straightening(self._small), None, move, borderValue=(fill,) * 3)
        return self._box.framed(small, fill)
