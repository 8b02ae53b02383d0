"""Figures as pure functions of truth and prediction: relations, objects, depth, calibration, hazards.

Every result is a frozen dataclass whose `to_dict()` is ready for JSON (NaN becomes None).
"""

from or_spatial.evaluation.metrics.calibration import (
    auroc,
    brier,
    classwise_ece,
    ece_by_chance,
    ellipsoid_coverage,
    expected_calibration_error,
    reliability,
    squared_surprise,
)
from or_spatial.evaluation.metrics.classification import NONE, ClassScore, Confusion, macro_f1
from or_spatial.evaluation.metrics.depth import DepthAccumulator, DepthScores, depth_scores
from or_spatial.evaluation.metrics.hazards import (
    HazardAccumulator,
    HazardInterval,
    HazardScores,
    intervals_from_active,
    intervals_from_alerts,
)
from or_spatial.evaluation.metrics.matching import GATES_M, Match, match_by_id, match_objects
from or_spatial.evaluation.metrics.objects import ObjectAccumulator, ObjectScores
from or_spatial.evaluation.metrics.relations import RelationAccumulator, RelationScores, with_converses

__all__ = [
    "GATES_M",
    "NONE",
    "ClassScore",
    "Confusion",
    "DepthAccumulator",
    "DepthScores",
    "HazardAccumulator",
    "HazardInterval",
    "HazardScores",
    "Match",
    "ObjectAccumulator",
    "ObjectScores",
    "RelationAccumulator",
    "RelationScores",
    "auroc",
    "brier",
    "classwise_ece",
    "depth_scores",
    "ece_by_chance",
    "ellipsoid_coverage",
    "expected_calibration_error",
    "intervals_from_active",
    "intervals_from_alerts",
    "macro_f1",
    "match_by_id",
    "match_objects",
    "reliability",
    "squared_surprise",
    "with_converses",
]
