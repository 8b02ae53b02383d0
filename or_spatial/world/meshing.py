"""Small meshes (boxes, lathes, tubes, sheets) with outward faces, and the kit that gathers them into parts.

A mesh is a pair (vertices (N, 3) float, m; faces (M, 3) int, counter-clockwise seen from outside). Edges that should
look sharp do not share vertices: the renderer smooths normals over shared vertices only.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.world.parts import Material, Part

Mesh = tuple[NDArray[np.float64], NDArray[np.int32]]


@dataclass(frozen=True)
class TexturedPart(Part):
    """A part that remembers where its surface lay when it was made: `rest` (N, 3) m carries the texture as it moves."""

    rest: NDArray[np.float64] | None = None


def join(*meshes: Mesh) -> Mesh:
    """One mesh of several; nothing is welded."""
    counts = np.cumsum([0] + [len(v) for v, _ in meshes])
    faces = [f + n for (_, f), n in zip(meshes, counts[:-1], strict=True)]
    return np.concatenate([v for v, _ in meshes]), np.concatenate(faces).astype(np.int32)


def place(mesh: Mesh, at: ArrayLike = (0, 0, 0), yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Mesh:
    """The mesh rolled about x, pitched about y (positive lowers +x), turned about z by yaw, then moved to `at`."""
    return mesh[0] @ rotation(yaw, pitch, roll).T + np.asarray(at, float), mesh[1]


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) Rz(yaw) @ Ry(pitch) @ Rx(roll), rad."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    return z @ y @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])


def box(size: ArrayLike, center: ArrayLike = (0, 0, 0), taper: float = 1.0, bevel: float = 0.0) -> Mesh:
    """Box of full `size` (3,); `taper` scales its upper face; `bevel` m chamfers the vertical edges."""
    sx, sy, sz = np.asarray(size, float) / 2
    b = min(bevel, 0.9 * min(sx, sy))
    if b > 0:
        outline = [(sx, -sy + b), (sx, sy - b), (sx - b, sy), (-sx + b, sy)]
        outline += [(-sx, sy - b), (-sx, -sy + b), (-sx + b, -sy), (sx - b, -sy)]
    else:
        outline = [(sx, -sy), (sx, sy), (-sx, sy), (-sx, -sy)]
    vertices, faces = prism(outline, -sz, sz)
    top = vertices[:, 2] > 0
    vertices[top, :2] *= taper
    return vertices + np.asarray(center, float), faces


def prism(outline: ArrayLike, low: float, high: float) -> Mesh:
    """A convex, counter-clockwise outline (N, 2) raised from z = `low` to `high`."""
    p = np.asarray(outline, float)
    n = len(p)
    q = np.roll(p, -1, axis=0)
    vertices, faces = [], []
    for i in range(n):
        vertices += [(*p[i], low), (*q[i], low), (*q[i], high), (*p[i], high)]
        k = 4 * i
        faces += [(k, k + 1, k + 2), (k, k + 2, k + 3)]
    base = 4 * n
    vertices += [(*v, high) for v in p] + [(*v, low) for v in p]
    faces += [(base, base + i, base + i + 1) for i in range(1, n - 1)]
    faces += [(base + n, base + n + i + 1, base + n + i) for i in range(1, n - 1)]
    return np.array(vertices, float), np.array(faces, np.int32)


def extrude_x(outline_yz: ArrayLike, half_length: float) -> Mesh:
    """A convex, counter-clockwise outline in (y, z) extended along x by `half_length` both ways."""
    v, f = prism(outline_yz, -half_length, half_length)
    return v[:, [2, 0, 1]], f


def grid_faces(rows: int, columns: int, closed: bool = False) -> NDArray[np.int32]:
    """Faces over vertices laid out row by row; outward when rows go up and columns counter-clockwise."""
    width = columns if closed else columns - 1
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(width), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def rings(loops: ArrayLike, caps: bool = True) -> Mesh:
    """Skin over closed loops (R, C, 3) that go counter-clockwise about the direction of travel; flat end caps."""
    loops = np.asarray(loops, float)
    r, c, _ = loops.shape
    vertices, faces = [loops.reshape(-1, 3)], [grid_faces(r, c, closed=True)]
    if caps:
        fan = np.array([(0, i, i + 1) for i in range(1, c - 1)], np.int32)
        vertices += [loops[-1], loops[0]]
        faces += [fan + r * c, fan[:, ::-1] + (r + 1) * c]
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32)


def lathe(profile: ArrayLike, sides: int = 16, caps: bool = True) -> Mesh:
    """Solid of revolution about z of (radius, z) pairs in rising order."""
    p = np.asarray(profile, float)
    a = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    loops = np.stack([p[:, :1] * np.cos(a), p[:, :1] * np.sin(a), np.repeat(p[:, 1:], sides, 1)], -1)
    return rings(loops, caps)


def cylinder(radius: float, low: float, high: float, sides: int = 14, top_radius: float | None = None) -> Mesh:
    """Upright cylinder or cone stump between z = `low` and `high`."""
    return lathe([(radius, low), (radius if top_radius is None else top_radius, high)], sides)


def sphere(radii: ArrayLike, center: ArrayLike = (0, 0, 0), sides: int = 14, rows: int = 9) -> Mesh:
    """Ellipsoid of three radii."""
    t = np.linspace(-np.pi / 2, np.pi / 2, rows)
    v, f = lathe(np.stack([np.cos(t).clip(1e-3), np.sin(t)], -1), sides, caps=False)
    return v * np.asarray(radii, float) + np.asarray(center, float), f


def frames_along(path: NDArray, up: ArrayLike | None = None) -> tuple[NDArray, NDArray, NDArray]:
    """Tangent, first and second normal (N, 3) along a path (N, 3), carried without twist; t = u x v."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True).clip(1e-9)
    seed = np.asarray(up, float) if up is not None else np.eye(3)[np.argmin(np.abs(tangents[0]))]
    u = np.empty_like(path)
    for i, t in enumerate(tangents):
        side = seed - t * (seed @ t)
        length = np.sqrt(side @ side)
        if length < 1e-6:
            side = np.cross(t, (0.31, 0.72, 0.62))
            length = np.sqrt(side @ side)
        seed = u[i] = side / length
    return tangents, u, np.cross(tangents, u)


def tube(
    path: ArrayLike,
    radius: float | ArrayLike,
    sides: int = 8,
    up: ArrayLike | None = None,
    flatten: float | ArrayLike = 1.0,
    caps: bool = True,
) -> Mesh:
    """Round skin of `radius` (scalar or (N,)) about a path (N, 3); `flatten` scales the second axis of the section."""
    path = np.asarray(path, float)
    n = len(path)
    radius, flatten = np.broadcast_to(radius, n), np.broadcast_to(flatten, n)
    _, u, v = frames_along(path, up)
    a = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    loops = path[:, None] + radius[:, None, None] * (
        np.cos(a)[None, :, None] * u[:, None] + (flatten[:, None] * np.sin(a))[..., None] * v[:, None]
    )
    return rings(loops, caps)


def rod(start: ArrayLike, end: ArrayLike, radius: float, sides: int = 8, end_radius: float | None = None) -> Mesh:
    """Straight round bar between two points."""
    return tube([start, end], [radius, radius if end_radius is None else end_radius], sides)


def smooth_path(points: ArrayLike, samples: int = 16) -> NDArray[np.float64]:
    """Catmull-Rom curve through points (N, 3), resampled to (samples, 3)."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    s = np.linspace(0, len(p) - 3 - 1e-9, samples)
    i, t = s.astype(int), (s % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def sheet(points: ArrayLike) -> Mesh:
    """A single-sided surface over grid points (R, C, 3); its faces look along column step x row step."""
    points = np.asarray(points, float)
    r, c, _ = points.shape
    return points.reshape(-1, 3), grid_faces(r, c)


def flipped(mesh: Mesh) -> Mesh:
    """The same surface seen from its other side."""
    return mesh[0], mesh[1][:, ::-1]


def both_sides(mesh: Mesh, gap: float = 0.004) -> Mesh:
    """A thin cloth: the sheet and its underside, `gap` m apart."""
    normals = vertex_normals(*mesh)
    return join(mesh, (mesh[0] - gap * normals, mesh[1][:, ::-1]))


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Area-weighted unit normals (N, 3) over shared vertices."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    n = np.cross(b - a, c - a)
    flat = faces.ravel()
    out = np.stack([np.bincount(flat, np.repeat(n[:, k], 3), len(vertices)) for k in range(3)], -1)
    return out / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-12)


@dataclass
class Kit:
    """Collects meshes and hands them out as one part per material and name: fewer parts, faster rooms."""

    meshes: dict[tuple[str, Material], list[Mesh]] = field(default_factory=dict)

    def add(self, material: Material, *meshes: Mesh, name: str = "") -> "Kit":
        """Append meshes of one material."""
        self.meshes.setdefault((name, material), []).extend(meshes)
        return self

    def parts(self) -> tuple[Part, ...]:
        """The gathered parts; texture coordinates are the coordinates as built."""
        out = []
        for (name, material), meshes in self.meshes.items():
            v, f = join(*meshes)
            out.append(TexturedPart(v, f, material, name, rest=v))
        return tuple(out)


def moved(parts: tuple[Part, ...], room_from_parts: NDArray) -> tuple[Part, ...]:
    """All parts under one rigid (4, 4) transform."""
    return tuple(p.moved(room_from_parts) for p in parts)


def renamed(parts: tuple[Part, ...], name: str) -> tuple[Part, ...]:
    """All parts under one name."""
    return tuple(replace(p, name=name) for p in parts)
