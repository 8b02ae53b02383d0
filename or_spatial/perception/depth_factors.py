"""What validation says of a network's depth: how far off it is, by how far it says things are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.inference.bundle import Bundle


@dataclass(frozen=True)
class DepthFactors:
    """What to multiply a depth of `at_m` (K,), m, rising, with: `factor` (K,); between them straight over logarithms,
    nearer and farther as at the ends.
    """

    at_m: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def of(cls, bundle: Bundle) -> "DepthFactors":
        """What was fitted with a bundle; no change where nothing was."""
        fitted = bundle.calibration.get("depth_factors", {"at_m": [1.0], "factor": [1.0]})
        return cls(np.asarray(fitted["at_m"], np.float64), np.asarray(fitted["factor"], np.float64))

    def calibrated(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """A depth map of any shape, m, corrected."""
        logs = np.interp(np.log(np.maximum(depth_m, 1e-6)), np.log(self.at_m), np.log(self.factor))
        return depth_m * np.exp(logs).astype(np.float32)
