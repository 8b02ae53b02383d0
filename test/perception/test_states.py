"""Stacked states of tracks: what is corrected in the stack has changed in the tracks, and nowhere else."""

import numpy as np
import pytest

from or_spatial.perception import motion_modes
from or_spatial.perception.motion_modes import Modes
from or_spatial.perception.states import States
from or_spatial.perception.tracks import Track

PLACES = np.array([[0.4, -1.0, 0.85], [2.0, 0.3, 0.5], [-1.2, 1.1, 0.9]])
NOISE = np.array([0.04 * np.eye(3), 0.09 * np.eye(3)])


@pytest.fixture
def tracks():
    made = []
    for key, place in enumerate(PLACES):
        modes = Modes.born(place, 0.05 * np.eye(3))
        mean, covariance = modes.combined()
        made.append(Track(key, modes, mean, covariance, np.ones(2), "", 0.0, np.full(3, np.nan), np.nan, 0, 0))
    return made


def test_tracks_hold_what_is_corrected_in_the_stack(tracks):
    alone = [motion_modes.update(Modes.stack([tracks[i].modes]), PLACES[i, None] + 0.2, NOISE[k, None])
             for k, i in enumerate((2, 0))]  # fmt: skip
    before = tracks[1].mean.copy(), tracks[1].covariance.copy()
    States(tracks).correct([2, 0], PLACES[[2, 0]] + 0.2, NOISE)
    for i, modes in zip((2, 0), alone, strict=True):
        mean, covariance = modes.combined()
        np.testing.assert_allclose(tracks[i].mean, mean[0], atol=1e-12)
        np.testing.assert_allclose(tracks[i].covariance, covariance[0], atol=1e-12)
        np.testing.assert_allclose(tracks[i].modes.weights, modes.weights[0], atol=1e-12)
    np.testing.assert_array_equal(tracks[1].mean, before[0])
    np.testing.assert_array_equal(tracks[1].covariance, before[1])


def test_given_modes_become_those_of_the_tracks(tracks):
    moved = Modes.stack([Modes.born(place + 1.0, 0.02 * np.eye(3)) for place in PLACES])
    States(tracks, moved)
    np.testing.assert_allclose([t.mean[:3] for t in tracks], PLACES + 1.0)


def test_a_stack_knows_when_it_is_no_longer_that_of_the_tracks(tracks):
    states = States(tracks)
    assert states.are_of(tracks)
    assert not states.are_of(tracks[:2])
    assert not states.are_of([tracks[1], tracks[0], tracks[2]])
    tracks[1].modes = Modes.born(PLACES[0], np.eye(3))
    assert not states.are_of(tracks)
