"""How long the network takes on this machine: wall time of `perceive`, after warm-up."""

import time
from dataclasses import dataclass

import numpy as np

from or_spatial.inference.bundle import Bundle
from or_spatial.inference.contract import OUTPUTS
from or_spatial.inference.session import OnnxSession, example_input


@dataclass(frozen=True)
class Latency:
    """Percentiles in ms over `runs` runs of a batch of `batch` pictures on `threads` threads."""

    p50_ms: float
    p95_ms: float
    runs: int
    batch: int
    threads: int


def perceive_latency(bundle: Bundle, runs: int = 60, batch: int = 1, threads: int = 2) -> Latency:
    """Time the bundle's `perceive` graph as the live path asks for it (no tokens)."""
    session = OnnxSession(bundle.perceive, threads)
    inputs = example_input(bundle.image_height, bundle.image_width, batch)
    wanted = [name for name in OUTPUTS if name != "tokens"]
    taken = []
    for _ in range(runs + 5):
        started = time.perf_counter()
        session.run(inputs, wanted)
        taken.append(1e3 * (time.perf_counter() - started))
    p50, p95 = np.percentile(taken[5:], [50, 95])
    return Latency(float(p50), float(p95), runs, batch, threads)
