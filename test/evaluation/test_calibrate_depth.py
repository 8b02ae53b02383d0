"""Depth is corrected by how far it is said to be, and only where validation has something to say."""

from types import SimpleNamespace

import numpy as np

from or_spatial.evaluation.calibrate_depth import fit_depth_factors


def rooms(rng: np.random.Generator, nearest_m: float, frames: int = 20) -> tuple[list, list]:
    """Frames whose network says 25 % too much of what is nearer than 0.7 m, the rest with noise alone."""
    truth, said = [], []
    for _ in range(frames):
        true = np.exp(rng.uniform(np.log(nearest_m), np.log(10.0), (40, 40)))
        depth = np.where(true < 0.7, 1.25 * true, true) * np.exp(rng.normal(0.0, 0.05, true.shape))
        true[0] = 0.0  # unknown
        truth.append(SimpleNamespace(depth=true.astype(np.float16)))
        said.append(depth.astype(np.float32))
    return truth, said


def test_what_is_said_too_far_is_brought_back_and_the_rest_is_left():
    truth, said = rooms(np.random.default_rng(1), nearest_m=0.3)
    factors = fit_depth_factors(truth, said)
    assert np.isclose(factors.factor[0], 0.8, atol=0.02)
    assert np.allclose(factors.factor[2:], 1.0, atol=0.01)
    held_out, stated = rooms(np.random.default_rng(2), nearest_m=0.3)
    known = held_out[0].depth > 0
    error = [
        np.abs(np.log(d[known] / held_out[0].depth[known])).mean() for d in (stated[0], factors.calibrated(stated[0]))
    ]
    assert error[1] < 0.8 * error[0]


def test_a_distance_that_was_hardly_seen_is_left_as_it_is():
    truth, said = rooms(np.random.default_rng(3), nearest_m=2.0)
    factors = fit_depth_factors(truth, [2.0 * d for d in said])
    assert factors.factor[0] == 1.0 and np.isclose(factors.factor[-1], 0.5, atol=0.02)
