"""The MVOR figures: their definitions on people made up by hand, their fit on drawn boxes, and the real files."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.evaluation.dataset_scores import score_dataset
from or_spatial.evaluation.mvor_fit import _mixture, fit_shape, logistic, pooled, sightings_of
from or_spatial.evaluation.mvor_people import (
    TORSO,
    Moment,
    Scores,
    in_common_view,
    match_within,
    read_mvor_boxes,
    score_moments,
)
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.person_shape import shipped_shape

CAMERA = Camera(np.array([[500.0, 0, 320.5], [0, 510.0, 239.5], [0, 0, 1]]), 640, 480)


@pytest.mark.parametrize(
    ("placed", "true", "pairs"),
    [
        ([0.0], [0.3], {(0, 0)}),
        ([0.0], [0.51], set()),
        ([0.0, 0.4], [0.45, 0.8], {(0, 0), (1, 1)}),  # both matched, though 1 is nearer to the first
        ([0.0, 0.1], [0.1], {(1, 0)}),
        ([], [0.1], set()),
        ([0.2], [], set()),
    ],
    ids=["near", "too far", "as many as possible", "one to one, the nearest", "nobody placed", "nobody there"],
)
def test_people_are_matched_one_to_one_within_half_a_metre(placed, true, pairs):
    def points(xs):
        return np.array([(x, 0.0, 1.2) for x in xs]).reshape(-1, 3)

    assert set(match_within(points(placed), points(true), 0.5)) == pairs


def test_the_torso_is_the_middle_of_shoulders_and_hips():
    assert TORSO == (2, 3, 4, 5)


def test_where_all_cameras_look_every_image_holds_the_point():
    eyes = [(2.5, 2.0, 2.5), (-2.5, 2.2, 2.4), (0.1, -3.0, 2.6)]
    poses = [look_at(e, (0, 0, 1.0)) for e in eyes]
    views = [BoxView(str(i), CAMERA, T, np.zeros((0, 4)), np.zeros(0)) for i, T in enumerate(poses)]
    points = np.array([(0.0, 0.0, 1.0), (2.4, 1.9, 1.0), (0.2, -0.1, 1.3)])
    assert in_common_view(points, views).tolist() == [True, False, True]
    assert in_common_view(points, views[:1]).tolist() == [True, False, True]


def test_figures_count_people_not_moments():
    some = Scores(np.array([0.1, 0.3]), np.array([3, 1]), 4, 3, 2, 1)
    all_ = pooled([some, Scores(np.array([0.2]), np.array([3]), 1, 1, 1, 1)]).figures()
    assert all_["center_error_median_m"] == pytest.approx(0.2)
    assert all_["recall_50cm"] == pytest.approx(3 / 5)
    assert all_["precision_50cm"] == pytest.approx(2 / 3)
    assert all_["by_views"]["3"] == {
        "people_matched": 2,
        "center_error_median_m": pytest.approx(0.15),
        "center_error_p90_m": pytest.approx(0.19),
    }


def test_a_day_without_people_has_no_figures_instead_of_perfect_ones():
    nothing = Scores(np.zeros(0), np.zeros(0, dtype=int), 0, 0, 0, 0).figures()
    assert np.isnan([nothing[k] for k in ("center_error_median_m", "recall_50cm", "precision_50cm")]).all()


def test_a_mixture_finds_the_gaussian_under_edges_that_lie_anywhere():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0.52, 0.07, 300), rng.uniform(-1.5, 1.5, 100), [np.nan] * 5])
    mean, spread, hidden = _mixture(values, np.full(405, 3.0), 0.4)
    assert (mean, spread, hidden) == pytest.approx((0.52, 0.07, 0.25), abs=0.03)


def test_a_logistic_regression_finds_the_log_odds_that_made_its_data():
    rng = np.random.default_rng(4)
    x = rng.normal(0, 2, (4000, 1))
    outcome = rng.random(4000) < 1 / (1 + np.exp(-(0.7 + 1.3 * x[:, 0])))
    assert logistic(x, outcome) == pytest.approx((0.7, 1.3), abs=0.15)


def test_moments_without_cameras_images_hold_nobody():
    empty = Moment("1_2_3", (), (), (), np.zeros((0, 3)))
    assert sightings_of(empty) == []


@pytest.mark.parametrize(
    ("name", "folder", "words"),
    [
        ("mvro", "x", "did you mean 'mvor'"),
        ("kitti", "x", "there are .*mvor"),
        ("mvor", None, "needs --data DIR"),
        ("mm-or", "x", "ask its authors"),
    ],
)
def test_a_dataset_that_cannot_be_scored_is_refused_with_the_remedy(name, folder, words):
    with pytest.raises(ConfigError, match=words):
        score_dataset(name, folder)


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"camma_mvor_2018.json does not exist"):
        read_mvor_boxes(tmp_path)


@pytest.fixture(scope="module")
def mvor_boxes(data_dir):
    return read_mvor_boxes(data_dir)


def test_day_1_and_day_2_are_as_published(mvor_boxes):
    assert (len(mvor_boxes.ids(1)), len(mvor_boxes.ids(2))) == (57, 330)
    heads = mvor_boxes.floor_m(mvor_boxes.ids(1))
    assert -1.3 < heads < -0.9  # "about a metre above the floor", says the reader


def test_the_shipped_numbers_are_those_that_day_1_teaches(mvor_boxes):
    ids = mvor_boxes.ids(1)
    floor_m = mvor_boxes.floor_m(ids)
    fitted = fit_shape([mvor_boxes.moment(i, floor_m) for i in ids])
    for name, shipped in vars(shipped_shape()).items():
        assert shipped == pytest.approx(getattr(fitted, name), rel=0.02, abs=0.002), name


def test_real_boxes_give_real_people_their_places(mvor_boxes):
    """A part of day 2 with the shipped numbers; the whole day is `or_spatial evaluate --dataset mvor`."""
    floor_m = mvor_boxes.floor_m(mvor_boxes.ids(1))
    scores = score_moments([mvor_boxes.moment(i, floor_m) for i in mvor_boxes.ids(2)[::6]], shipped_shape())
    figures = scores.figures()
    assert scores.annotated > 60
    assert figures["center_error_median_m"] <= 0.18 and figures["recall_50cm"] >= 0.7
