"""Point clouds of the Point Cloud Library (`.pcd`), and the depth that a camera would see of one.

Convention
    file     a text header, then `DATA ascii` or `DATA binary`; x, y, z are read, colours are not
    depth    mean of the nearest surface in each cell, along optical z; what shines through a gap of it is dropped
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import DatasetError
from or_spatial.geometry.camera import Camera

_KINDS = {"F": "f", "I": "i", "U": "u"}
_THROUGH = 0.9  # a cell deeper than its nearest neighbour by more than a tenth shows what is behind it


def read_pcd(path: str | Path) -> NDArray[np.float64]:
    """Points (N, 3) in the file's own units; those that are no numbers are left out.

    Raises:
        DatasetError: the file is missing, damaged, compressed or without x, y, z; names it.
    """
    path = Path(path)
    try:
        header, data = _split(path.read_bytes())
        return _points(header, data)
    except FileNotFoundError:
        raise DatasetError(f"point cloud {path} does not exist") from None
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(f"point cloud {path} is damaged or cut off: {error}") from error


def _split(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    while "DATA" not in header:
        line, found, content = content.partition(b"\n")
        if not found:
            raise ValueError("no DATA line")
        words = line.decode("ascii").split()
        if words and not words[0].startswith("#"):
            header[words[0]] = words[1:]
    return header, content


def _points(header: dict[str, list[str]], data: bytes) -> NDArray[np.float64]:
    names, count = header["FIELDS"], int(header["POINTS"][0])
    if header["DATA"][0] == "ascii":
        table = np.array([line.split() for line in data.decode("ascii").splitlines() if line.strip()], dtype=np.float64)
        if table.shape != (count, len(names)):
            raise ValueError(f"{table.shape} numbers, the header says {(count, len(names))}")
        points = table[:, [names.index(axis) for axis in "xyz"]]
    elif header["DATA"][0] == "binary":
        shapes = [int(n) for n in header.get("COUNT", ["1"] * len(names))]
        kinds = [_KINDS[t] + s for t, s in zip(header["TYPE"], header["SIZE"], strict=True)]
        # Padding fields share one name ("_"): number them apart.
        unique = [name if name in "xyz" else f"{i}_{name}" for i, name in enumerate(names)]
        row = np.dtype([(n, k, (s,)) for n, k, s in zip(unique, kinds, shapes, strict=True)])
        table = np.frombuffer(data, row, count)
        points = np.concatenate([table[axis] for axis in "xyz"], axis=1).astype(np.float64)
    else:
        raise ValueError(f"data are {header['DATA'][0]!r}; ascii and binary are read")
    return points[np.isfinite(points).all(axis=1)]


def seen_depth(points_camera: NDArray[np.float64], camera: Camera, stride: int) -> NDArray[np.float16]:
    """Depth (height / stride, width / stride) m of points (N, 3) in the optical frame; 0 where there is none."""
    rows, columns = camera.height // stride, camera.width // stride
    ahead = points_camera[points_camera[:, 2] > 0.05]
    cells = np.floor((camera.project(ahead) + 0.5) / stride)
    inside = (cells >= 0).all(axis=1) & (cells < (columns, rows)).all(axis=1)
    column, row = cells[inside].astype(np.int64).T
    cell, z = row * columns + column, ahead[inside, 2]
    nearest = np.full(rows * columns, np.inf)
    np.minimum.at(nearest, cell, z)
    surface = z * _THROUGH <= nearest[cell]
    count = np.bincount(cell[surface], minlength=nearest.size)
    depth = np.bincount(cell[surface], z[surface], nearest.size) / np.maximum(count, 1)
    nearest = nearest.reshape(rows, columns)
    around = cv2.erode(nearest, np.ones((3, 3), np.uint8))  # the least of each cell and its eight neighbours
    seen = np.isfinite(nearest) & (nearest * _THROUGH <= around)
    return np.where(seen, depth.reshape(rows, columns), 0.0).astype(np.float16)
