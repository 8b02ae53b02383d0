"""A pinhole camera with Brown-Conrady or rational distortion, as ROS `CameraInfo` and OpenCV describe it.

Convention
    optical frame   x right, y down, z forward, metres
    pixel           (u, v) = (column, row); (0, 0) is the CENTRE of the top-left pixel, so the image covers
                    [-0.5, width - 0.5] x [-0.5, height - 0.5]
    depth           along the optical z axis, not along the ray
    distortion      k1, k2, p1, p2[, k3[, k4, k5, k6]]: OpenCV's order
    Worked out      fx = 400, cx = 319.5: the point (0.5, 0, 2) m lies at u = 319.5 + 400 * 0.25 = 419.5

Nothing is clipped to the image. Points that are not in front of the camera project to NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError

_LENGTHS = (0, 4, 5, 8)
_NEWTON_STEPS = 20
_CONVERGED = 1e-9  # of the normalised plane: 1e-6 px at a focal length of 1000 px


@dataclass(frozen=True, eq=False)
class Camera:
    """Intrinsics at one image size.

    `K` is (3, 3) in px with zero skew; `width`, `height` in px; `distortion` has 0, 4, 5 or 8 coefficients.

    Raises:
        GeometryError: focal lengths that are not positive and finite, skew, a size below 1, or a number of distortion
            coefficients that no supported model has.
    """

    K: NDArray[np.float64]
    width: int
    height: int
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        K = np.array(self.K, dtype=np.float64)
        if K.shape != (3, 3):
            raise GeometryError(f"camera matrix K must be (3, 3), got shape {K.shape}")
        if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise GeometryError(f"focal lengths must be positive, got fx={K[0, 0]}, fy={K[1, 1]}: is it calibrated?")
        if not np.allclose(K[[0, 1, 2, 2], [1, 0, 0, 1]], 0.0) or not np.isclose(K[2, 2], 1.0):
            raise GeometryError(f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] without skew, got {K.tolist()}")
        if self.width < 1 or self.height < 1:
            raise GeometryError(f"image size must be positive, got {self.width}x{self.height}")
        K.setflags(write=False)
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "width", int(self.width))
        object.__setattr__(self, "height", int(self.height))
        object.__setattr__(self, "distortion", _checked(self.distortion))

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov_rad: float) -> "Camera":
        """Square pixels, principal point in the middle, the given angle between left and right image EDGE."""
        if not 0.0 < horizontal_fov_rad < np.pi:
            raise GeometryError(f"field of view must lie in (0, pi) rad, got {horizontal_fov_rad}: degrees?")
        f = 0.5 * width / np.tan(0.5 * horizontal_fov_rad)
        return cls(np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]]), width, height)

    @property
    def fx(self) -> float:
        """Horizontal focal length, px."""
        return float(self.K[0, 0])

    @property
    def fy(self) -> float:
        """Vertical focal length, px."""
        return float(self.K[1, 1])

    @property
    def cx(self) -> float:
        """Column of the principal point, px."""
        return float(self.K[0, 2])

    @property
    def cy(self) -> float:
        """Row of the principal point, px."""
        return float(self.K[1, 2])

    @property
    def distorted(self) -> bool:
        """Whether any distortion coefficient differs from zero."""
        return any(self.distortion)

    def project(self, points_camera: ArrayLike) -> NDArray[np.float64]:
        """Pixels (..., 2) of points (..., 3) in the optical frame, m; NaN where z <= 0."""
        points = np.asarray(points_camera, dtype=np.float64)
        z = points[..., 2:3]
        plane = points[..., :2] / np.where(z > 0, z, np.nan)
        if self.distorted:
            plane = _distort(plane, self.distortion)
        return plane * (self.fx, self.fy) + (self.cx, self.cy)

    def unproject(self, pixels: ArrayLike, depth_m: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 3) in the optical frame, m, of pixels (..., 2) with depth (...) along optical z, m.

        NaN where the depth is NaN, and for pixels so far outside the image that the distortion has no inverse.
        """
        plane = (np.asarray(pixels, dtype=np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)
        if self.distorted:
            plane = _undistort(plane, self.distortion)
        z = np.broadcast_to(np.asarray(depth_m, dtype=np.float64), plane.shape[:-1])[..., None]
        return np.concatenate([plane * z, z], axis=-1)

    def pixel_rays(self) -> NDArray[np.float64]:
        """Ray (height, width, 3) through the centre of each pixel, scaled to z = 1: times depth gives the point."""
        pixels = np.stack(np.meshgrid(np.arange(self.width), np.arange(self.height)), axis=-1)
        return self.unproject(pixels, 1.0)

    def scaled(self, width: int, height: int) -> "Camera":
        """The same camera after its image was resized; half a pixel moves with the size, see Convention."""
        sx, sy = width / self.width, height / self.height
        K = np.array(
            [[self.fx * sx, 0, (self.cx + 0.5) * sx - 0.5], [0, self.fy * sy, (self.cy + 0.5) * sy - 0.5], [0, 0, 1]]
        )
        return Camera(K, width, height, self.distortion)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Camera) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return (self.K.tobytes(), self.width, self.height, self.distortion)


def _checked(distortion: ArrayLike) -> tuple[float, ...]:
    values = tuple(float(v) for v in np.asarray(distortion, dtype=np.float64).ravel())
    if len(values) not in _LENGTHS:
        raise GeometryError(
            f"distortion needs 0, 4, 5 or 8 coefficients (k1,k2,p1,p2[,k3[,k4,k5,k6]]), got {len(values)}"
        )
    if not np.isfinite(values).all():
        raise GeometryError(f"distortion coefficients must be finite, got {values}")
    return values


def _radial(r2: NDArray, k: NDArray) -> tuple[NDArray, NDArray]:
    """Radial factor and its derivative by r^2; OpenCV's rational model, eq. in the docs of calib3d."""
    k1, k2, _, _, k3, k4, k5, k6 = k
    above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    d_above = k1 + r2 * (2 * k2 + r2 * 3 * k3)
    d_below = k4 + r2 * (2 * k5 + r2 * 3 * k6)
    return above / below, (d_above * below - above * d_below) / below**2


def _padded(distortion: tuple[float, ...]) -> NDArray:
    return np.array(distortion + (0.0,) * (8 - len(distortion)))


def _distort(plane: NDArray, distortion: tuple[float, ...]) -> NDArray:
    k = _padded(distortion)
    p1, p2 = k[2], k[3]
    x, y = plane[..., 0], plane[..., 1]
    r2 = x * x + y * y
    radial, _ = _radial(r2, k)
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1
    )


def _undistort(plane: NDArray, distortion: tuple[float, ...]) -> NDArray:
    """Newton's method: OpenCV's fixed-point iteration stalls for the strong lenses of wide rooms."""
    guess = plane.copy()
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            error = _distort(guess, distortion) - plane
            if not np.nanmax(np.abs(error), initial=0.0) > _CONVERGED:
                break
            guess -= _newton_step(guess, error, distortion)
        error = _distort(guess, distortion) - plane
        missed = ~(np.abs(error).max(axis=-1) <= 1e3 * _CONVERGED)
    return np.where(missed[..., None], np.nan, guess)


def _newton_step(plane: NDArray, error: NDArray, distortion: tuple[float, ...]) -> NDArray:
    k = _padded(distortion)
    p1, p2 = k[2], k[3]
    x, y = plane[..., 0], plane[..., 1]
    radial, slope = _radial(x * x + y * y, k)
    a = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
    b = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y  # the Jacobian is symmetric: [[a, b], [b, c]]
    c = radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
    ex, ey = error[..., 0], error[..., 1]
    return np.stack([c * ex - b * ey, a * ey - b * ex], -1) / (a * c - b * b)[..., None]
