"""From linear light to the picture a room camera would deliver: exposure, bloom, lens blur, noise, tone curve,
contrast, sharpening, JPEG. What moves while the shutter is open is `motion`'s."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.world.realism import PLAIN, Realism
from or_spatial.world.renderer import Rendering


@dataclass(frozen=True)
class Sensor:
    """One camera's electronics. `exposure_ev` stops; `white_balance` gains (r, g, b); `noise` read noise as a fraction
    of white (shot noise grows with it); `blur_px` sigma; `jpeg_quality` 1-100; `vignetting` loss in the corners, 0-1;
    `contrast` and `saturation` of the encoded picture (1 leaves it), `sharpening` of its edges (0 leaves them);
    `shutter_s` exposure time.
    """

    exposure_ev: float = 0.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 0.006
    blur_px: float = 0.35
    jpeg_quality: int = 90
    vignetting: float = 0.05
    contrast: float = 1.0
    saturation: float = 1.0
    sharpening: float = 0.0
    shutter_s: float = 0.0


def random_sensor(rng: np.random.Generator, realism: Realism = PLAIN) -> Sensor:
    """A camera as they come: mostly well set, some noisy, green or dark."""
    warm = rng.normal(0, 0.035)
    green = rng.normal(0, 0.02)
    plain = Sensor(
        exposure_ev=float(rng.normal(0.0, realism.exposure_ev)),
        white_balance=(float(1 + warm), float(1 + green), float(1 - warm)),
        noise=float(np.exp(rng.normal(np.log(0.006), 0.5))),
        blur_px=float(rng.uniform(0.2, 0.7)),
        jpeg_quality=int(rng.integers(72, 96)),
        vignetting=float(rng.uniform(0, 0.15)),
    )
    spread = realism.picture_spread
    if not spread:
        return plain
    return replace(
        plain,
        contrast=float(np.exp(rng.normal(0, spread))),
        saturation=float(np.exp(rng.normal(0, 1.5 * spread))),
        sharpening=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.4 else 0.0,
        shutter_s=float(realism.shutter_s * rng.uniform(0.1, 1.0)),
    )


def expose(rendering: Rendering, sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image (H, W, 3) uint8 RGB that `sensor` makes of a rendering; `rng` draws the noise only."""
    light = rendering.linear_rgb * np.float32(2.0**sensor.exposure_ev) * np.float32(sensor.white_balance)
    light = _bloomed(light) * _vignette(light.shape[:2], sensor.vignetting)
    if sensor.blur_px > 0.05:
        light = cv2.GaussianBlur(light, (0, 0), sensor.blur_px)
    light = light + _noise(light, sensor.noise, rng)
    return _compressed(_finished(_encoded(light), sensor), sensor.jpeg_quality)


def _bloomed(light: NDArray) -> NDArray:
    """Light above white spreads a little, as glass and sensor spread it."""
    if light.max() <= 1.05:
        return light
    glare = np.clip(light - 1, 0, 12)
    width = light.shape[1] / 320
    return (
        light + 0.05 * cv2.GaussianBlur(glare, (0, 0), 2.5 * width) + 0.02 * cv2.GaussianBlur(glare, (0, 0), 9 * width)
    )


def _vignette(shape: tuple[int, int], loss: float) -> NDArray:
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    return (1 - loss * 0.5 * (x[None] ** 2 + y[:, None] ** 2))[..., None]


def _noise(light: NDArray, read: float, rng: np.random.Generator) -> NDArray:
    """Read and shot noise, a third of it in common to the channels after demosaicing."""
    sigma = np.sqrt(read**2 * 0.3 + read * 0.02 * np.clip(light, 0, 1))
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    return sigma * (0.75 * grain + 0.5 * grain[..., 1:2])


def _encoded(light: NDArray) -> NDArray[np.uint8]:
    """Deep blacks, a shoulder above 0.6 and sRGB encoding (IEC 61966-2-1)."""
    x = np.clip(light, 0, None)
    x = x * x / (x + 0.025)
    x = np.where(x > 0.6, 0.6 + 0.4 * (1 - np.exp(-(x - 0.6) / 0.4)), x)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-6) ** (1 / 2.4) - 0.055)
    return (np.clip(srgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def _finished(image: NDArray[np.uint8], sensor: Sensor) -> NDArray[np.uint8]:
    """Contrast about middle grey, saturation about luma (ITU-R BT.601) and unsharp masking, as cameras apply them."""
    if sensor.contrast == sensor.saturation == 1.0 and not sensor.sharpening:
        return image
    x = image.astype(np.float32)
    luma = x @ np.float32([0.299, 0.587, 0.114])
    x = luma[..., None] + sensor.saturation * (x - luma[..., None])
    x = 118 + sensor.contrast * (x - 118)
    if sensor.sharpening:
        x += sensor.sharpening * (x - cv2.GaussianBlur(x, (0, 0), 1.0))
    return np.clip(x + 0.5, 0, 255).astype(np.uint8)


def _compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
