"""How uncertain a published place is: what the filter knows, and what it cannot know.

Three things are done to a track's own covariance:

    which of two    two things of one label that lie closer than one look can tell apart are each given the other's
                    detections now and then; the nearest one wins, so that both are seen too far apart. A Gaussian
                    along the line between them stands for it
    floor           errors common to all measurements, if there are any
    share           the posterior is a mixture of standing and moving: most mass near its middle, long tails. An
                    ellipsoid that holds 50 % and 95 % as it says is a little narrower than the mixture's moments

What was looked at only once is as uncertain as that look says.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception.labels import Labels
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.perception.tracks import Track

Array = NDArray[np.float64]

_PUSHED = 0.7  # of one look's sigma, for two things in one place; with `published_share` set on training scenes
_FADES = 3.0  # squared sigmas of one look over which that ends


def published_covariances(tracks: Sequence[Track], labels: Labels, config: TrackerConfig) -> Array:
    """(T, 3, 3), m^2, of the centres of T tracks."""
    if not tracks:
        return np.zeros((0, 3, 3))
    own = np.array([t.covariance[:3, :3] for t in tracks]) + which_of_two(tracks, labels)
    share = np.array([config.published_share if t.sightings > 1 else 1.0 for t in tracks])
    return share[:, None, None] * own + config.floor_error_m**2 * np.eye(3)


def which_of_two(tracks: Sequence[Track], labels: Labels) -> Array:
    """(T, 3, 3), m^2: the doubt about whose detections were taken, from all neighbours of the same label.

    None for a track of a single look.
    """
    names = np.unique([t.label(labels) for t in tracks], return_inverse=True)[1]
    places = np.array([t.mean[:3] for t in tracks])
    looks = np.maximum([t.look_m2 if t.sightings > 1 else 0.0 for t in tracks], 1e-9)[:, None]
    away = places[None] - places[:, None]
    squared = (away**2).sum(-1)
    pushed = _PUSHED**2 * looks * np.exp(-2.0 * squared / (_FADES * looks))
    alike = (names[:, None] == names[None]) & (squared > 1e-12)
    weight = np.where(alike, pushed / np.maximum(squared, 1e-12), 0.0)
    return np.einsum("tn,tni,tnj->tij", weight, away, away)
