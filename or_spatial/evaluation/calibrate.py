"""What is fitted on the validation split after training, and written into a bundle's manifest.

Class weights and focal losses leave probabilities that are off in known ways. Fitted here, on frames that training has
not seen and never on the test split: existence as a probability (Platt scaling, one slope and a bias per label), the
existence threshold that serves relations best, how likely what is reported then is (Platt scaling again), a bias per
action that undoes the class weights, a bias per geometric predicate, the network's weight against the posterior
geometry, a factor on the network's standard deviations, the error that watching longer does not reduce, factors on its
depth. After this log-odds of 0 are the decision point of every relation, and how likely it is at each distance from
there is fitted last (`relation_statements`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from scipy.optimize import linear_sum_assignment, minimize
from scipy.special import expit

from or_spatial.datasets.packed import Packed, shards, unstack
from or_spatial.errors import BundleError
from or_spatial.evaluation.calibrate_depth import fit_depth_factors
from or_spatial.evaluation.metrics.matching import gate_m
from or_spatial.evaluation.statement_fit import KNOTS, fit_statement
from or_spatial.files import write_whole
from or_spatial.geometry.relations import all_pairs_probabilities
from or_spatial.inference.bundle import MANIFEST, Bundle
from or_spatial.inference.model_card import write_card
from or_spatial.inference.session import Arrays, OnnxSession, Session
from or_spatial.perception.model import ModelSettings, Trust, decided, existence_odds, ray_covariance, select
from or_spatial.perception.relations_fusion import log_odds
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.relations import Family
from or_spatial.scene.vocabulary import load_vocabulary

_EXISTENCE_GRID = np.linspace(0.1, 0.7, 25)
_FAINT = 0.02  # existence before calibration below which a query is not worth a look
_SHRINK = 0.05  # pull of a label's bias to the common one, in units of one sighting
_BIAS_GRID = np.linspace(-4.0, 4.0, 33)
_MEDIAN_OF_NORM = 1.538  # of a vector of three standard normal numbers
_CHI_SQUARE_95 = {1: 3.841, 2: 5.991}


@dataclass
class Voices:
    """All validation pairs of true objects: what the network says, what the boxes say, what is true. P pairs."""

    action: NDArray[np.float32]  # (P, actions + 1); certain `none` where an object was missed
    true_action: NDArray[np.int64]  # (P,)
    network: NDArray[np.float32]  # (P, predicates) log-odds
    geometry: NDArray[np.float32]  # (P, predicates) log-odds
    true_geometric: NDArray[np.bool_]  # (P, predicates)
    found: NDArray[np.bool_]  # (P,) both ends were


def calibrate(
    bundle: Bundle, session: Session, frames: list[Packed], progress: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Fit everything on packed validation frames (each without a batch axis); the `calibration` part of a manifest."""
    raw = []
    for frame in frames:
        raw.append(run_packed(session, frame))
        if progress:
            progress()
    return calibration_of(bundle, frames, raw)


def calibration_of(bundle: Bundle, frames: list[Packed], raw: list[Arrays]) -> dict[str, Any]:
    """The `calibration` part of a manifest, from what the network said of each frame."""
    gates = match_gates(bundle)
    trust = fit_trust(frames, raw, gates, len(bundle.labels), _FAINT)
    found = [trust.calibrated(one) for one in raw]
    existence = best_existence(frames, found, gates)
    shown = fit_trust(frames, found, gates, len(bundle.labels), existence)
    matches = [match(f, o, reported(o, existence), gates) for f, o in zip(frames, found, strict=True)]
    sigma = sigma_scale(frames, found, matches)
    voices = gather(bundle, frames, found, matches, sigma)
    weight, geometric_bias = best_geometric(voices)
    action_bias = best_action_bias(voices)
    statements = relation_statements(bundle, voices, action_bias, geometric_bias, weight)
    depth = fit_depth_factors(frames, [one["depth"] for one in raw])
    return {
        "split": "val",
        "frames": len(frames),
        "existence_slope": round(trust.slope, 4),
        "existence_bias": [round(float(b), 3) for b in trust.bias],
        "existence_threshold": round(existence, 4),
        "reported_slope": round(shown.slope, 4),
        "reported_bias": [round(float(b), 3) for b in shown.bias],
        "sigma_scale": round(sigma, 4),
        "persistent_error_m": round(persistent_error(frames, found, matches), 4),
        "action_bias": [round(float(b), 3) for b in action_bias],
        "geometric_bias": [round(float(b), 3) for b in geometric_bias],
        "model_weight": weight,
        "relation_statements": statements,
        "depth_factors": {"at_m": depth.at_m.tolist(), "factor": np.round(depth.factor, 3).tolist()},
    }


def calibrate_bundle(folder: Path, val_folder: Path) -> Bundle:
    """Calibrate the bundle in `folder` on packed validation frames and write the result into its manifest.

    Raises:
        BundleError: no bundle there, or these frames cannot calibrate it (see `why_not`).
        DatasetError: no validation frames there.
    """
    bundle = Bundle.load(folder)
    if reason := why_not(bundle, val_folder):
        raise BundleError(reason)
    frames = [one for shard in shards(val_folder) for one in unstack(shard)]
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("calibrating on val", total=len(frames))
        fitted = calibrate(bundle, OnnxSession(bundle.perceive), frames, lambda: bar.advance(task))
    path = folder / MANIFEST
    write_whole(path, json.dumps(json.loads(path.read_text()) | {"calibration": fitted}, indent=1) + "\n")
    write_card(folder)
    return Bundle.load(folder)


def why_not(bundle: Bundle, val_folder: Path) -> str:
    """Why packed frames cannot calibrate a bundle, "" where they can: a fit needs all places in 3D, in its words."""
    recipe = val_folder / "recipe.json"
    dataset = json.loads(recipe.read_text()).get("dataset", "or_world") if recipe.is_file() else "or_world"
    if dataset != bundle.vocabulary:
        return f"frames in {val_folder} speak {dataset!r}, the bundle {bundle.vocabulary!r}"
    if dataset != "or_world":
        return f"frames of {dataset} do not say where in 3D everything is, which calibration compares with"
    return ""


def run_packed(session: Session, frame: Packed) -> Arrays:
    """What the network says of one packed frame, as far as calibration asks."""
    inputs = {
        "image": frame.image[None],
        "intrinsics": frame.intrinsics[None],
        "viewer_from_camera": frame.viewer_from_camera[None],
        "height": frame.height[None],
    }
    wanted = ["center", "sigma", "size", "yaw", "label", "existence", "action", "geometric", "depth"]
    return {name: value[0] for name, value in session.run(inputs, wanted).items()}


def match_gates(bundle: Bundle) -> NDArray[np.float64]:
    """(labels,) m, how far a query's centre may be from a true one of its label: the gates of the metrics."""
    words = load_vocabulary(bundle.vocabulary)
    return np.array([gate_m(words.category(label)) for label in bundle.labels])


def reported(found: Arrays, existence: float) -> NDArray[np.int64]:
    """The queries that a perceiver with this threshold would report."""
    return np.array(select(found, ModelSettings(existence=existence)), np.int64)


def match(frame: Packed, found: Arrays, queries: NDArray[np.int64], gates_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) query of each true object, -1 where missed: same label, within its gate, each of `queries` once."""
    labels = found["label"][queries].argmax(-1)
    apart = np.linalg.norm(frame.center[:, None] - found["center"][queries][None], axis=-1)
    cost = np.where((frame.label[:, None] == labels[None]) & (apart <= gates_m[labels][None]), apart, 1e3)
    result = np.full(len(frame.label), -1)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < 1e3:
            result[row] = queries[column]
    return result


def fit_trust(
    frames: list[Packed], found: list[Arrays], gates_m: NDArray[np.float64], labels: int, above: float
) -> Trust:
    """Logistic regression of "this query is a true object" on its log-odds, a bias per label, of what a perceiver with
    the threshold `above` would report.

    Biases are pulled a little to their mean, so that a label with few sightings does not run away.
    """
    odds, kinds, hits = [], [], []
    for frame, out in zip(frames, found, strict=True):
        kept = reported(out, above)
        odds.append(existence_odds(out)[kept])
        kinds.append(out["label"][kept].argmax(-1))
        hits.append(np.isin(kept, match(frame, out, kept, gates_m)))
    odds, kinds, hits = (np.concatenate(part) for part in (odds, kinds, hits))

    def loss(parameters: NDArray[np.float64]) -> float:
        slope, bias = parameters[0], parameters[1:]
        z = slope * odds + bias[kinds]
        return float(np.logaddexp(0.0, np.where(hits, -z, z)).sum() + _SHRINK * ((bias - bias.mean()) ** 2).sum())

    fitted = minimize(loss, np.concatenate([[1.0], np.zeros(labels)]), method="L-BFGS-B").x
    return Trust(float(max(fitted[0], 0.1)), fitted[1:].astype(np.float32))


def best_existence(frames: list[Packed], found: list[Arrays], gates_m: NDArray[np.float64]) -> float:
    """The threshold with the best F1 of ordered pairs of objects: a relation needs both its ends.

    True pairs of one frame are hit by matched queries only; every pair of reported queries beyond those is invented.
    The figures that serve are of two kinds, so the mean of two F1 decides: one overlooks what is invented (as the
    field's macro F1 of relations does), one punishes it (as our strict F1 does).
    """

    def f1(threshold: float) -> float:
        hits = said = true = 0
        for frame, out in zip(frames, found, strict=True):
            queries = reported(out, threshold)
            n, k = int((frame.label >= 0).sum()), len(queries)
            m = int((match(frame, out, queries, gates_m) >= 0).sum())
            hits, said, true = hits + m * (m - 1), said + k * (k - 1), true + n * (n - 1)
        return hits / max(hits + true, 1) + hits / max(said + true, 1)

    return float(max(_EXISTENCE_GRID, key=f1))


def sigma_scale(frames: list[Packed], found: list[Arrays], matches: list[NDArray[np.int64]]) -> float:
    """The factor that puts 95 % of matched centres inside the 95 % interval along the ray and across it."""
    ratios = []
    for frame, out, rows in zip(frames, found, matches, strict=True):
        true = np.flatnonzero(rows >= 0)
        error = out["center"][rows[true]] - frame.center[true]
        ray = frame.center[true] / np.linalg.norm(frame.center[true], axis=1, keepdims=True)
        along = np.abs((error * ray).sum(1))
        across = np.sqrt(np.maximum((error**2).sum(1) - along**2, 0.0))
        sigma = np.maximum(out["sigma"][rows[true]], 1e-3)
        ratios += [along / sigma[:, 0] / np.sqrt(_CHI_SQUARE_95[1]), across / sigma[:, 1] / np.sqrt(_CHI_SQUARE_95[2])]
    ratios = np.concatenate(ratios) if ratios else np.ones(1)
    return float(np.clip(np.quantile(ratios, 0.95), 0.2, 5.0)) if len(ratios) else 1.0


def persistent_error(frames: list[Packed], found: list[Arrays], matches: list[NDArray[np.int64]]) -> float:
    """Standard deviation per axis, m, of matched centres, from their median error so that outliers do not count.

    A network errs about the same thing in the same way from frame to frame: time does not average this out, so a
    tracker must not believe itself to be better.
    """
    errors = [
        np.linalg.norm(out["center"][rows[rows >= 0]] - frame.center[rows >= 0], axis=1)
        for frame, out, rows in zip(frames, found, matches, strict=True)
    ]
    errors = np.concatenate(errors) if errors else np.zeros(0)
    return float(np.median(errors)) / _MEDIAN_OF_NORM if errors.size else 0.0


def gather(
    bundle: Bundle, frames: list[Packed], found: list[Arrays], matches: list[NDArray[np.int64]], sigma: float
) -> Voices:
    """Every ordered pair of true objects of every frame."""
    actions = len(bundle.actions)
    parts: list[tuple] = []
    for frame, out, rows in zip(frames, found, matches, strict=True):
        true = np.flatnonzero(frame.label >= 0)
        rows = rows[true]
        seen = rows >= 0
        off = ~np.eye(len(true), dtype=bool)
        both = (seen[:, None] & seen[None])[..., None]
        none = np.zeros(actions + 1, np.float32)
        none[-1] = 1.0
        action = np.where(both, out["action"][rows][:, rows], none)
        network = np.where(both, log_odds(out["geometric"][rows][:, rows]), -20.0)
        geometry = np.where(both, log_odds(_posterior(out, rows, sigma, frame.viewer_from_camera)), -20.0)
        bits = frame.geometric[np.ix_(true, true)][..., None] >> np.arange(len(bundle.geometric))
        parts.append(
            (
                action[off],
                frame.action[np.ix_(true, true)][off],
                network[off],
                geometry[off],
                (bits & 1)[off] > 0,
                both[off][..., 0],
            )
        )
    action, true_action, network, geometry, true_geometric, found = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return Voices(action, true_action.astype(np.int64), network, geometry, true_geometric, found)


def _posterior(out: Arrays, rows: NDArray[np.int64], sigma: float, viewer_from_camera: NDArray) -> NDArray[np.float64]:
    """(n, n, 10) from predicted boxes. The levelled viewer serves as room: only differences of place count."""
    rotation = viewer_from_camera.astype(np.float64)
    centers = out["center"][rows].astype(np.float64)
    spread = [ray_covariance(c, *(sigma * out["sigma"][r])) for c, r in zip(centers, rows, strict=True)]
    turned = np.array([rotation @ s @ rotation.T for s in spread]).reshape(-1, 3, 3)
    return all_pairs_probabilities(centers @ rotation.T, turned, out["size"][rows], out["yaw"][rows], np.eye(3))


def macro_f1(predicted: NDArray[np.int64], true: NDArray[np.int64], classes: int) -> float:
    """Mean F1 over the classes that occur in `true`."""
    hit = np.bincount(true[predicted == true], minlength=classes)
    said, wanted = np.bincount(predicted, minlength=classes), np.bincount(true, minlength=classes)
    f1 = 2 * hit / np.maximum(said + wanted, 1)
    return float(f1[wanted > 0].mean())


def best_action_bias(voices: Voices, sweeps: int = 3) -> NDArray[np.float32]:
    """A bias per action on its logit, by coordinate ascent on macro F1; `none` stays at 0."""
    classes = voices.action.shape[1]
    logits = np.log(np.maximum(voices.action, 1e-6))
    bias = np.zeros(classes, np.float32)
    for _ in range(sweeps):
        for c in range(classes - 1):
            rest = logits + bias
            rest[:, c] = -np.inf
            rival, other = rest.max(1), rest.argmax(1)

            def score(b: float, c: int = c, rival: NDArray = rival, other: NDArray = other) -> float:
                return macro_f1(np.where(logits[:, c] + b > rival, c, other), voices.true_action, classes)

            # Of equal biases the smallest: a class that is not in the validation frames keeps what training gave it.
            bias[c] = max(_BIAS_GRID, key=lambda b: (round(score(b), 5), -abs(b)))
    return bias


def best_geometric(voices: Voices) -> tuple[float, NDArray[np.float32]]:
    """The network's weight in the pool, and the bias per predicate on the network's log-odds, of best macro F1."""
    best = (-1.0, 0.5, np.zeros(voices.network.shape[1], np.float32))
    for weight in (0.3, 0.5, 0.7, 0.85):
        pooled = weight * voices.network + (1 - weight) * voices.geometry
        shifts, scores = zip(
            *(_best_shift(pooled[:, p], voices.true_geometric[:, p]) for p in range(pooled.shape[1])), strict=True
        )
        mean = float(np.nanmean(scores))
        if mean > best[0]:
            best = (mean, weight, np.array(shifts, np.float32) / weight)
    return best[1], best[2]


def _best_shift(pooled: NDArray, true: NDArray[np.bool_]) -> tuple[float, float]:
    """The shift of pooled log-odds whose sign has the best F1, and that F1; NaN for a predicate without support."""
    if not true.any():
        return 0.0, float("nan")
    grid = np.linspace(-3.0, 3.0, 49)
    said = [pooled + s > 0 for s in grid]
    f1 = [2 * (s & true).sum() / max(s.sum() + true.sum(), 1) for s in said]
    best = int(np.argmax(f1))
    return float(grid[best]), float(f1[best])


def relation_statements(
    bundle: Bundle, voices: Voices, action_bias: NDArray, geometric_bias: NDArray, weight: float
) -> dict[str, tuple[float, ...]]:
    """By predicate (`Family.key`) what to state at KNOTS (`Statements`), from the pairs whose ends were both found."""
    action, network, geometry = (a[voices.found] for a in (voices.action, voices.network, voices.geometry))
    heard = _heard(np.concatenate([decided(action, action_bias), expit(network + geometric_bias)], axis=1))
    acting, standing = np.split(heard, [len(bundle.actions)], axis=1)
    odds = np.concatenate([acting, weight * standing + (1 - weight) * geometry], axis=1)
    doing = voices.true_action[voices.found, None] == np.arange(len(bundle.actions))
    true = np.concatenate([doing, voices.true_geometric[voices.found]], axis=1)
    keys = (*map(Family.ACTION.key, bundle.actions), *map(Family.GEOMETRIC.key, bundle.geometric))
    return {"knots": KNOTS} | {key: fit_statement(odds[:, k], true[:, k]) for k, key in enumerate(keys)}


def _heard(p: NDArray[np.float32]) -> NDArray[np.float64]:
    """The log-odds that a tracker takes from a perceiver's probabilities, with what it takes silence for."""
    return log_odds(np.where(p > ModelSettings.relation, p, TrackerConfig.unsaid_probability))
