"""HOTA, CLEAR and IDF1 on situations worked out by hand, against the definition, and against TrackEval's numbers."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.evaluation.metrics.hota import ALPHAS, hota
from or_spatial.evaluation.metrics.tracks import Moment, clear, identity

FAR = 50.0


def moment(true: dict[str, float], said: dict[str, float]) -> Moment:
    """Things and tracks on a line, m."""
    apart = np.abs(np.array([*true.values()])[:, None] - np.array([*said.values()])[None])
    return Moment(tuple(true), tuple(said), apart.reshape(len(true), len(said)))


def test_a_perfect_tracker_has_a_score_of_one():
    moments = [moment({"anna": 0.0, "ben": 2.0}, {"p1": 0.0, "p2": 2.0})] * 3
    score = hota(moments, reach_m=1.0)
    assert (score.hota, score.deta, score.assa, score.loca) == (1.0, 1.0, 1.0, 1.0)
    assert clear(moments, 0.5).mota == 1.0 and identity(moments, 0.5).idf1 == 1.0


@pytest.mark.parametrize(("off_m", "thresholds"), [(0.22, 15), (0.62, 7), (0.95, 1), (0.96, 0)])
def test_an_error_in_place_costs_the_thresholds_above_its_similarity(off_m, thresholds):
    score = hota([moment({"anna": 0.0}, {"p1": off_m})] * 4, reach_m=1.0)
    assert score.hota == pytest.approx(thresholds / len(ALPHAS))
    assert sum(v == 1.0 for v in score.by_alpha) == thresholds


def test_reach_scales_the_thresholds():
    moments = [moment({"anna": 0.0}, {"p1": 0.22})]
    assert hota(moments, 2.0).by_alpha[:17] == (1.0,) * 17 and hota(moments, 2.0).by_alpha[17] == 0.0  # 1 - 0.11
    with pytest.raises(ConfigError, match="reach_m, the distance of similarity 0, must be above 0, got 0"):
        hota(moments, 0.0)


def test_a_name_that_changes_half_way_costs_association_not_detection():
    """Of the four moments each match belongs to two: A = 2 / (4 + 2 - 2) for all, so HOTA = sqrt(1 x 0.5)."""
    moments = [moment({"anna": 0.0}, {name: 0.0}) for name in ("p1", "p1", "p2", "p2")]
    score = hota(moments, 1.0)
    assert (score.deta, score.assa) == (1.0, pytest.approx(0.5))
    assert score.hota == pytest.approx(np.sqrt(0.5))
    assert clear(moments, 0.5).switches == 1 and identity(moments, 0.5).idf1 == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("situation", "moments", "switches", "missed", "false"),
    [
        ("all missed", [({"anna": 0.0}, {})] * 3, 0, 3, 0),
        ("nobody there", [({}, {"p1": 0.0})] * 3, 0, 0, 3),
        ("out of reach", [({"anna": 0.0}, {"p1": 0.6})], 0, 1, 1),
        ("a gap without a new name", [({"anna": 0.0}, {"p1": 0.0}), ({"anna": 0.0}, {}), ({"anna": 0.0}, {"p1": 0.0})],
         0, 1, 0),
        ("a gap with a new name", [({"anna": 0.0}, {"p1": 0.0}), ({"anna": 0.0}, {}), ({"anna": 0.0}, {"p2": 0.0})],
         1, 1, 0),
        ("two exchanged", [({"anna": 0.0, "ben": 2.0}, {"p1": 0.0, "p2": 2.0}),
                           ({"anna": 0.0, "ben": 2.0}, {"p1": 2.0, "p2": 0.0})], 2, 0, 0),
        ("a nearer stranger does not take over", [({"anna": 0.0}, {"p1": 0.1}),
                                                  ({"anna": 0.0}, {"p1": 0.4, "p2": 0.0})], 0, 0, 1),
    ],
)  # fmt: skip
def test_what_clear_counts(situation, moments, switches, missed, false):
    score = clear([moment(*m) for m in moments], within_m=0.5)
    assert (score.switches, score.missed, score.false) == (switches, missed, false), situation


def test_nothing_at_all_has_no_score():
    assert np.isnan(hota([moment({}, {})], 1.0).hota)
    assert np.isnan(clear([], 0.5).mota) and np.isnan(identity([], 0.5).idf1)


def wanderers(seed: int = 5) -> list[Moment]:
    """Four people on random walks, four tracks that follow with noise, miss, and now and then exchange names."""
    rng = np.random.default_rng(seed)
    at, names = rng.uniform(-2, 2, (4, 3)), np.arange(4)
    moments = []
    for k in range(60):
        at = at + rng.normal(0.0, 0.1, (4, 3))
        if k % 17 == 16:
            names[[0, 1]] = names[[1, 0]]
        if k % 23 == 22:
            names[2] += 10
        there, told = rng.random(4) < 0.9, rng.random(4) < 0.85
        seen = at + rng.normal(0.0, 0.15, (4, 3))
        apart = np.linalg.norm(at[there][:, None] - seen[told][None], axis=-1)
        moments.append(
            Moment(tuple(f"t{i}" for i in np.flatnonzero(there)), tuple(f"s{n}" for n in names[told]), apart)
        )
    return moments


TRACKEVAL = {
    "HOTA": 0.41619217844199824,
    "DetA": 0.577515628007041,
    "AssA": 0.30037495508125805,
    "LocA": 0.8061125656800673,
    "MOTA": 0.7083333333333334,
    "counts": (8, 32, 23),
    "IDF1": 0.524822695035461,
}


def test_random_walks_score_as_in_trackeval():
    """TrackEval 1.3.0, HOTA, CLEAR and Identity on 1 - distance / 1 m, CLEAR and Identity at threshold 0.5."""
    score, counted, named = hota(wanderers(), 1.0), clear(wanderers(), 0.5), identity(wanderers(), 0.5)
    assert score.hota == pytest.approx(TRACKEVAL["HOTA"], abs=1e-9)
    assert score.deta == pytest.approx(TRACKEVAL["DetA"], abs=1e-9)
    assert score.assa == pytest.approx(TRACKEVAL["AssA"], abs=1e-9)
    assert score.loca == pytest.approx(TRACKEVAL["LocA"], abs=1e-9)
    assert counted.mota == pytest.approx(TRACKEVAL["MOTA"], abs=1e-9)
    assert (counted.switches, counted.missed, counted.false) == TRACKEVAL["counts"]
    assert named.idf1 == pytest.approx(TRACKEVAL["IDF1"], abs=1e-9)


def test_the_score_is_what_its_definition_says():
    """By brute force at one threshold: HOTA^2 = sum of A(c) over the true positives c / (TP + FN + FP)."""
    pairs = [[("anna", "p1"), ("ben", "p2")], [("anna", "p1")], [("anna", "p2"), ("ben", "p1")]]
    moments = [
        moment({"anna": 0.0, "ben": 5.0}, {"p1": 0.0, "p2": 5.0}),
        moment({"anna": 0.0, "ben": 5.0}, {"p1": 0.0, "p2": 20.0}),
        moment({"anna": 0.0, "ben": 5.0}, {"p2": 0.0, "p1": 5.0}),
    ]
    total = 0.0
    for true, said in (pair for now in pairs for pair in now):
        both = sum((true, said) in now for now in pairs)
        total += both / (3 + 3 - both)  # each name is there in all three moments
    assert hota(moments, 1.0).by_alpha[9] == pytest.approx(np.sqrt(total / (5 + 1 + 1)))
