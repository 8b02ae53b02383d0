"""One picture of many: a grid of moments of a clip, or of a split's rooms, to judge by eye."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.world.samples import look
from or_spatial.world.simulation import Simulation


def rooms_sheet(
    split: str, seeds: Sequence[int], path: Path, width: int = 448, height: int = 256, columns: int = 4
) -> Path:
    """The middle of many clips, one camera each, as a PNG."""
    pictures = []
    for k, seed in enumerate(seeds):
        simulation = Simulation(split, seed)
        view = look(simulation, simulation.state(8.0), k % 4, width, height)
        pictures.append(captioned(view.image, f"{split} {seed}  {simulation.procedure}"))
    return write_sheet(pictures, columns, path)


def captioned(image: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A copy with a line of text in the lower left corner."""
    out = image.copy()
    at = (6, image.shape[0] - 8)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return out


def write_sheet(pictures: list[NDArray[np.uint8]], columns: int, path: Path) -> Path:
    """Pictures of one size in rows, written as PNG."""
    blank = np.zeros_like(pictures[0])
    padded = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.concatenate(padded[i : i + columns], axis=1) for i in range(0, len(padded), columns)]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])
    return path
