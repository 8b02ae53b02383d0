"""Fits `config/relation_trust.yaml`: how often geometry's word about two kinds of things is borne out by their meshes.

    python -m or_spatial.evaluation.relation_trust_fit --split train --scenes 400 --out config/relation_trust.yaml

Takes about ten minutes on one core. Two moments of each scene of `--task calibration` are measured exactly; centres are
then moved by Gaussian doubt of 0.015 to 0.12 m per axis, and the probabilities that boxes at those places and with that
doubt have are compared with what truly holds. No tracker takes part: what it gets wrong is not geometry's. Never fit on
test.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from or_spatial.evaluation.calibration_scene import SceneTask, simulation_of, told
from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.geometry.relations import all_pairs_probabilities
from or_spatial.scene.relation_trust import TrustGroup, as_yaml, features
from or_spatial.world.splits import stream
from or_spatial.world.truth import Bodies, pair_facts, truth_graph

Array = NDArray[np.float64]

GROUPS = ((("near", "touching"), True), (("on", "above"), False), (("inside",), False))
"""Predicates that exclude each other, and whether the order of the labels means nothing."""
_DRAWS = 2
_DOUBT_M = (0.015, 0.12)
_SURELY_NONE = 0.999  # pairs of which this is said and true teach little: one in so many is kept, with its weight
_KEPT_ONE_IN = 20
_SHRINK = 1.0  # of each label pair's shift, in units of log-loss: as if some pairs had been seen without one
_LEAST_PAIRS = 30


@dataclass(frozen=True)
class ExactMoment:
    """N boxes without doubt (labels, centres and sizes (N, 3), yaws) and what truly holds between them (N, N, 10)."""

    labels: tuple[str, ...]
    centers: Array
    sizes: Array
    yaws: Array
    true: NDArray[np.bool_]


@dataclass
class PairSamples:
    """Q ordered pairs: geometric probabilities (Q, 10), truth (Q, 10), both labels, and how many pairs each row is."""

    p: Array
    true: NDArray[np.bool_]
    labels: list[tuple[str, str]]


def exact_moments(task: SceneTask, seeds: Iterable[int]) -> Iterator[ExactMoment]:
    """Two moments of each scene, one in each half."""
    for seed in seeds:
        simulation, rng = simulation_of(task, seed), stream(task.split, seed, "relation trust")
        for half in (0.0, 0.5):
            state = simulation.state(float((half + rng.uniform(0.05, 0.45)) * task.duration_s))
            bodies = Bodies.of(state)
            graph = truth_graph(state, pair_facts(state, bodies), bodies, np.eye(4), "viewer")
            objects = graph.objects
            yield ExactMoment(
                tuple(o.label for o in objects),
                np.array([o.center_m for o in objects]),
                np.array([o.size_m for o in objects]),
                np.array([o.yaw_rad for o in objects]),
                told([o.id for o in objects], graph) > 0.5,
            )


def doubtful_pairs(moments: Iterable[ExactMoment], rng: np.random.Generator) -> PairSamples:
    """Every ordered pair of each moment, seen at places that are off by as much as is said."""
    p, true, labels = [], [], []
    for m in moments:
        n = len(m.labels)
        off = np.nonzero(~np.eye(n, dtype=bool))
        for _ in range(_DRAWS):
            sigma_m = np.exp(rng.uniform(*np.log(_DOUBT_M), n))
            centers = m.centers + sigma_m[:, None] * rng.normal(size=(n, 3))
            covariances = sigma_m[:, None, None] ** 2 * np.eye(3)
            table = all_pairs_probabilities(centers, covariances, m.sizes, m.yaws, np.eye(3))
            p.append(table[off])
            true.append(m.true[off])
            labels += [(m.labels[i], m.labels[j]) for i, j in zip(*off, strict=True)]
    return PairSamples(np.concatenate(p), np.concatenate(true), labels)


def fit_group(samples: PairSamples, predicates: Sequence[str], symmetric: bool) -> TrustGroup:
    """The maximum of the penalised likelihood of one group; label pairs seen less than 30 times are left out."""
    columns = [PREDICATES.index(name) for name in predicates]
    C = len(columns)
    p, true = samples.p[:, columns], samples.true[:, columns]
    target = np.where(true.any(1), true.argmax(1), C)
    kept, weight = _worth(p, target)
    pairs = [tuple(sorted(pair)) if symmetric else pair for pair in samples.labels]
    names, of = np.unique([" ".join(pair) for pair in pairs], return_inverse=True)
    common = np.bincount(of, minlength=len(names)) >= _LEAST_PAIRS
    of, x, target = of[kept], features(p[kept]), target[kept]

    def unpack(v: Array) -> tuple[Array, Array, Array]:
        return v[: C * (C + 1)].reshape(C, C + 1), v[C * (C + 1) : C * (C + 2)], v[C * (C + 2) :].reshape(-1, C)

    def loss(v: Array) -> tuple[float, Array]:
        weights, bias, shifts = unpack(v)
        logits = np.concatenate([x @ weights.T + bias + shifts[of], np.zeros((len(x), 1))], axis=1)
        logits -= logits.max(1, keepdims=True)
        log_q = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        error = np.exp(log_q)
        error[np.arange(len(x)), target] -= 1.0
        error = (weight[:, None] * error)[:, :C]
        by_pair = np.stack([np.bincount(of, error[:, c], minlength=len(names)) for c in range(C)], axis=1)
        gradient = np.concatenate([(error.T @ x).ravel(), error.sum(0), (by_pair + _SHRINK * shifts).ravel()])
        total = -(weight * log_q[np.arange(len(x)), target]).sum() + 0.5 * _SHRINK * (shifts**2).sum()
        return float(total), gradient

    as_it_is = np.concatenate([np.eye(C), -np.ones((C, 1))], axis=1)
    start = np.concatenate([as_it_is.ravel(), np.zeros(C * (1 + len(names)))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400})
    weights, bias, shifts = unpack(found.x)
    told_of = {tuple(n.split(" ")): shifts[k] for k, n in enumerate(names.tolist()) if common[k]}
    labels = frozenset(label for pair in samples.labels for label in pair)
    return TrustGroup(tuple(predicates), symmetric, weights, bias, told_of, labels)


def _worth(p: Array, target: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """Rows to fit on and their weights: all but most of those where nothing is said and nothing is true."""
    dull = (1.0 - p.sum(1) > _SURELY_NONE) & (target == p.shape[1])
    kept = np.flatnonzero(~dull | (np.arange(len(p)) % _KEPT_ONE_IN == 0))
    return kept, np.where(dull[kept], float(_KEPT_ONE_IN), 1.0)


def fit(moments: Iterable[ExactMoment], seed: int = 0) -> list[TrustGroup]:
    """All groups."""
    samples = doubtful_pairs(moments, np.random.default_rng(seed))
    return [fit_group(samples, predicates, symmetric) for predicates, symmetric in GROUPS]


def main() -> None:
    """Fit and write; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="train", choices=("train", "val"))
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("config/relation_trust.yaml"))
    asked = parser.parse_args()
    groups = fit(exact_moments(SceneTask(asked.split), range(asked.scenes)))
    source = f"relation_trust_fit --split {asked.split} --scenes {asked.scenes}"
    asked.out.write_text(as_yaml(groups, source), encoding="utf-8")


if __name__ == "__main__":
    main()
