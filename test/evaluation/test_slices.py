"""Any choice of frames has its figures; rooms are drawn again, not frames; what training never saw stands apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stated import snapshot_of

from or_spatial.evaluation.evaluation_report import Shown
from or_spatial.evaluation.frame_calibration import Stated
from or_spatial.evaluation.frames import FrameScores, Look
from or_spatial.evaluation.metrics.bootstrap import interval, macro_f1, weighted_quantile
from or_spatial.evaluation.slices import FrameRecord, frame_slices, generalisation, intervals
from or_spatial.perception.perceiver import Perception
from or_spatial.scene import SceneGraph
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.world.samples import render_sample
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import TEST_ONLY_PROCEDURE


@pytest.fixture(scope="module")
def samples():
    """Two small frames of two rooms."""
    rooms = [Simulation("val", seed, cameras=1, duration_s=4.0, hazards=()) for seed in (3, 4)]
    return [render_sample(room, 1.5, 0, 160, 96) for room in rooms]


def half_told(graph: SceneGraph) -> SceneGraph:
    """The graph without every other relation."""
    return replace(graph, relations=graph.relations[::2])


def scored(samples, told=half_told) -> FrameScores:
    scores = FrameScores()
    for sample in samples:
        scores.add(Look(sample, Perception(depth_m=1.1 * sample.depth_m), snapshot_of(told(sample.graph))))
    return scores


def record(room: str, hits: int, misses: int, procedure: str = "total_knee") -> FrameRecord:
    tallies = np.array([[hits, 0, misses]])
    named = dict.fromkeys(("action", "geometric", "strict"), tallies)
    return FrameRecord(room, procedure, "wide", "level", named, np.array([0.1]), np.array([1.0, 10.0, 10.0]))


def test_records_add_up_to_the_pooled_figures(samples):
    scores = scored(samples)
    figures, everything = scores.figures(), frame_slices(scores.records)
    for name in ("action", "geometric", "strict"):
        total = sum(r.tallies[name] for r in scores.records)
        assert macro_f1(total) == pytest.approx(figures["relations"][f"{name}_macro_f1"])
    assert figures["depth"]["abs_rel"] == pytest.approx(0.1, abs=1e-5)
    assert sum(slice_["frames"] for slice_ in everything["lens"].values()) == len(samples)


def test_each_pair_is_in_one_bin_of_distance_and_one_of_occlusion(samples):
    scores = scored(samples)
    geometric = scores.relations.tallies()["geometric"][:, ::2].sum()
    for slices in scores.figures()["slices"]["distance"], scores.figures()["slices"]["occlusion"]:
        assert sum(bin_["geometric_relations"] for bin_ in slices.values()) == geometric


def test_an_interval_holds_its_figure_and_is_a_point_when_rooms_are_alike(samples):
    records = [record("a", 5, 5), record("b", 9, 1), record("c", 7, 3)]
    low, high = intervals(records)["relations.strict_macro_f1"]
    assert low < macro_f1(sum(r.tallies["strict"] for r in records)) < high
    alike = [record(name, 7, 3) for name in "abc"]
    assert np.ptp(intervals(alike)["relations.strict_macro_f1"]) == pytest.approx(0.0)


def test_frames_of_one_room_are_no_more_evidence_than_one():
    few, many = ([record(r, h, 10 - h) for r, h in (("a", 2), ("b", 8)) for _ in range(n)] for n in (1, 50))
    assert intervals(few)["relations.strict_macro_f1"] == pytest.approx(intervals(many)["relations.strict_macro_f1"])


def test_one_room_has_no_interval():
    assert np.isnan(interval(lambda times: float(times.sum()), ["a", "a"])).all()


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    """200 rooms of unit variance: the 95 % interval of the mean is 1.96 / sqrt(200) to either side."""
    values = np.random.default_rng(1).normal(size=200)
    low, high = interval(lambda times: float(times @ values / times.sum()), range(200), draws=4000)
    expected = 1.96 * values.std() / np.sqrt(200)
    assert values.mean() - low == pytest.approx(expected, rel=0.1)
    assert high - values.mean() == pytest.approx(expected, rel=0.1)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=1), st.floats(0.05, 0.95))
def test_a_weighted_quantile_is_that_of_the_repeated_values(pairs, level):
    values, times = np.array([v for v, _ in pairs]), np.array([t for _, t in pairs])
    repeated = np.repeat(values, times)
    if len(repeated):
        expected = np.quantile(repeated, level, method="inverted_cdf")
        assert weighted_quantile(values, times, level) in repeated
        assert weighted_quantile(values, times, level) == pytest.approx(expected)
    else:
        assert np.isnan(weighted_quantile(values, times, level))


def test_the_loss_on_the_unseen_procedure_is_relative():
    records = [record("a", 8, 2), record("b", 4, 6, TEST_ONLY_PROCEDURE)]
    found = generalisation(records)
    seen, unseen = (2 * 8 / (16 + 2), 2 * 4 / (8 + 6))
    assert found["procedure_loss"] == pytest.approx(1 - unseen / seen)
    assert np.isnan(generalisation(records[:1])["procedure_loss"])


def test_certainty_that_is_right_is_calibrated_and_certainty_that_is_wrong_is_not(samples):
    truth = samples[0].graph
    turned = {"left_of": "right_of", "right_of": "left_of"}
    wrong = replace(
        truth, relations=tuple(replace(r, predicate=turned.get(r.predicate, r.predicate)) for r in truth.relations)
    )
    found = []
    for graph in (truth, wrong):
        stated = Stated(snapshot_of(graph).predicates)
        stated.add(truth, snapshot_of(graph), {o.id: o.id for o in truth.objects})
        found.append(stated.figures(np.zeros((0, 3)), np.zeros((0, 3, 3)))["relations"]["geometric/left_of"])
    assert found[0].ece == pytest.approx(0.0) and found[0].unsaid_true == 0
    assert found[1].ece == pytest.approx(1.0)


def test_touching_on_purpose_and_contact_are_calibrated_apart(samples):
    truth = samples[0].graph
    a, b = (o.id for o in truth.objects[:2])
    relations = tuple(
        SpatialRelation(subject_id=a, predicate="touching", object_id=b, family=family, confidence=confidence)
        for family, confidence in ((Family.ACTION, 0.9), (Family.GEOMETRIC, 0.3))
    )
    graph = replace(truth, relations=relations)
    stated = Stated(snapshot_of(graph).predicates)
    stated.add(replace(truth, relations=relations[1:]), snapshot_of(graph), {o.id: o.id for o in truth.objects})
    found = stated.figures(np.zeros((0, 3)), np.zeros((0, 3, 3)))["relations"]
    assert found["action/touching"].ece == pytest.approx(0.9)
    assert found["geometric/touching"].ece == pytest.approx(0.7)


def test_the_page_keeps_the_worst_frames(samples):
    shown = Shown()
    for sample, told in zip(samples, (lambda g: g, half_told), strict=True):
        look = Look(sample, Perception(), snapshot_of(told(sample.graph)))
        shown.consider(look, FrameScores().add(look))
    assert [look.sample.seed for _, look in shown.worst] == [4, 3]
