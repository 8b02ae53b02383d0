"""What was said about a pair, by whom, for how long: pooled, remembered, and told once."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from tracked_room import NS, Room

from or_spatial.geometry.boxes import OrientedBox, surface_distance
from or_spatial.geometry.relations import CONVERSE, PREDICATES, all_pairs_probabilities
from or_spatial.perception.perceiver import RelationEvidence
from or_spatial.perception.posterior_relations import TOLERANCE, PosteriorRelations, free_shift
from or_spatial.perception.relation_choice import Boxes, measure
from or_spatial.perception.statements import Statements
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import EvidenceSource, Family, SceneObject

SURGEON, TABLE, DRILL = ("person", (-0.5, 0.8, 0.85)), ("operating_table", (0.0, 0.0, 0.45), (2.0, 0.6, 0.9)), (
    "drill", (0.2, 0.1, 0.96), (0.2, 0.1, 0.12))  # fmt: skip


def action(predicate, probability, subject=0, object=1):
    return RelationEvidence(subject, object, predicate, Family.ACTION, probability)


def run(scripts, things=(SURGEON, TABLE), step_s=0.2, eye=None, room=None, **k):
    """One graph per script (a tuple of relation evidence, from both cameras)."""
    eye = eye or SceneTracker(TrackerConfig(**k))
    room = room or Room(sigma_m=0.02)
    return [eye.update(*room.look(10 + step_s * i, things, relations=said)) for i, said in enumerate(scripts)]


def told(graph, family=Family.ACTION):
    return [(r.subject_id, r.predicate, r.object_id) for r in graph.relations if r.family == family]


def test_an_action_is_told_with_its_source_and_since_when():
    graphs = run([()] * 2 + [(action("closeTo", 0.9),)] * 6)
    (relation,) = (r for r in graphs[-1].relations if r.family == Family.ACTION)
    assert relation.triplet == ("person_1", "closeTo", "operating_table_1")
    assert relation.source == EvidenceSource.MODEL
    assert relation.since_ns == round(10.4 * NS)
    assert relation.confidence == pytest.approx(0.9, abs=0.02)


def test_an_ordered_pair_has_one_action_and_it_does_not_flicker():
    noise = np.random.default_rng(3).uniform(-0.08, 0.08, 40)
    graphs = run([(action("cutting", 0.6 + n), action("sawing", 0.6 - n)) for n in noise])
    seen = [told(g) for g in graphs]
    assert all(len(s) == 1 for s in seen)
    assert sum(a != b for a, b in zip(seen, seen[1:], strict=False)) <= 1


def test_another_action_takes_over_when_it_is_clearly_surer():
    graphs = run([(action("cutting", 0.9), action("sawing", 0.1))] * 5 + [(action("sawing", 0.9),)] * 8)
    assert told(graphs[4])[0][1] == "cutting" and told(graphs[-1])[0][1] == "sawing"
    (now,) = (r for r in graphs[-1].relations if r.family == Family.ACTION)
    assert now.since_ns > 11 * NS


def test_an_action_holds_between_the_thresholds_and_ends_below():
    graphs = run([(action("closeTo", 0.8),)] * 4 + [(action("closeTo", 0.42),)] * 10 + [(action("closeTo", 0.1),)] * 6)
    assert told(graphs[13]) and not told(graphs[-1])
    never = run([(action("closeTo", 0.42),)] * 10)
    assert not told(never[-1])


@pytest.mark.parametrize(("said", "stated"), [(0.9, 0.5), (0.42, 0.25)])
def test_what_is_stated_may_be_less_sure_than_what_decides(said, stated):
    scripts = [(action("closeTo", 0.9),)] * 4 + [(action("closeTo", said),)] * 10
    humble = Statements((-4.0, 0.0, 2.2, 4.0), {"action/closeTo": (-4.0, -0.9, 0.0, 3.0)})
    plain, modest = run(scripts), run(scripts, statements=humble)
    assert [told(graph) for graph in modest] == [told(graph) for graph in plain]
    (relation,) = (r for r in modest[-1].relations if r.family == Family.ACTION)
    assert relation.confidence == pytest.approx(stated, abs=0.03)


def test_what_is_no_longer_said_ends_while_the_pair_is_still_seen():
    graphs = run([(action("closeTo", 0.9),)] * 4 + [()] * 8)
    assert told(graphs[4]) and not told(graphs[-1])


def test_a_direction_and_its_converse_are_one_statement():
    said = RelationEvidence(1, 0, "right_of", Family.GEOMETRIC, 0.9)
    room = Room(posed=False, cameras=("ceiling_left",), sigma_m=0.02)  # no geometry: only what is said counts
    graph = run([(said,)] * 3, room=room)[-1]
    assert told(graph, Family.GEOMETRIC) == [("person_1", "left_of", "operating_table_1")]


def test_one_camera_that_errs_is_outvoted_by_the_other():
    eye, room = SceneTracker(TrackerConfig()), Room(sigma_m=0.02)
    for i in range(8):
        frames, seen, stamp = room.look(10 + 0.2 * i, (SURGEON, TABLE))
        said = (action("cutting", 0.65),), (action("cutting", 0.05),)
        seen = [type(s)(s.detections, r) for s, r in zip(seen, said, strict=True)]
        graph = eye.update(frames, seen, stamp)
    assert not told(graph)


def test_geometry_and_network_are_pooled():
    left = RelationEvidence(0, 1, "touching", Family.GEOMETRIC, 0.05)
    things = DRILL, ("instrument_table", *TABLE[1:])  # on an operating table tools lie on the patient, not on the table
    alone = run([()] * 4, things=things)[-1]
    doubted = run([(left,)] * 4, things=things)[-1]

    def touching(graph):
        return next((r for r in graph.relations if r.predicate == "touching"), None)

    assert touching(alone).source == EvidenceSource.GEOMETRY
    assert touching(doubted) is None or touching(doubted).confidence < touching(alone).confidence - 0.2
    agreed = run([(RelationEvidence(0, 1, "touching", Family.GEOMETRIC, 0.95),)] * 4, things=things)[-1]
    assert touching(agreed).source == EvidenceSource.FUSED


def test_box_rules_of_one_camera_do_not_count_beside_the_posterior():
    rule = RelationEvidence(0, 1, "inside", Family.GEOMETRIC, 0.99, EvidenceSource.GEOMETRY)
    assert ("person_1", "inside", "operating_table_1") not in told(run([(rule,)] * 4)[-1], Family.GEOMETRIC)


def crowd(n, seed=1):
    rng = np.random.default_rng(seed)
    labels = ["person", "drill", "saw", "monitor", "lamp", "instrument_table", "c_arm", "instrument"]
    places = rng.uniform((-1.2, -0.4, 0.5), (1.4, 1.6, 1.2), (n, 3))
    return [(labels[i % len(labels)], tuple(p), (0.4, 0.3, 0.5)) for i, p in enumerate(places)]


def test_a_crowded_graph_is_bounded_and_tells_actions_and_contacts_first():
    said = tuple(action("closeTo", 0.9, subject=a, object=b) for a in range(3) for b in range(3, 13))
    graph = run([said] * 3, things=crowd(24), max_relations=60)[-1]
    assert len(graph.relations) == 60
    kinds = [
        0 if r.family == Family.ACTION else 1 if r.predicate in ("touching", "on", "inside") else 2
        for r in graph.relations
    ]
    assert kinds == sorted(kinds) and kinds.count(0) == 30
    rest = [r.center_distance_m for r, kind in zip(graph.relations, kinds, strict=True) if kind == 2]
    assert rest == pytest.approx(sorted(rest), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_relation_and_its_converse_are_never_both_told(seed):
    graph = run([()] * 3, things=crowd(20, seed))[-1]
    spoken = {r.triplet for r in graph.relations if r.family == Family.GEOMETRIC}
    assert len(spoken) > 20
    for a, predicate, b in spoken:
        assert (b, CONVERSE.get(predicate), a) not in spoken or predicate not in CONVERSE
    assert len({r.predicate for r in graph.relations}) > 4


def test_only_known_pairs_are_told_anything_about():
    graph = run([(action("closeTo", 0.9, 0, 7), action("nonsense", 0.9), action("closeTo", 0.9, 0, 0))] * 3)[-1]
    assert told(graph) == []


def boxes(n, seed):
    rng = np.random.default_rng(seed)
    spread = np.tile(np.diag([0.01, 0.02, 0.005]), (n, 1, 1))
    return rng.uniform(-1, 1, (n, 3)), spread, rng.uniform(0.2, 0.8, (n, 3)), rng.uniform(-3, 3, n)


def test_what_is_remembered_of_pairs_is_what_would_be_worked_out_anew():
    memory = PosteriorRelations(radius_m=50.0)
    centers, spread, sizes, yaws = boxes(6, 0)
    memory.table(range(6), centers, spread, sizes, yaws, np.eye(3))
    centers[2] += (0.4, -0.2, 0.0)
    yaws[4] += 0.5
    keep = [5, 2, 0, 4]  # one track gone, order changed
    table = memory.table(keep, centers[keep], spread[keep], sizes[keep], yaws[keep], np.eye(3))
    fresh = all_pairs_probabilities(centers[keep], spread[keep], sizes[keep], yaws[keep], np.eye(3))
    np.testing.assert_allclose(table, np.where(np.eye(4)[..., None] > 0, table, fresh), atol=1e-12)


def test_pairs_that_hardly_moved_are_not_worked_out_again():
    memory = PosteriorRelations(radius_m=50.0)
    centers, spread, sizes, yaws = boxes(5, 1)
    before = memory.table(range(5), centers, spread, sizes, yaws, np.eye(3))
    after = memory.table(range(5), centers + 0.01 * np.eye(5)[:, :3], spread, sizes, yaws, np.eye(3))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("p", "shifts"), [(0.5, 0.253), (0.02, 0.879), (0.98, 0.879), (1e-4, 2.438)])
def test_how_far_a_gaussian_may_shift_is_exact_for_a_half_space(p, shifts):
    assert free_shift(np.array([p]))[0] == pytest.approx(shifts, abs=1e-3)
    after = [ndtr(ndtri(p) + s * shifts) for s in (-1, 1)]
    assert max(abs(q - p) for q in after) == pytest.approx(TOLERANCE, abs=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_kept_probabilities_never_lag_by_more_than_the_tolerance(seed):
    rng = np.random.default_rng(seed)
    memory = PosteriorRelations(radius_m=50.0)
    centers, spread, sizes, yaws = boxes(6, seed)
    lag = []
    for _ in range(60):
        centers = centers + rng.normal(0.0, 0.015, (6, 3))  # a pair's standard deviation is about 0.15 m
        kept = memory.table(range(6), centers, spread, sizes, yaws, np.eye(3))
        fresh = all_pairs_probabilities(centers, spread, sizes, yaws, np.eye(3))
        lag.append(np.abs(kept - fresh).max((0, 1)))
    assert np.max(lag) <= TOLERANCE + 0.005
    assert (np.max(lag, axis=0)[:4] > 0.02).all()  # it does keep what hardly changed


def test_far_pairs_are_left_unknown():
    centers, spread, sizes, yaws = boxes(2, 2)
    centers[1] += (5.0, 0.0, 0.0)
    table = PosteriorRelations(radius_m=1.5).table(range(2), centers, spread, sizes, yaws, np.eye(3))
    assert np.isnan(table[0, 1]).all() and table.shape == (2, 2, len(PREDICATES))


def test_measured_lengths_are_those_of_the_boxes():
    centers, _, sizes, yaws = boxes(4, 3)
    centers *= 3
    spread = (0.04, 0, 0, 0, 0.04, 0, 0, 0, 0.04)
    objects = [
        SceneObject(id=str(i), label="x", center_m=tuple(c), size_m=tuple(s), yaw_rad=float(y), covariance_m2=spread)
        for i, (c, s, y) in enumerate(zip(centers, sizes, yaws, strict=True))
    ]
    lengths = measure(Boxes.of(objects), [(0, 1), (2, 3), (3, 0)])
    for (a, b), m in lengths.items():
        box = [OrientedBox(centers[i], sizes[i], yaws[i]) for i in (a, b)]
        assert m.surface_m == pytest.approx(surface_distance(*box))
        assert m.center_m == pytest.approx(np.linalg.norm(centers[b] - centers[a]))
        assert m.surface_stddev_m == pytest.approx(np.sqrt(0.08))
        np.testing.assert_allclose(np.array(m.direction) * m.center_m, centers[b] - centers[a])
