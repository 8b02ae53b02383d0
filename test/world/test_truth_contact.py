"""Truth from meshes: distances between surfaces, and what is above, on and inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.geometry.boxes import OrientedBox, surface_distance
from or_spatial.scene.relations import EvidenceSource, Family
from or_spatial.world.contact import SPACING_M, Surface
from or_spatial.world.meshing import box
from or_spatial.world.parts import Material, Part, Solid
from or_spatial.world.rig import camera_rig
from or_spatial.world.simulation import Simulation
from or_spatial.world.truth import CLOSE_TO_M, Bodies, oriented_box, pair_facts, truth_graph


def block(size, center) -> Surface:
    vertices, faces = box(size, center)
    return Surface.of(Solid("x", (Part(np.asarray(vertices), np.asarray(faces, np.int32), Material((0.5, 0.5, 0.5))),)))


@given(gap=st.floats(0.0, 0.6), dz=st.floats(-0.2, 0.2))
def test_the_distance_of_two_blocks_is_that_of_their_surfaces(gap, dz):
    a, b = block((0.6, 0.4, 0.8), (0, 0, 0.4)), block((0.5, 0.3, 0.8), (0.55 + gap, 0.05, 0.4 + dz))
    exact = surface_distance(
        OrientedBox([0, 0, 0.4], [0.6, 0.4, 0.8]), OrientedBox([0.55 + gap, 0.05, 0.4 + dz], [0.5, 0.3, 0.8])
    )
    assert exact - 1e-9 <= a.distance(b) <= exact + SPACING_M
    assert np.isclose(a.distance(b), b.distance(a))


def test_a_surface_knows_its_height_under_a_footprint_and_not_elsewhere():
    a = block((1.0, 1.0, 0.7), (0, 0, 0.35))
    square = np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]])
    assert np.isclose(a.top_under(square), 0.7)
    assert a.top_under(square + 3.0) == -np.inf


@pytest.fixture(scope="module")
def moment():
    simulation = Simulation("train", 3, procedure="total_knee", hazards=())
    state = simulation.state(4.0)
    bodies = Bodies.of(state)
    rig = camera_rig(simulation.script)[0]
    return state, bodies, truth_graph(state, pair_facts(state, bodies), bodies, rig.room_from_camera, rig.name)


def test_every_box_holds_its_mesh_and_touches_it(moment):
    state, bodies, _ = moment
    for entity in state.entities:
        box_ = oriented_box(entity)
        grown = OrientedBox(box_.center, box_.size + 1e-6, box_.yaw)
        assert grown.contains(entity.solid.vertices).all(), entity.id


def test_a_truth_graph_holds_both_orders_of_every_pair(moment):
    _, _, graph = moment
    told = {r.triplet for r in graph.relations if r.family == Family.GEOMETRIC}
    for a, p, b in told:
        converse = {"near": "near", "touching": "touching", "left_of": "right_of", "in_front_of": "behind"}.get(p)
        assert converse is None or (b, converse, a) in told
        assert p not in ("above", "on") or (b, "below", a) in told
    assert all(r.source == EvidenceSource.TRUTH for r in graph.relations)


def test_at_most_one_action_holds_between_an_ordered_pair(moment):
    _, _, graph = moment
    pairs = [(r.subject_id, r.object_id) for r in graph.relations if r.family == Family.ACTION]
    assert len(pairs) == len(set(pairs))


def test_close_to_never_reaches_further_than_an_arm(moment):
    _, _, graph = moment
    close = [r for r in graph.relations if r.predicate == "closeTo"]
    assert close and all(r.surface_distance_m <= CLOSE_TO_M for r in close)


def test_the_patient_lies_on_the_table_as_action_and_as_geometry(moment):
    state, _, graph = moment
    if state.entity("patient_1") is None:
        pytest.skip("no patient in this phase")
    told = {(r.predicate, r.family) for r in graph.between("patient_1", "operating_table_1")}
    assert ("lyingOn", Family.ACTION) in told and ("on", Family.GEOMETRIC) in told


def test_scrubbed_people_are_sterile_and_others_are_not(moment):
    state, _, graph = moment
    for entity in state.entities:
        if entity.label == "person":
            scrubbed = entity.role in ("head_surgeon", "assistant_surgeon", "nurse")
            assert graph.find(entity.id).sterile == float(scrubbed)
