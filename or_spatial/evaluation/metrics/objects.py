"""How many objects were found, how many were invented, and how far off the found ones stand."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from or_spatial.evaluation.metrics.matching import Match, match_objects
from or_spatial.evaluation.metrics.results import Result
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import SceneObject


@dataclass(frozen=True, kw_only=True)
class ObjectScores(Result):
    """Pooled over frames, of one label or of all; errors in m of the matched objects, NaN when there are none."""

    label: str
    recall: float
    precision: float
    center_error_median_m: float
    center_error_p90_m: float
    true: int
    predicted: int
    by_label: tuple["ObjectScores", ...] = ()


class ObjectAccumulator:
    """Counts objects over frames. Also keeps errors and covariances for the coverage of the ellipsoids."""

    def __init__(self) -> None:
        self._true, self._predicted = Counter(), Counter()
        self._errors: dict[str, list[float]] = defaultdict(list)
        self._offsets: list[np.ndarray] = []
        self._covariances: list[np.ndarray] = []

    def add(self, truth: SceneGraph, predicted: SceneGraph, match: Match | None = None) -> np.ndarray:
        """Count one frame and return the errors (M,) m of its matches; `match` is found when not given."""
        match = match_objects(truth, predicted) if match is None else match
        found = {o.id: o for o in predicted.objects}
        self._true += Counter(o.label for o in truth.objects)
        self._predicted += Counter(o.label for o in predicted.objects)
        return np.array([self._add_pair(o, found[match[o.id]]) for o in truth.objects if o.id in match])

    def _add_pair(self, true: SceneObject, found: SceneObject) -> float:
        offset = np.subtract(found.center_m, true.center_m)
        error = float(np.linalg.norm(offset))
        self._errors[true.label].append(error)
        self._offsets.append(offset)
        self._covariances.append(np.reshape(found.covariance_m2, (3, 3)))
        return error

    @property
    def offsets_m(self) -> np.ndarray:
        """Predicted minus true centre (M, 3) of every match so far."""
        return np.array(self._offsets).reshape(-1, 3)

    @property
    def covariances_m2(self) -> np.ndarray:
        """The covariance (M, 3, 3) stated with each of `offsets_m`."""
        return np.array(self._covariances).reshape(-1, 3, 3)

    def result(self) -> ObjectScores:
        """All labels together, and one by one in `by_label`."""
        labels = sorted(set(self._true) | set(self._predicted))
        each = [self._scores(label, [label]) for label in labels]
        return self._scores("all", labels, tuple(each))

    def _scores(self, name: str, labels: list[str], by_label: tuple[ObjectScores, ...] = ()) -> ObjectScores:
        errors = [e for label in labels for e in self._errors.get(label, ())]
        true, predicted = (sum(counts[label] for label in labels) for counts in (self._true, self._predicted))
        nan = float("nan")
        return ObjectScores(
            label=name,
            recall=len(errors) / true if true else nan,
            precision=len(errors) / predicted if predicted else nan,
            center_error_median_m=float(np.median(errors)) if errors else nan,
            center_error_p90_m=float(np.quantile(errors, 0.9)) if errors else nan,
            true=true,
            predicted=predicted,
            by_label=by_label,
        )
