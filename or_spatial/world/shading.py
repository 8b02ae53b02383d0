"""How much light reaches a point and how much of it the camera gets: soft shadows, bounced light, highlights.

All arrays are float32 and flat over N samples: at these sizes NumPy's memory traffic is the cost that counts.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from or_spatial.world.light import Light, Lighting
from or_spatial.world.raycasting import Hits, TriangleRoom, unit
from or_spatial.world.textures import PATTERNS, Surface

if TYPE_CHECKING:
    from or_spatial.world.renderer import Quality

Array = NDArray[np.float32]
_LIFT_M = 0.004  # shadow rays start this far off the surface: coarse meshes with smooth normals shade themselves else
_TILE = 4  # the sampling pattern repeats every 4 x 4 points; the filter averages over as many


@dataclass(frozen=True)
class Samples:
    """N points seen by rays: `face` (N,) or -1; `position`, `normal` (towards the viewer), `geometric`, `view` (to the
    eye, unit) (N, 3) in the room frame; `depth` (N,) m along z; `footprint` (N,) m; `pixels` (N, 2).
    """

    face: NDArray[np.int32]
    position: Array
    normal: Array
    geometric: Array
    rest: Array
    view: Array
    depth: Array
    footprint: Array
    pixels: Array

    @classmethod
    def from_hits(
        cls, room: TriangleRoom, hits: Hits, origins: Array, directions: Array, pixels: Array, focal_px: float
    ) -> "Samples":
        """Interpolate what the rays met; rays that met nothing get zeros and `face` -1."""
        n = len(hits.face)
        if not len(room.faces):
            zero = np.zeros((n, 3), np.float32)
            return cls(hits.face, zero, zero, zero, zero, zero, zero[:, 0], zero[:, 0], pixels)
        corners = room.faces[hits.face]
        w = np.stack([1 - hits.u - hits.v, hits.u, hits.v], -1)[..., None]
        view = unit(-directions)
        geometric = room.face_normals[hits.face]
        geometric = geometric * _sign(geometric, view)
        smooth = unit((room.normals[corners] * w).sum(1))
        smooth = smooth * _sign(smooth, geometric)
        facing = np.einsum("ni,ni->n", smooth, view)[:, None]
        smooth = np.where(facing < 0.02, unit(smooth + (0.02 - facing) * view), smooth)
        depth = np.where(hits.face >= 0, hits.distance, 0).astype(np.float32)
        slant = np.einsum("ni,ni->n", geometric, view).clip(0.2)
        position = origins + directions * depth[:, None]
        rest = (room.rest[corners] * w).sum(1)
        return cls(hits.face, position, smooth, geometric, rest, view, depth, depth / focal_px / slant, pixels)

    def subset(self, index: NDArray) -> "Samples":
        """The samples at `index`."""
        return replace(self, **{k: getattr(self, k)[index] for k in self.__dataclass_fields__})


@dataclass(frozen=True)
class Irradiance:
    """Light at N points: `visible` (N, L) share of each light's disc; `ambient` (N, 3) bounced light, linear. A coarse
    grid of `shape` also keeps the `samples` that it was computed at.
    """

    visible: Array
    ambient: Array
    shape: tuple[int, int] = (0, 0)
    samples: Samples | None = None


def _sign(a: Array, b: Array) -> Array:
    return np.where(np.einsum("ni,ni->n", a, b) < 0, np.float32(-1), np.float32(1))[:, None]


def _frame(n: Array) -> tuple[Array, Array]:
    """Two tangents per unit normal (Duff et al. 2017)."""
    s = np.where(n[:, 2] < 0, np.float32(-1), np.float32(1))
    a = -1 / (s + n[:, 2])
    b = n[:, 0] * n[:, 1] * a
    x = np.stack([1 + s * n[:, 0] ** 2 * a, s * b, -s * n[:, 0]], -1)
    y = np.stack([b, s + n[:, 1] ** 2 * a, -n[:, 1]], -1)
    return x, y


def _pattern(shape: tuple[int, int], dimension: int) -> Array:
    """(N, 2) offsets in [0, 1) that differ between the 16 points of each 4 x 4 tile (R2 sequence, Roberts 2018)."""
    rank = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    rows, columns = np.arange(shape[0]) % _TILE, np.arange(shape[1]) % _TILE
    k = rank[np.ix_(rows, columns)].ravel() + 16 * dimension
    return np.stack([(0.5 + k * 0.7548776662) % 1, (0.5 + k * 0.5698402909) % 1], -1).astype(np.float32)


def _disc(uv: Array) -> Array:
    r, a = np.sqrt(uv[:, 0]), 2 * np.pi * uv[:, 1]
    return np.stack([r * np.cos(a), r * np.sin(a)], -1)


def coarse_irradiance(
    room: TriangleRoom, samples: Samples, lighting: Lighting, shape: tuple[int, int], quality: "Quality"
) -> Irradiance:
    """Trace shadow and ambient rays at the samples of a grid and smooth the result within surfaces."""
    n = len(samples.face)
    visible = np.ones((n, len(lighting.lights)), np.float32)
    ambient = np.zeros((n, 3), np.float32)
    seen = np.flatnonzero(samples.face >= 0)
    if len(seen):
        s = samples.subset(seen)
        start = s.position + _LIFT_M * s.geometric
        for k, light in enumerate(lighting.lights):
            visible[seen, k] = _visible(room, s, start, light, shape, seen, k, quality.shadow_rays)
        ambient[seen] = _bounced(room, s, start, lighting, shape, seen, quality.ambient_rays)
    field = smoothed(np.concatenate([visible, ambient], 1), samples, shape)
    return Irradiance(field[:, :-3], field[:, -3:], shape, samples)


def _visible(
    room: TriangleRoom, s: Samples, start: Array, light: Light, shape: tuple[int, int], seen: NDArray, k: int, rays: int
) -> Array:
    axis = light.axis.astype(np.float32)[None]
    x, y = _frame(axis)
    total = np.zeros(len(seen), np.float32)
    lit = np.flatnonzero(_falloff(light, s)[0] * np.einsum("ni,ni->n", s.normal, _towards(light, s)[0]) > 1e-4)
    for r in range(rays if len(lit) else 0):
        xy = light.radius_m * _disc(_pattern(shape, 2 * (k * rays + r))[seen[lit]])
        target = np.float32(light.position) + xy[:, :1] * x + xy[:, 1:] * y
        total[lit] += ~room.blocked(start[lit], target - start[lit])
    return total / rays


def _towards(light: Light, s: Samples) -> tuple[Array, Array]:
    to = np.float32(light.position) - s.position
    d = np.sqrt(np.einsum("ni,ni->n", to, to)).clip(0.05)
    return to / d[:, None], d


def _falloff(light: Light, s: Samples) -> tuple[Array, Array]:
    """Irradiance (N,) on a surface turned to the light, and the distance (N,)."""
    to, d = _towards(light, s)
    cosine = -(to @ light.axis.astype(np.float32))
    if light.spot_angle_rad is None:
        shape = cosine.clip(0)
    else:
        inner, outer = np.cos(light.spot_angle_rad), np.cos(2.2 * light.spot_angle_rad)
        t = ((cosine - outer) / (inner - outer)).clip(0, 1)
        shape = t * t * (3 - 2 * t) * 0.985 + 0.015 * cosine.clip(0)
    return (light.intensity * shape / (d * d + light.radius_m**2)).astype(np.float32), d


def _bounced(
    room: TriangleRoom, s: Samples, start: Array, lighting: Lighting, shape: tuple[int, int], seen: NDArray, rays: int
) -> Array:
    """Light (N, 3) that comes by way of other surfaces: what a cosine-weighted ray meets, dimmer when it is close."""
    x, y = _frame(s.normal)
    ambient = np.float32(lighting.ambient_rgb)
    total = np.zeros((len(seen), 3), np.float32)
    for r in range(rays):
        uv = _pattern(shape, 101 + 3 * r)[seen]
        uv[:, 0] = (uv[:, 0] + r) / rays
        xy = _disc(uv)
        up = np.sqrt((1 - uv[:, :1]).clip(0))
        d = xy[:, :1] * x + xy[:, 1:] * y + up * s.normal
        total += _met(room, room.cast(start, d), ambient, glow=0.25)
    return total / max(rays, 1)


def _met(room: TriangleRoom, hits: Hits, ambient: Array, glow: float = 1.0) -> Array:
    """Radiance (N, 3) of what rays met, from its colour and how far off it is; unlit sky where they met nothing.

    `glow` scales what screens and lamps emit: few rays that meet a small bright thing make blotches, and the lights are
    counted on their own.
    """
    m = room.materials
    material = room.face_material[hits.face]
    open_ = (hits.distance / 1.1).clip(0, 1)[:, None]
    base = m.base[material] * (1 - 0.3 * m.metallic[material])[:, None]
    light = ambient * base * 1.7 * (0.22 + 0.78 * open_) + (glow * base * m.emission[material][:, None]).clip(
        0, 1.5 * glow
    )
    return np.where((hits.face >= 0)[:, None], light, ambient)


def smoothed(field: Array, samples: Samples, shape: tuple[int, int]) -> Array:
    """Mean over the 4 x 4 neighbours (and their mirror) that lie on the same smooth surface."""
    h, w = shape
    pad = 2

    def padded(a: Array) -> Array:
        return np.pad(a.reshape(h, w, -1), ((pad, pad), (pad, pad), (0, 0)), mode="edge")

    f, p, n = padded(field), padded(samples.position), padded(samples.normal)
    here_p, here_n = samples.position.reshape(h, w, 3), samples.normal.reshape(h, w, 3)
    scale = (samples.depth.reshape(h, w) * 0.02 + 0.01).astype(np.float32)
    total, weight = np.zeros((h, w, field.shape[1]), np.float32), np.zeros((h, w, 1), np.float32)
    for dy in range(-pad, pad + 1):
        for dx in range(-pad, pad + 1):
            window = (slice(pad + dy, pad + dy + h), slice(pad + dx, pad + dx + w))
            off = np.abs(np.einsum("hwi,hwi->hw", p[window] - here_p, here_n)) / scale
            same = np.einsum("hwi,hwi->hw", n[window], here_n).clip(0) ** 4
            tap = (1.0 if abs(dy) < 2 else 0.5) * (1.0 if abs(dx) < 2 else 0.5)
            share = (tap * same * np.maximum(0, 1 - off) + 1e-5)[..., None]
            total += share * f[window]
            weight += share
    return (total / weight).reshape(len(field), -1)


def look_up(light: Irradiance, samples: Samples, step: int) -> Irradiance:
    """The light of a coarse grid carried to samples: bilinear among the four nearest that share the surface."""
    if light.samples is samples:
        return light
    h, w = light.shape
    at = samples.pixels / step
    low = np.floor(at)
    t = (at - low).astype(np.float32)
    n = len(samples.face)
    lights = light.visible.shape[1]
    field = np.concatenate([light.visible, light.ambient], 1)
    total, weight = np.zeros((n, lights + 3), np.float32), np.zeros((n, 1), np.float32)
    scale = samples.depth * 0.012 + 0.006
    for dx in (0, 1):
        for dy in (0, 1):
            column = (low[:, 0] + dx).clip(0, w - 1).astype(np.int64)
            row = (low[:, 1] + dy).clip(0, h - 1).astype(np.int64)
            k = row * w + column
            bilinear = (t[:, 0] if dx else 1 - t[:, 0]) * (t[:, 1] if dy else 1 - t[:, 1]) + 0.02
            off = np.abs(np.einsum("ni,ni->n", light.samples.position[k] - samples.position, samples.normal)) / scale
            same = np.einsum("ni,ni->n", light.samples.normal[k], samples.normal).clip(0) ** 4
            share = (bilinear * (same * np.exp(-off) + 1e-4))[:, None].astype(np.float32)
            total += share * field[k]
            weight += share
    total /= weight
    return Irradiance(total[:, :lights], total[:, lights:])


def shade(room: TriangleRoom, samples: Samples, light: Irradiance, lighting: Lighting) -> Array:
    """Linear colour (N, 3) of samples; black where nothing was met."""
    colour = np.zeros((len(samples.face), 3), np.float32)
    seen = np.flatnonzero(samples.face >= 0)
    if not len(seen):
        return colour
    s = samples.subset(seen)
    visible, ambient = light.visible[seen], light.ambient[seen]
    m = room.materials
    material = room.face_material[s.face]
    surface = surfaces(room, s, lighting)
    normal = unit(s.normal + surface.bump - np.einsum("ni,ni->n", surface.bump, s.normal)[:, None] * s.normal)
    metal = m.metallic[material][:, None]
    alpha = surface.roughness.clip(0.08, 1) ** 2
    facing = np.einsum("ni,ni->n", normal, s.view).clip(0.05)
    f0 = 0.04 * (1 - metal) + surface.base * metal
    diffuse, gloss = ambient.copy(), np.zeros_like(ambient)
    for k, one in enumerate(lighting.lights):
        to, d = _towards(one, s)
        falloff, _ = _falloff(one, s)
        cosine = np.einsum("ni,ni->n", normal, to).clip(0)
        arriving = (falloff * visible[:, k] * cosine)[:, None] * np.float32(one.color_rgb)
        diffuse += arriving
        wide = (alpha + 0.35 * one.radius_m / d).clip(0, 1)
        gloss += arriving * _ggx(normal, s.view, to, facing, cosine, wide)[:, None]
    fresnel = f0 + (1 - f0) * ((1 - facing) ** 5 * (1 - 0.8 * surface.roughness))[:, None]
    mirrored = _mirrored(room, s, normal, material, ambient, lighting)
    colour[seen] = (
        surface.base * (1 - metal) * diffuse
        + f0 * gloss
        + fresnel * mirrored
        + surface.base * surface.emission[:, None]
    )
    return colour


def surfaces(room: TriangleRoom, samples: Samples, lighting: Lighting) -> Surface:
    """What N samples on surfaces are made of, patterns and lit lamps included."""
    material = room.face_material[samples.face]
    surface = _textured(room, samples, material)
    _switched(room, samples, material, surface, lighting)
    return surface


def _ggx(normal: Array, view: Array, to: Array, facing: Array, cosine: Array, alpha: Array) -> Array:
    """Highlight factor D * V * pi (the 1 / pi is in the unit of intensity), Walter et al. 2007, clipped."""
    half = unit(to + view)
    nh = np.einsum("ni,ni->n", normal, half).clip(0)
    a2 = alpha * alpha
    d = a2 / ((nh * nh * (a2 - 1) + 1) ** 2).clip(1e-6)
    v = 0.5 / (cosine * (facing * (1 - alpha) + alpha) + facing * (cosine * (1 - alpha) + alpha)).clip(1e-3)
    return (d * v).clip(0, 40)


def _mirrored(
    room: TriangleRoom, s: Samples, normal: Array, material: NDArray, ambient: Array, lighting: Lighting
) -> Array:
    """What the surface mirrors (N, 3): traced for metal and the polished, the ambient light for the rest."""
    m = room.materials
    out = ambient * 0.8
    sharp = np.flatnonzero((m.metallic[material] > 0.5) | (m.roughness[material] < 0.2))
    if len(sharp):
        n, v = normal[sharp], s.view[sharp]
        d = 2 * np.einsum("ni,ni->n", n, v)[:, None] * n - v
        hits = room.cast(s.position[sharp] + _LIFT_M * s.geometric[sharp], d.astype(np.float32))
        met = _met(room, hits, 1.25 * np.float32(lighting.ambient_rgb))
        blur = m.roughness[material[sharp]][:, None] ** 0.8
        out[sharp] = met * (1 - blur) + 1.1 * ambient[sharp] * blur
    return out


def _switched(room: TriangleRoom, s: Samples, material: NDArray, surface: Surface, lighting: Lighting) -> None:
    """Lamp faces glow when their light is on, ceiling panels as brightly as the room is lit."""
    names = np.array(room.materials.texture)[material]
    surface.emission[names == "ceiling_light"] *= np.float32(min(1.5, np.mean(lighting.ambient_rgb) / 0.5))
    faces = np.flatnonzero(names == "lamp_face")
    for light in lighting.lights if len(faces) else ():
        if light.spot_angle_rad is not None:
            near = np.linalg.norm(s.position[faces] - np.float32(light.position), axis=1) < light.radius_m + 0.18
            surface.emission[faces[near]] = 4.0


def _textured(room: TriangleRoom, s: Samples, material: NDArray) -> Surface:
    m = room.materials
    surface = Surface(
        s.rest,
        np.zeros_like(s.rest),
        m.base[material].copy(),
        m.roughness[material].copy(),
        m.emission[material].copy(),
        m.scale[material],
        s.footprint,
        np.zeros_like(s.rest),
    )
    names = np.array(m.texture)[material]
    for name in set(m.texture) & PATTERNS.keys():
        index = np.flatnonzero(names == name)
        if len(index):
            _patterned(room, s, surface, name, index)
    return surface


def _patterned(room: TriangleRoom, s: Samples, surface: Surface, name: str, index: NDArray) -> None:
    part = Surface(**{k: getattr(surface, k)[index] for k in Surface.__dataclass_fields__})
    a, b, c = (room.rest[room.faces[s.face[index], k]] for k in range(3))
    part.rest_normal = np.cross(b - a, c - a)
    PATTERNS[name](part)
    for k in ("base", "roughness", "emission", "bump"):
        getattr(surface, k)[index] = getattr(part, k)
