"""`or_spatial evaluate --task calibration`: are stated probabilities frequencies, for places, relations and hazards?

Scenes of consecutive seeds of a split, each scored at one moment (`calibration_scene`), pooled before anything is
compared. Three families:

    places      share of the true centres inside the 50 % and the 95 % ellipsoid that the graph publishes
    relations   every ordered pair of what was found, each geometric predicate by itself
    hazards     the probability of each rule's condition, before patience and hysteresis

Of relations and hazards, probabilities above 0.05 are compared with frequencies (adaptive ECE: bins of equal counts, of
50 or more, at most 15), class by class; below it nearly all is empty room, and would hide everything else. Brier's
score is of the same probabilities, AUROC of all. A class with few probabilities or few true cases is told, but left
out of the means: its ECE would be chance. What chance alone would make of each class is `ece_by_chance`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from or_spatial.evaluation.calibration_scene import PlaceSamples, Scene, SceneTask, run_scene
from or_spatial.evaluation.metrics.calibration import ellipsoid_coverage, squared_surprise
from or_spatial.evaluation.metrics.class_calibration import (
    ABOVE,
    BINS,
    PER_BIN,
    ClassCalibration,
    class_calibration,
    means,
)
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.seeds import each_seed
from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.world.splits import world_version

LEVELS = (0.05, *np.arange(0.1, 0.91, 0.1).round(1).tolist(), 0.95, 0.99)


@dataclass(frozen=True)
class CalibrationTask:
    """Which scenes, and how each is looked at."""

    scene: SceneTask = field(default_factory=SceneTask)
    first_seed: int = 0
    scenes: int = 1000

    @property
    def seeds(self) -> range:
        """Consecutive seeds."""
        return range(self.first_seed, self.first_seed + self.scenes)


def evaluate_calibration(
    task: CalibrationTask | None = None, workers: int = 1, done: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Run the task and return nested figures, `calibration.*`; `done` is called after each scene."""
    task = task or CalibrationTask()
    scenes = list(each_seed(run_scene, task.scene, task.seeds, workers, done, chunksize=4))
    return plain(
        {
            "calibration": calibration_of(scenes),
            "made_with": {
                **asdict(task),
                "above": ABOVE,
                "bins": BINS,
                "least_per_bin": PER_BIN,
                "occlusion": "none",
                "world_version": world_version(task.scene.split),
            },
        }
    )


def calibration_of(scenes: list[Scene]) -> dict[str, Any]:
    """Figures of all scenes together."""
    true = np.concatenate([s.relations.true for s in scenes])
    asked, published = (np.concatenate([getattr(s.relations, k) for s in scenes]) for k in ("asked", "published"))
    relations = {name: class_calibration(asked[:, k], true[:, k]) for k, name in enumerate(PREDICATES)}
    told = {name: class_calibration(published[:, k], true[:, k]) for k, name in enumerate(PREDICATES)}
    hazards = _by_rule(scenes)
    return {
        **_places(scenes),
        **means("relations", relations),
        **means("published", told),
        **means("hazards", hazards),
        "scenes": len(scenes),
        "missed": sum(s.missed for s in scenes),
        "invented": sum(s.invented for s in scenes),
        "relations": relations,
        "published": told,
        "hazards": hazards,
    }


def _by_rule(scenes: list[Scene]) -> dict[str, ClassCalibration]:
    rules = np.array([rule for s in scenes for rule in s.hazards.rules])
    p = np.concatenate([s.hazards.p for s in scenes])
    true = np.concatenate([s.hazards.true for s in scenes])
    return {str(rule): class_calibration(p[rules == rule], true[rules == rule]) for rule in np.unique(rules)}


def _places(scenes: list[Scene]) -> dict[str, Any]:
    offsets = np.concatenate([s.places.offsets_m for s in scenes])
    covariances = np.concatenate([s.places.covariances_m2 for s in scenes])
    groups = np.array([g for s in scenes for g in s.places.groups])
    parts = {str(g): PlaceSamples(offsets[groups == g], covariances[groups == g], ()) for g in np.unique(groups)}
    return {
        "ellipsoid_50": ellipsoid_coverage(offsets, covariances, 0.50),
        "ellipsoid_95": ellipsoid_coverage(offsets, covariances, 0.95),
        "nees": float(squared_surprise(offsets, covariances).mean() / 3.0),
        "places": {group: _coverage(part) for group, part in parts.items()},
        "coverage": _curve(offsets, covariances),
    }


def _coverage(part: PlaceSamples) -> dict[str, Any]:
    error = np.linalg.norm(part.offsets_m, axis=1)
    stated = np.sqrt(np.trace(part.covariances_m2, axis1=1, axis2=2))
    return {
        "places": len(error),
        "ellipsoid_50": ellipsoid_coverage(part.offsets_m, part.covariances_m2, 0.50),
        "ellipsoid_95": ellipsoid_coverage(part.offsets_m, part.covariances_m2, 0.95),
        "nees": float(squared_surprise(part.offsets_m, part.covariances_m2).mean() / 3.0),
        "error_rms_m": float(np.sqrt((error**2).mean())),
        "stated_rms_m": float(np.sqrt((stated**2).mean())),
        "coverage": _curve(part.offsets_m, part.covariances_m2),
    }


def _curve(offsets: NDArray[np.float64], covariances: NDArray[np.float64]) -> list[tuple[float, float]]:
    """(level, share of true centres inside the ellipsoid of that level)."""
    surprise = squared_surprise(offsets, covariances)
    return [(level, float((surprise <= chi2.ppf(level, 3)).mean())) for level in LEVELS]
