"""`--task calibration`: what is compared with what, on numbers with a known answer, and a few scenes end to end."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from or_spatial.commands.evaluate_options import EvaluateOptions
from or_spatial.commands.tasks import run_task
from or_spatial.errors import ConfigError
from or_spatial.evaluation.calibration_hazards import judge_hazards
from or_spatial.evaluation.calibration_scene import SceneTask, moment_of, place_samples, relation_samples, run_scene
from or_spatial.evaluation.calibration_task import calibration_of
from or_spatial.evaluation.metrics import (
    ece_by_chance,
    ellipsoid_coverage,
    expected_calibration_error,
    match_objects,
    reliability,
    squared_surprise,
)
from or_spatial.evaluation.metrics.class_calibration import class_calibration
from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.scene import Category, Scale, SceneGraph, SceneObject, SpatialRelation
from or_spatial.world.hazards_on_demand import BY_NAME
from or_spatial.world.simulation import Simulation
from or_spatial.world.truth import Bodies, pair_facts, truth_graph

RNG = np.random.default_rng(0)
SIGMA_M = 0.1


def thing(id, label, x, sigma_m=SIGMA_M, size_m=(0.5, 0.5, 1.7), **more):
    spread = (sigma_m**2, 0, 0, 0, sigma_m**2, 0, 0, 0, sigma_m**2)
    center = (x, 0.0, size_m[2] / 2)
    return SceneObject(id=id, label=label, center_m=center, size_m=size_m, covariance_m2=spread, yaw_rad=0.0, **more)


def room(*objects, relations=()):
    return SceneGraph(stamp_ns=1, scale=Scale.METRIC, objects=objects, relations=relations)


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_reliability_bins_hold_equal_counts_in_rising_order():
    p = [0.9, 0.1, 0.2, 0.8]
    assert reliability(p, [1, 0, 1, 1], bins=2) == [
        (pytest.approx(0.15), 0.5, 2),
        (pytest.approx(0.85), 1.0, 2),
    ]
    assert reliability([], []) == []


@given(st.integers(0, 1000))
def test_the_calibration_error_is_the_mean_gap_of_the_diagram(seed):
    rng = np.random.default_rng(seed)
    p, y = rng.random(80), rng.random(80) < 0.5
    diagram = reliability(p, y, 6)
    gap = sum(n * abs(said - found) for said, found, n in diagram) / 80
    assert expected_calibration_error(p, y, 6) == pytest.approx(gap)


def test_honest_probabilities_err_by_chance_alone():
    p = RNG.random(600)
    found = np.mean([expected_calibration_error(p, RNG.random(600) < p, 12) for _ in range(200)])
    assert ece_by_chance(p, 12, draws=200) == pytest.approx(found, abs=0.004)
    assert ece_by_chance(p, 12) > ece_by_chance(np.tile(p, 20), 12)  # more scenes, less chance


def test_squared_surprise_is_chi_square_of_three_for_an_honest_covariance():
    root = np.array([[0.2, 0.0, 0.0], [0.1, 0.1, 0.0], [0.0, 0.05, 0.3]])
    offsets, covariance = RNG.normal(size=(20_000, 3)) @ root.T, root @ root.T
    surprise = squared_surprise(offsets, np.broadcast_to(covariance, (20_000, 3, 3)))
    assert surprise.mean() / 3 == pytest.approx(1.0, abs=0.03)
    for level in (0.5, 0.95):
        share = (surprise <= chi2.ppf(level, 3)).mean()
        assert share == pytest.approx(level, abs=0.01)
        assert share == ellipsoid_coverage(offsets, np.broadcast_to(covariance, (20_000, 3, 3)), level)


def test_probabilities_at_or_below_five_percent_are_left_to_the_auroc():
    p, true = np.r_[np.full(900, 0.01), np.full(100, 0.4), np.nan], np.r_[np.zeros(900), np.ones(100), 1].astype(bool)
    found = class_calibration(p, true)
    assert (found.said, found.true, found.unsaid_true) == (100, 100, 0)
    assert found.ece == pytest.approx(0.6) and found.brier == pytest.approx(0.36)
    assert found.auroc == 1.0
    assert not found.counts  # all of them hold: nothing false to compare with


def test_a_class_counts_with_a_hundred_probabilities_and_ten_of_each_outcome():
    p = np.full(100, 0.5)
    assert class_calibration(p, np.arange(100) < 10).counts
    assert not class_calibration(p, np.arange(100) < 9).counts
    assert not class_calibration(p[:99], np.arange(99) < 50).counts


# -- what is compared -------------------------------------------------------------------------------------------------


def test_a_place_is_compared_with_the_thing_that_the_track_is():
    truth = room(thing("person_7", "person", 0.0, category=Category.PERSON), thing("c_arm_1", "c_arm", 3.0))
    graph = room(thing("person_1", "person", 0.2), thing("person_2", "person", 2.0))
    found = place_samples(truth, graph, match_objects(truth, graph))
    assert found.offsets_m.tolist() == [[0.2, 0.0, 0.0]] and found.groups == ("standing people",)
    assert squared_surprise(found.offsets_m, found.covariances_m2) == pytest.approx([4.0])


def test_relations_are_asked_of_every_ordered_pair_and_compared_with_the_truth():
    said = SpatialRelation(subject_id="t", predicate="left_of", object_id="p", confidence=0.9)
    holds = SpatialRelation(subject_id="table", predicate="left_of", object_id="person", confidence=1.0)
    truth = room(thing("person", "person", 1.0), thing("table", "operating_table", -1.0), relations=(holds,))
    graph = room(thing("p", "person", 1.0), thing("t", "operating_table", -1.0), relations=(said,))
    found = relation_samples(truth, graph, match_objects(truth, graph), np.eye(3))
    left = PREDICATES.index("left_of")
    assert found.true[:, left].tolist() == [False, True]  # person -> table, table -> person
    assert found.asked[:, left] == pytest.approx([0.0, 1.0], abs=0.01)
    assert np.isnan(found.published[0, left]) and found.published[1, left] == 0.9
    assert found.asked.shape == found.true.shape == (2, 10)


def hazards_of(simulation, time_s, change=lambda truth: truth):
    """Rules on the truth itself as if it had been tracked, with 3 cm of doubt."""
    state = simulation.state(time_s)
    bodies = Bodies.of(state)
    facts = pair_facts(state, bodies)
    truth = truth_graph(state, facts, bodies, np.eye(4), "cam0")
    graph = change(truth)
    return judge_hazards(simulation, time_s, truth, facts, graph, match_objects(truth, graph))


def answers(found, rule):
    return [(p, true) for r, p, true in zip(found.rules, found.p, found.true, strict=True) if r == rule]


def dropped():
    return Simulation("train", 3, cameras=1, duration_s=20.0, hazards=BY_NAME[1:])


def first_fallen(simulation):
    from or_spatial.world.hazard_truth import fallen

    return next(t for t in range(20) if fallen(simulation, float(t)))


def test_an_instrument_on_the_floor_is_true_and_said_and_the_others_are_neither():
    clip = dropped()
    floor = answers(hazards_of(clip, float(first_fallen(clip))), "instrument_on_floor")
    assert [true for p, true in floor if p > 0.5] == [True]
    assert all(p < 0.05 and not true for p, true in floor if p <= 0.5)


def test_a_hazard_about_a_thing_that_is_not_there_is_false():
    clip = dropped()

    def invent(truth):
        return room(*truth.objects, thing("ghost", "hammer", 9.0, size_m=(0.1, 0.1, 0.1)))

    floor = answers(hazards_of(clip, float(first_fallen(clip)), invent), "instrument_on_floor")
    assert sorted(true for p, true in floor if p > 0.5) == [False, True]


def test_every_rule_with_a_probability_is_asked_and_technical_ones_are_not():
    found = hazards_of(Simulation("train", 0, cameras=1, duration_s=10.0, hazards=()), 5.0)
    assert {"sterile_breach", "contamination", "unattended_patient", "crowded_field"} <= {*found.rules}
    assert not {"camera_blind", "stale_graph"} & {*found.rules}


# -- end to end -------------------------------------------------------------------------------------------------------


def test_moments_are_drawn_from_the_seed_within_the_clip():
    task = SceneTask("train")
    drawn = [moment_of(task, seed) for seed in range(50)]
    assert drawn == [moment_of(task, seed) for seed in range(50)]
    assert all(0 <= start < moment <= 20 and moment - start <= 6 for start, moment in drawn)
    assert len({moment for _, moment in drawn}) > 10


@pytest.mark.slow
def test_scenes_end_to_end_give_all_figures():
    task = SceneTask("train", cameras=2)
    scene = run_scene(task, 0)
    again = run_scene(task, 0)
    assert np.array_equal(scene.relations.asked, again.relations.asked) and scene.hazards.rules == again.hazards.rules
    found = calibration_of([scene, run_scene(task, 1)])
    assert {"ellipsoid_50", "ellipsoid_95", "relations_ece", "relations_brier", "relations_auroc"} <= {*found}
    assert {"hazards_ece", "hazards_brier", "hazards_auroc", "hazards_too_few"} <= {*found}
    assert 0.5 < found["ellipsoid_95"] <= 1.0
    assert [*found["relations"]] == [*PREDICATES]
    assert found["relations"]["near"].auroc > 0.8


def test_the_command_writes_figures_and_a_page_with_plots(tmp_path):
    figures, page = tmp_path / "f.json", tmp_path / "page"
    run_task("calibration", EvaluateOptions(split="train", workers=1, json=figures, scenes=2, report=page))
    found = json.loads(figures.read_text())
    assert found["made_with"]["scenes"] == 2 and found["calibration"]["scenes"] == 2
    text = (page / "report.html").read_text()
    assert text.count("data:image/png") == 4  # coverage, relations asked and published, hazards
    assert "or_spatial evaluate --task calibration --split train --scenes 2" in text


def test_only_calibration_writes_a_report(tmp_path):
    with pytest.raises(ConfigError, match="--task hazards takes no --report"):
        run_task("hazards", EvaluateOptions(split="train", clips=1, report=tmp_path))
