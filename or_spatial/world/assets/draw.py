"""Seeded choices of a variant: each kind draws from a stream of its own, so that one number means many things."""

import zlib

import numpy as np


def stream(kind: str, variant: int) -> np.random.Generator:
    """Random numbers that belong to one variant of one kind."""
    return np.random.default_rng([zlib.crc32(kind.encode()), int(variant) & 0x7FFFFFFF])


def pick(rng: np.random.Generator, *choices, weights: tuple[float, ...] | None = None):
    """One of the choices."""
    p = None if weights is None else np.asarray(weights) / np.sum(weights)
    return choices[int(rng.choice(len(choices), p=p))]
