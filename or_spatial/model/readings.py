"""What the fusion block reads of depth instead of the network's own prediction: the truth, or what should not help.

A reading goes from the predicted maps to those that are read, all (B, H/4, W/4): log of depth in m, and log of its
Laplace scale, the doubt. Only the fusion block reads them: depth output, objects and pairs keep the prediction, so that
what a reading changes is what the fusion block made of depth. `or_spatial evaluate --task ablation` compares them.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Maps = tuple[Tensor, Tensor]
Reading = Callable[[Tensor, Tensor], Maps]

_LEAST_M = 0.05  # a true depth below stands for none
_SURE = math.log(0.01)  # the doubt of true depth: a percent, about what its storage rounds away


def true_depth(depth_m: Tensor | NDArray[np.floating]) -> Reading:
    """The true map (B, H/4, W/4), m, where there is one (above 5 cm), and the prediction elsewhere."""
    true = torch.as_tensor(depth_m)

    def read(log_depth: Tensor, log_scale: Tensor) -> Maps:
        known = true > _LEAST_M
        return (
            torch.where(known, true.clamp(min=_LEAST_M).log().to(log_depth.dtype), log_depth),
            torch.where(known, _SURE, log_scale),
        )

    return read


def instead(log_depth: Tensor, log_scale: Tensor) -> Reading:
    """These maps, whatever was predicted: those of another frame."""
    return lambda *_: (log_depth, log_scale)


def constant(depth_m: float) -> Reading:
    """One depth everywhere, as doubtful everywhere as the prediction is on average."""
    level = math.log(depth_m)
    return lambda log_depth, log_scale: (
        torch.full_like(log_depth, level),
        log_scale.mean((1, 2), keepdim=True).expand_as(log_scale),
    )


def mirrored(log_depth: Tensor, log_scale: Tensor) -> Maps:
    """The prediction with left and right exchanged."""
    return log_depth.flip(-1), log_scale.flip(-1)
