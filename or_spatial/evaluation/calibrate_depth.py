"""Factors on a network's depth, fitted on validation: the truth is their median at every distance.

A network that has to guess pulls what is nearest towards what is usual: heads and lamps right before a camera come out
too far away. What it says is all that is known at run time, so the fit goes by stated depth.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets.packed import Packed
from or_spatial.perception.depth_factors import DepthFactors

_AT_M = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
_ENOUGH = 1000  # pixels; a distance with fewer is left as it is


def fit_depth_factors(frames: Sequence[Packed], depth_m: Sequence[NDArray[np.float32]]) -> DepthFactors:
    """From the true depth of packed frames (h, w), 0 where unknown, and what the network says of the same pixels."""
    true = np.concatenate([frame.depth[frame.depth > 0].astype(np.float64) for frame in frames])
    said = np.concatenate([d[frame.depth > 0].astype(np.float64) for frame, d in zip(frames, depth_m, strict=True)])
    between = np.sqrt(_AT_M[1:] * _AT_M[:-1])
    bins = np.digitize(said, between)
    factor = [
        np.median(true[bins == k] / said[bins == k]) if np.sum(bins == k) >= _ENOUGH else 1.0 for k in range(len(_AT_M))
    ]
    return DepthFactors(_AT_M, np.array(factor))
