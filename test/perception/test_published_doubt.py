"""How uncertain a published place is: neighbours that one look cannot tell apart, a floor, and a mixture's tails."""

from dataclasses import replace

import numpy as np
import pytest

from or_spatial.perception.labels import Labels
from or_spatial.perception.motion_modes import Modes
from or_spatial.perception.published_doubt import published_covariances, which_of_two
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.perception.tracks import Track
from or_spatial.scene.vocabulary import load_vocabulary

LABELS = Labels(load_vocabulary())
CONFIG = TrackerConfig(published_share=1.0, floor_error_m=0.0)


def track(label, x, sightings=20, look_m=0.2, sigma_m=0.05):
    modes = Modes.born(np.array([x, 0.0, 1.0]), sigma_m**2 * np.eye(3))
    mean, covariance = modes.combined()
    return Track(
        key=0, modes=modes, mean=mean, covariance=covariance, belief=LABELS.belief(label, None), other_label=label,
        log_odds=2.0, size=np.ones(3), yaw=0.0, first_seen_ns=0, last_seen_ns=0, sightings=sightings, look_m2=look_m**2,
    )  # fmt: skip


def test_two_tools_side_by_side_are_doubted_along_the_line_between_them():
    extra = which_of_two([track("instrument", 0.0), track("instrument", 0.1)], LABELS)
    along, across, up = np.sqrt(np.diagonal(extra[0]))
    assert 0.10 < along < 0.14 and across == up == 0.0
    assert np.allclose(extra[0], extra[1])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(track("drill", 0.1), id="another kind of tool"),
        pytest.param(track("instrument", 1.0), id="far enough for one look"),
        pytest.param(track("instrument", 0.0), id="the very same place: no line"),
    ],
)
def test_nothing_is_added_where_looks_are_not_mixed_up(other):
    assert np.abs(which_of_two([track("instrument", 0.0), other], LABELS)).max() < 1e-6


def test_a_sharp_look_tells_neighbours_apart():
    tools = [track("instrument", 0.0, look_m=0.02), track("instrument", 0.1, look_m=0.02)]
    assert np.abs(which_of_two(tools, LABELS)).max() < 1e-6


def test_a_single_look_is_published_as_it_was():
    one = [track("instrument", 0.0, sightings=1), track("instrument", 0.1, sightings=1)]
    published = published_covariances(one, LABELS, replace(CONFIG, published_share=0.9))
    assert np.allclose(published, 0.05**2 * np.eye(3))


def test_share_and_floor():
    config = replace(CONFIG, published_share=0.9, floor_error_m=0.03)
    (published,) = published_covariances([track("c_arm", 0.0)], LABELS, config)
    assert np.allclose(published, (0.9 * 0.05**2 + 0.03**2) * np.eye(3))
    assert published_covariances([], LABELS, config).shape == (0, 3, 3)
