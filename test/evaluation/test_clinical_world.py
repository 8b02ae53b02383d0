"""The clinical reader on the world: fitted on a few scripted operations, read on another; no pictures, no meshes."""

import pytest

from or_spatial.clinical import Repertoire
from or_spatial.evaluation.clinical_world import ROLES, STEP_S, fit_world, read_operation
from or_spatial.evaluation.clinical_world_score import score_world, told
from or_spatial.paths import share_path
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import split_plan

SEEDS = range(3)


@pytest.fixture(scope="module")
def knees():
    return [read_operation("train", seed, "total_knee") for seed in SEEDS]


def test_an_operation_goes_from_its_first_phase_to_its_last_in_steps(knees):
    steps = knees[0].steps
    assert (steps[0].phase, steps[-1].phase) == ("OR Preparation", "OR Cleanup")
    assert {steps[n + 1].graph.stamp_ns - steps[n].graph.stamp_ns for n in range(5)} == {round(STEP_S * 1e9)}
    people = {o.id for o in steps[9].graph.objects if o.label == "person"}
    assert people == set(steps[9].roles)
    assert set(steps[9].roles.values()) <= {*ROLES, "none"}


def test_a_reader_fitted_on_others_knows_the_nurse_and_most_phases(knees):
    figures = score_world(fit_world(knees), [read_operation("val", 0, "total_knee")])
    assert figures["phases"]["right_when_answered"] > 0.6
    assert figures["roles"]["right_when_answered"] > 0.6
    assert figures["operations"] == {"known": 1, "unseen": 0}


def test_giving_nobody_a_role_is_no_answer_though_it_may_be_right():
    figures = told([("surgeon", "surgeon", 0.9), ("surgeon", "none", 0.2), ("none", "none", 0.2), ("nurse", "", 0.1)])
    assert (figures["accuracy"], figures["answered"], figures["right_when_answered"]) == (0.5, 0.25, 1.0)


def test_a_procedure_that_the_reader_does_not_know_is_scored_apart(knees):
    stranger = read_operation("test", 0, "laparoscopic_gallbladder")
    figures = score_world(fit_world(knees), [knees[0], stranger])
    assert figures["operations"] == {"known": 1, "unseen": 1}
    assert figures["unseen"]["procedure"]["accuracy"] == 0.0


def test_the_shipped_model_knows_the_procedures_that_training_may_know():
    shipped = Repertoire.load(share_path("config", "clinical", "or_world.json"))
    assert {m.procedure for m in shipped.models} == set(split_plan("train").procedures)
    assert shipped.step_s == STEP_S


def test_the_script_alone_says_nearly_what_the_meshes_say():
    """On average 92.5 % of people have the very cues; here one moment of work, and every action."""
    from or_spatial.world.script_graph import script_graph
    from or_spatial.world.truth import staff_graph

    simulation = Simulation("val", 0, 1, 100.0, procedure="total_knee", whole=True)
    quick, exact = script_graph(simulation, 62.0), staff_graph(simulation.state(62.0))
    assert {o.id for o in quick.objects} >= {o.id for o in exact.objects if o.label != "lamp"}

    def said(graph, close):
        people = {o.id for o in graph.objects if o.label == "person"}
        return {r.triplet for r in graph.relations if (r.predicate == "closeTo") == close and r.subject_id in people}

    assert said(quick, close=False) == said(exact, close=False)
    both, either = said(quick, close=True) & said(exact, close=True), said(quick, close=True) | said(exact, close=True)
    assert len(both) > 0.7 * len(either)
