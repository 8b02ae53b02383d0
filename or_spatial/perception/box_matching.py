"""Which boxes of which cameras show the same person: the most probable partition of all boxes of one moment.

A hypothesis is one person with at most one box per camera. Its evidence is a log-odds that adds up
    how well one torso explains all its boxes (`box_placing`), against boxes that lie anywhere in the image;
    the detector's scores, calibrated;
    for each camera that looks there and shows no box, the chance of that, smaller where nobody covers the person;
    how many people stand in a room.
Zero is the evidence of a mistake of the detector.
Hypotheses grow camera by camera from pairs that agree, and the best set in which no box is used twice is found exactly
by an integer programme: the multi-dimensional assignment of Poore (1994), small enough here to need no relaxation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from or_spatial.geometry.transforms import apply
from or_spatial.perception.box_placing import Placed, place_alone, place_together, single_choices
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.person_shape import PersonShape

Array = NDArray[np.float64]

_MOST = 3000  # hypotheses per moment; ten people in six cameras need a few hundred
_SURE = 0.5  # boxes with less than this chance to be a person cover nobody


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """N persons: `chosen` (N, C) box per view or -1, where they stand, and `evidence` (N,), log-odds."""

    chosen: NDArray[np.int64]
    placed: Placed
    evidence: Array

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, rows: NDArray) -> "Hypotheses":
        """These alone, in this order."""
        rows = np.arange(len(self))[rows]
        return Hypotheses(self.chosen[rows], self.placed.take(rows), self.evidence[rows])

    def join(self, other: "Hypotheses") -> "Hypotheses":
        """Both, one after the other."""
        a, b = self.placed, other.placed
        placed = Placed(
            np.concatenate([a.torsos, b.torsos]),
            np.concatenate([a.covariances, b.covariances]),
            np.concatenate([a.log_evidence, b.log_evidence]),
        )
        return Hypotheses(
            np.concatenate([self.chosen, other.chosen]), placed, np.concatenate([self.evidence, other.evidence])
        )


def match_boxes(views: Sequence[BoxView], shape: PersonShape) -> Hypotheses:
    """The persons of one moment: each box in exactly one of them, lone boxes and weak evidence included."""
    if not sum(len(view) for view in views):
        return Hypotheses(np.zeros((0, len(views)), dtype=np.int64), Placed.none(), np.zeros(0))
    singles = _weighed(single_choices(views), place_alone(views, shape), views, shape)
    # A lone box is a person or a mistake, whichever is likelier; otherwise a mistake would rather join other boxes.
    singles = replace(singles, evidence=np.maximum(singles.evidence, 0.0))
    found = pairs = _pairs(singles, views, shape)
    agree = _agreement(singles, pairs, views)
    grown = pairs
    for _ in range(len(views) - 2):
        grown = _grow(grown, singles, agree, views, shape)
        found = found.join(grown)
    return _best_set(singles.join(found), views)


def score_log_odds(scores: Array, shape: PersonShape) -> Array:
    """Calibrated log-odds that boxes with these scores show a person; an unknown score counts as 0.5."""
    p = np.where(np.isfinite(scores), scores, 0.5).clip(1e-4, 1.0 - 1e-4)
    return shape.score_bias + shape.score_slope * np.log(p / (1.0 - p))


def _weighed(chosen: NDArray[np.int64], placed: Placed, views: Sequence[BoxView], shape: PersonShape) -> Hypotheses:
    evidence = np.log(shape.people_per_m2) + placed.log_evidence
    for column, view in zip(chosen.T, views, strict=True):
        has = column >= 0
        nothing = 2.0 * np.log(view.camera.width * view.camera.height)  # a false box lies anywhere
        odds = np.append(score_log_odds(view.scores, shape), 0.0)[column]
        seen = chance_of_box(placed.torsos, column, view, shape)
        evidence = evidence + np.where(has, odds + nothing + np.log(seen), np.log1p(-seen))
    return Hypotheses(chosen, placed, evidence)


def chance_of_box(torsos: Array, own: NDArray[np.int64], view: BoxView, shape: PersonShape) -> Array:
    """(N,) probability that this camera has a box of persons at torsos (N, 3): nearly 0 outside its image, less where
    somebody else's box covers the torso. `own` (N,) are their own boxes there, -1 for none."""
    pixels = view.camera.project(apply(view.camera_from_room, torsos))
    inside = shows(pixels, view)
    with np.errstate(invalid="ignore"):
        covers = ((pixels[:, None] >= view.boxes[:, :2]) & (pixels[:, None] <= view.boxes[:, 2:])).all(-1)
    covers &= score_log_odds(view.scores, shape) > np.log(_SURE / (1.0 - _SURE))
    covers &= np.arange(len(view)) != own[:, None]
    seen = np.where(covers.any(1), shape.seen_covered, shape.seen_clear)
    return np.where(inside, seen, np.where(own >= 0, shape.seen_covered, 1e-3))


def testimony(found: Hypotheses, views: Sequence[BoxView], shape: PersonShape) -> tuple[Array, Array]:
    """For and against each person, both (N,): the sum of the boxes' calibrated log-odds, and how many cameras have the
    person in their image and no box for them."""
    boxes, misses = np.zeros(len(found)), np.zeros(len(found))
    for column, view in zip(found.chosen.T, views, strict=True):
        boxes += np.append(score_log_odds(view.scores, shape), 0.0)[column]
        pixels = view.camera.project(apply(view.camera_from_room, found.placed.torsos))
        misses += shows(pixels, view) & (column < 0)
    return boxes, misses


def shows(pixels: Array, view: BoxView) -> NDArray[np.bool_]:
    """(N,) whether pixels (N, 2) lie in the view's image; NaN does not."""
    with np.errstate(invalid="ignore"):
        return ((pixels >= -0.5) & (pixels <= np.array([view.camera.width, view.camera.height]) - 0.5)).all(-1)


def _pairs(singles: Hypotheses, views: Sequence[BoxView], shape: PersonShape) -> Hypotheses:
    """Two boxes of different cameras that are better explained by one person than by two."""
    camera = (singles.chosen >= 0).argmax(1)
    a, b = np.nonzero(camera[:, None] < camera[None])
    chosen = np.maximum(singles.chosen[a], singles.chosen[b])
    pairs = _weighed(chosen, place_together(chosen, singles.placed, views, shape), views, shape)
    return pairs.take(pairs.evidence > singles.evidence[a] + singles.evidence[b])


def _agreement(singles: Hypotheses, pairs: Hypotheses, views: Sequence[BoxView]) -> NDArray[np.bool_]:
    """(boxes, boxes) whether two boxes, counted view after view, are a pair."""
    first = np.cumsum([0, *(len(view) for view in views)])[:-1]
    agree = np.zeros((len(singles), len(singles)), dtype=bool)
    for row in pairs.chosen:
        i, j = (first + row)[row >= 0]
        agree[i, j] = agree[j, i] = True
    return agree


def _grow(
    smaller: Hypotheses,
    singles: Hypotheses,
    agree: NDArray[np.bool_],
    views: Sequence[BoxView],
    shape: PersonShape,
) -> Hypotheses:
    """Each hypothesis with one more box, of a later camera, that pairs with all its boxes."""
    first = np.cumsum([0, *(len(view) for view in views)])[:-1]
    last = len(views) - 1 - (smaller.chosen[:, ::-1] >= 0).argmax(1)
    camera = (singles.chosen >= 0).argmax(1)
    fits = camera[None] > last[:, None]
    for row, column in enumerate(smaller.chosen):
        fits[row] &= agree[(first + column)[column >= 0]].all(0)
    a, b = np.nonzero(fits)
    order = np.argsort(-(smaller.evidence[a] + singles.evidence[b]), kind="stable")[:_MOST]
    chosen = np.maximum(smaller.chosen[a[order]], singles.chosen[b[order]])
    return _weighed(chosen, place_together(chosen, singles.placed, views, shape), views, shape)


def _best_set(all_: Hypotheses, views: Sequence[BoxView]) -> Hypotheses:
    """The set of hypotheses that uses every box once and has the most evidence together."""
    first = np.cumsum([0, *(len(view) for view in views)])
    row, column = np.nonzero(all_.chosen >= 0)
    boxes = first[column] + all_.chosen[row, column]
    if len(all_) == first[-1]:
        return all_  # lone boxes only
    once = csr_array((np.ones(len(row)), (boxes, row)), shape=(int(first[-1]), len(all_)))
    found = milp(
        -all_.evidence.clip(-1e6, 1e6),
        constraints=LinearConstraint(once, 1.0, 1.0),
        integrality=np.ones(len(all_)),
        bounds=Bounds(0.0, 1.0),
    )
    return all_.take(found.x > 0.5)
