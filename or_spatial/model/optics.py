"""What calibration alone tells each pixel: its ray, how steeply it falls, where it would meet the floor.

Convention: pixel (0, 0) is the centre of the top-left pixel; cell i of a stride-s grid is centred at s (i + 1/2) - 1/2.
`intrinsics` (B, 4) = fx, fy, cx, cy in px of the input picture. `viewer_from_camera` (B, 3, 3) turns the optical
frame (x right, y down, z forward) into the levelled viewer (x right, y forward, z up). `height` (B, 1) m is the
camera above the floor, 0 when unknown; a camera of unknown mount is taken as level, and its floor cue is switched off.
"""

import torch
from torch import Tensor


def cell_centres(rows: int, columns: int, stride: int, like: Tensor) -> Tensor:
    """Pixel coordinates (rows, columns, 2), (u, v), of the cells of a grid."""
    v = stride * (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) - 0.5
    u = stride * (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) - 0.5
    return torch.stack([u[None, :].expand(rows, columns), v[:, None].expand(rows, columns)], dim=-1)


def rays_through(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """Rays (B, ..., 3) with z = 1 through pixels (..., 2) or (B, ..., 2)."""
    shape = (-1,) + (1,) * (pixels.dim() - 2 if pixels.shape[0] == intrinsics.shape[0] and pixels.dim() > 2 else 0)
    fx, fy, cx, cy = (intrinsics[:, i].reshape(shape) for i in range(4))
    x = (pixels[..., 0] - cx) / fx
    y = (pixels[..., 1] - cy) / fy
    return torch.stack([x, y, torch.ones_like(x)], dim=-1)


def grid_rays(rows: int, columns: int, stride: int, intrinsics: Tensor) -> Tensor:
    """Rays (B, rows, columns, 3) through the centres of a grid's cells."""
    pixels = cell_centres(rows, columns, stride, intrinsics)
    centre, focal = intrinsics[:, None, None, 2:], intrinsics[:, None, None, :2]
    planar = (pixels[None] - centre) / focal
    return torch.cat([planar, torch.ones_like(planar[..., :1])], dim=-1)


def turned(rotation: Tensor, vectors: Tensor) -> Tensor:
    """Vectors (B, ..., 3) turned by (B, 3, 3); written out: mixed precision rounds matrix products by centimetres."""
    shaped = rotation.reshape(-1, *(1,) * (vectors.dim() - 2), 3, 3)
    return (shaped * vectors[..., None, :]).sum(-1)


def mount_cue(rays: Tensor, viewer_from_camera: Tensor, height: Tensor) -> Tensor:
    """Five maps (B, 5, H, W): the ray in the levelled viewer (unit), inverse depth of the floor, is it known."""
    levelled = turned(viewer_from_camera, rays)
    unit = levelled / levelled.norm(dim=-1, keepdim=True)
    known = (height > 0).to(rays.dtype)[:, :, None]
    fall = (-levelled[..., 2]).clamp(min=0.0)  # metres down per metre of depth along z
    inverse_floor = (fall / height.clamp(min=0.3)[:, :, None] * known).clamp(max=2.0)
    return torch.cat([unit, inverse_floor[..., None], known.expand_as(fall)[..., None]], dim=-1).permute(0, 3, 1, 2)
