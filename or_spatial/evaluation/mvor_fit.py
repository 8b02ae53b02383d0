"""Fitting a `PersonShape` on annotated moments of MVOR, and judging it on others.

What is fitted, in this order, each from what is known by then:
    edges           where the edges of the boxes of annotated people cut their axis: a Gaussian and "hidden", by
                    expectation-maximisation in metres at the person's distance
    scores          whether a box shows an annotated person (overlap 0.5, one to one): logistic regression
    chances         how often an annotated person in a camera's picture has a box, covered by another's box or not
    existence       whether a placed person is an annotated 3D person: logistic regression on scores and misses
Chosen, not fitted: the detector's jitter, the share of odd postures, and the least score (by cross-validation).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, minimize

from or_spatial.evaluation.mvor_people import (
    WITHIN_M,
    Moment,
    MvorBoxes,
    Scores,
    in_common_view,
    match_within,
    read_mvor_boxes,
    score_moments,
)
from or_spatial.perception.box_matching import chance_of_box, match_boxes, testimony
from or_spatial.perception.box_placing import expected_edges, uncut_edges
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.fusion import boxes_iou
from or_spatial.perception.person_shape import PersonShape

Array = NDArray[np.float64]

_FIT_DAY, _SCORE_DAY = 1, 2
_FOLDS = 3
_OVERLAP = 0.5
_EM_STEPS = 60
_RIDGE = 1e-3  # keeps a logistic regression finite where a day separates perfectly

CHOSEN = PersonShape(
    torso_height_m=1.2,
    torso_height_spread_m=0.06,
    top_m=0.5,
    top_spread_m=0.07,
    half_width_m=0.3,
    side_spread_m=0.09,
    foot_m=0.0,
    foot_spread_m=0.15,
    hidden_top=0.05,
    hidden_side=0.1,
    hidden_bottom=0.7,
    posture_outlier=0.05,
    jitter_px=3.0,
    score_bias=0.0,
    score_slope=1.0,
    seen_clear=0.9,
    seen_covered=0.5,
    people_per_m2=0.1,
    existence_bias=0.0,
    existence_slope=1.0,
    existence_per_miss=0.0,
    least_score=0.5,
)
"""Where the fit starts; of it, `jitter_px`, `posture_outlier` and `least_score` stay."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """An annotated 3D person in one view: `box` is its place there, None where the detector missed the person."""

    torso: Array
    view: BoxView
    box: int | None


def fit_shape(moments: Sequence[Moment], chosen: PersonShape = CHOSEN) -> PersonShape:
    """The numbers that these moments teach; the same moments give the same numbers."""
    sightings = [s for moment in moments for s in sightings_of(moment)]
    shape = _fit_edges(sightings, _fit_people(moments, chosen))
    shape = _fit_scores(moments, shape)
    shape = _fit_chances(sightings, shape)
    return _fit_existence(moments, shape)


def mvor_figures(folder: str | Path) -> dict[str, Any]:
    """`or_spatial evaluate --dataset mvor`: fitted on day 1, scored once on day 2; day 1 cross-validated beside it.

    `made_with.fitted_shape` holds the numbers of `config/person_boxes.yaml`.

    Raises:
        DatasetError: a file of the dataset is missing or damaged.
    """
    data = read_mvor_boxes(folder)
    fitted_on, scored_on = data.ids(_FIT_DAY), data.ids(_SCORE_DAY)
    floor_m = data.floor_m(fitted_on)
    shape = fit_shape([data.moment(i, floor_m) for i in fitted_on])
    scores = score_moments([data.moment(i, floor_m) for i in scored_on], shape)
    return {
        "mvor": {
            **scores.figures(),
            "moments": len(scored_on),
            "fit_day_cross_validated": cross_validate(data, fitted_on, _FOLDS).figures(),
        },
        "made_with": {
            "command": "or_spatial evaluate --dataset mvor --data DIR",
            "detector": "faster_rcnn_bbox.json, published with MVOR",
            "fitted_on": f"day {_FIT_DAY}, {len(fitted_on)} moments",
            "scored_on": f"day {_SCORE_DAY}",
            "floor_m": floor_m,
            "fitted_shape": asdict(shape),
        },
    }


def cross_validate(data: MvorBoxes, ids: Sequence[str], folds: int, chosen: PersonShape = CHOSEN) -> Scores:
    """Scores of each of `folds` stretches of time under numbers fitted on the others: neighbours stay together."""
    parts = np.array_split(np.array(ids), folds)
    scores = []
    for part in parts:
        rest = [i for i in ids if i not in set(part.tolist())]
        floor_m = data.floor_m(rest)
        shape = fit_shape([data.moment(i, floor_m) for i in rest], chosen)
        scores.append(score_moments([data.moment(i, floor_m) for i in part.tolist()], shape))
    return pooled(scores)


def pooled(scores: Sequence[Scores]) -> Scores:
    """All people of several scores together."""
    return Scores(
        np.concatenate([s.errors_m for s in scores]),
        np.concatenate([s.views for s in scores]),
        sum(s.annotated for s in scores),
        sum(s.placed for s in scores),
        sum(s.placed_in_common_view for s in scores),
        sum(s.matched_in_common_view for s in scores),
    )


def boxes_of_people(moment: Moment) -> list[dict[int, int]]:
    """For each view the box (place) of each annotated 2D person (place): overlap of 0.5 or more, one to one."""
    found = []
    for view, people in zip(moment.views, moment.people_2d, strict=True):
        xywh = np.array([p.box for p in people]).reshape(-1, 4)
        all_ = np.concatenate([np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1), view.boxes])
        overlap = boxes_iou(all_)[: len(people), len(people) :]
        pairs = zip(*linear_sum_assignment(-overlap), strict=True)
        found.append({int(a): int(b) for a, b in pairs if overlap[a, b] >= _OVERLAP})
    return found


def sightings_of(moment: Moment) -> list[Sighting]:
    """The 3D people of a moment in each view where they are annotated in 2D as well."""
    found = []
    for view, people, boxes in zip(moment.views, moment.people_2d, boxes_of_people(moment), strict=True):
        place = {p.person_id: i for i, p in enumerate(people) if p.person_id >= 0}
        for person, torso in zip(moment.people_3d, moment.torsos, strict=True):
            if person.person_id in place:
                found.append(Sighting(torso, view, boxes.get(place[person.person_id])))
    return found


def _fit_people(moments: Sequence[Moment], shape: PersonShape) -> PersonShape:
    torsos = np.concatenate([m.torsos for m in moments])
    low, high = np.quantile(torsos[:, :2], (0.02, 0.98), axis=0)
    middle = float(np.median(torsos[:, 2]))
    spread = 1.4826 * float(np.median(np.abs(torsos[:, 2] - middle)))
    density = len(torsos) / len(moments) / float(np.prod(high - low))
    return replace(shape, torso_height_m=middle, torso_height_spread_m=spread, people_per_m2=density)


def _fit_edges(sightings: Sequence[Sighting], shape: PersonShape) -> PersonShape:
    rows = [_edges_in_metres(s, shape) for s in sightings if s.box is not None]
    metres, extents_m = np.array([m for m, _ in rows]), np.array([e for _, e in rows])
    sides = _mixture(np.concatenate([-metres[:, 0], metres[:, 2]]), np.tile(extents_m[:, 0], 2), shape.half_width_m)
    top = _mixture(metres[:, 1], extents_m[:, 1], shape.top_m)
    foot = _mixture(metres[:, 3], extents_m[:, 1], shape.foot_m, shape.foot_spread_m)
    return replace(
        shape,
        half_width_m=sides[0],
        side_spread_m=sides[1],
        hidden_side=sides[2],
        top_m=top[0],
        top_spread_m=top[1],
        hidden_top=top[2],
        foot_m=foot[0],
        foot_spread_m=foot[1],
        hidden_bottom=foot[2],
    )


def _edges_in_metres(seen: Sighting, shape: PersonShape) -> tuple[Array, Array]:
    """(4,): how far from the axis left and right edge pass, how high above the torso the upper one cuts it and how high
    above the floor the lower one; NaN where cut off. And width and height (2,) of the image at that distance, m."""
    expected, px_per_m = (v[0] for v in expected_edges(seen.torso, seen.view, shape))
    step = expected_edges(seen.torso, seen.view, replace(shape, top_m=shape.top_m + 0.01, foot_m=shape.foot_m + 0.01))
    # The picture of the vertical axis is foreshortened: px per m along it, at head and feet.
    upright = (step[0][0] - expected)[[1, 3]] / 0.01
    scale = np.array([px_per_m, upright[0], px_per_m, upright[1]])
    usual = np.array([-shape.half_width_m, shape.top_m, shape.half_width_m, shape.foot_m])
    camera = seen.view.camera
    found = usual + (uncut_edges(seen.view)[seen.box] - expected) / scale
    return found, np.array([camera.width, camera.height]) / px_per_m


def _mixture(values: Array, extents: Array, mean: float, spread: float = 0.1) -> tuple[float, float, float]:
    """Mean and spread of a Gaussian, and the unknown share of values that lie anywhere in their extents instead."""
    known = np.isfinite(values)
    values, elsewhere = values[known], 1.0 / extents[known]
    share = 0.2
    for _ in range(_EM_STEPS):
        gauss = (1 - share) * np.exp(-0.5 * ((values - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
        seen = gauss / (gauss + share * elsewhere)
        mean = float(np.average(values, weights=seen))
        spread = float(max(np.sqrt(np.average((values - mean) ** 2, weights=seen)), 0.02))
        share = float(np.clip(1.0 - seen.mean(), 0.01, 0.99))
    return mean, spread, share


def _fit_scores(moments: Sequence[Moment], shape: PersonShape) -> PersonShape:
    scores, shown = [], []
    for moment in moments:
        for view, boxes in zip(moment.views, boxes_of_people(moment), strict=True):
            places = view.usable(shape.least_score, len(view))
            scores += view.scores[places].tolist()
            shown += np.isin(places, list(boxes.values())).tolist()
    p = np.clip(scores, 1e-4, 1 - 1e-4)
    bias, slope = logistic(np.log(p / (1 - p))[:, None], np.array(shown))
    return replace(shape, score_bias=bias, score_slope=slope)


def _fit_chances(sightings: Sequence[Sighting], shape: PersonShape) -> PersonShape:
    """Frequencies with one more of either outcome, so that no chance is 0 or 1."""
    marked = replace(shape, seen_clear=0.9, seen_covered=0.1)  # tells the two cases apart in what comes back
    counts = np.ones((2, 2))
    for s in sightings:
        own = np.array([-1 if s.box is None else s.box])
        clear = chance_of_box(s.torso[None], own, s.view, marked)[0] > 0.5
        counts[int(clear), int(s.box is not None and s.view.scores[s.box] >= shape.least_score)] += 1
    seen = counts[:, 1] / counts.sum(1)
    return replace(shape, seen_covered=float(seen[0]), seen_clear=float(seen[1]))


def _fit_existence(moments: Sequence[Moment], shape: PersonShape) -> PersonShape:
    """Only where all cameras look: elsewhere somebody who is not annotated in 3D may well be there."""
    features, real = [], []
    for moment in moments:
        views = [v.take(v.usable(shape.least_score, len(v))) for v in moment.views]
        found = match_boxes(views, shape)
        found = found.take(np.argsort(-found.evidence, kind="stable"))
        matched = [i for i, _ in match_within(found.placed.torsos, moment.torsos, WITHIN_M)]
        common = np.flatnonzero(in_common_view(found.placed.torsos, views))
        features += np.stack(testimony(found, views, shape), axis=1)[common].tolist()
        real += np.isin(common, matched).tolist()
    bias, slope, per_miss = logistic(np.array(features), np.array(real))
    return replace(shape, existence_bias=bias, existence_slope=slope, existence_per_miss=per_miss)


def logistic(features: Array, outcome: NDArray[np.bool_]) -> tuple[float, ...]:
    """Bias and slopes (1 + F,) of the log-odds of an outcome (N,) linear in features (N, F), lightly held to zero."""
    X = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    sign = np.where(outcome, -1.0, 1.0)

    def cost(w: Array) -> tuple[float, Array]:
        z = sign * (X @ w)
        p = 1.0 / (1.0 + np.exp(-z.clip(-40, 40)))
        return float(np.logaddexp(0.0, z).sum() + _RIDGE * w @ w), X.T @ (sign * p) + 2 * _RIDGE * w

    found = minimize(cost, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B")
    return tuple(float(v) for v in found.x)
