"""What the renderer draws: triangle parts with a material, gathered into solids with an identity."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """Look of a surface. `base_rgb` is sRGB in [0, 1]; `emission` adds light of that colour (screens, lamp faces).

    `texture` names a procedural pattern of the renderer, `texture_scale_m` its period on the surface.
    """

    base_rgb: Rgb
    roughness: float = 0.7
    metallic: float = 0.0
    emission: float = 0.0
    texture: str = "plain"
    texture_scale_m: float = 0.1


@dataclass(frozen=True)
class Part:
    """One triangle mesh of one material: `vertices` (N, 3) m, `faces` (M, 3) indices, outward by right-hand rule."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    material: Material
    name: str = ""

    def moved(self, room_from_part: NDArray[np.float64]) -> "Part":
        """The same part under a rigid (4, 4) transform."""
        return replace(self, vertices=self.vertices @ room_from_part[:3, :3].T + room_from_part[:3, 3])


@dataclass(frozen=True)
class Solid:
    """Parts in the room frame that belong to one object; an empty `id` is scenery (floor, walls, cables)."""

    id: str
    parts: tuple[Part, ...]

    @property
    def vertices(self) -> NDArray[np.float64]:
        """All vertices, (N, 3) m, room frame."""
        return np.concatenate([p.vertices for p in self.parts]) if self.parts else np.empty((0, 3))
