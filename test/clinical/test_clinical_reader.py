"""The clinical reader on a small invented operation: a nurse prepares, a surgeon cuts, a nurse cleans."""

from dataclasses import replace

import numpy as np
import pytest

from or_spatial.clinical import ClinicalModel, ClinicalReader
from or_spatial.clinical.cues import ACTS, PERSON_CHANNELS, read_cues
from or_spatial.clinical.fitting import Step, fit
from or_spatial.clinical.next_acts import NOTHING, acts_before_and_after
from or_spatial.clinical.roles import assignments
from or_spatial.errors import ConfigError, DatasetError
from or_spatial.scene import Family, SceneGraph, SceneObject, SpatialRelation
from or_spatial.scene.values import same

NS = 1_000_000_000
FURNITURE = ("operating_table", "instrument_table", "secondary_table")


def graph(second, said, people=("p", "q"), patient=True, vocabulary="or_world"):
    """A graph of actions; ids of things are their labels."""
    things = [*FURNITURE, *(["patient"] if patient else [])]
    objects = [SceneObject(id=p, label="person") for p in people] + [SceneObject(id=t, label=t) for t in things]
    relations = [SpatialRelation(subject_id=s, predicate=p, object_id=o, family=Family.ACTION) for s, p, o in said]
    return SceneGraph(stamp_ns=second * NS, vocabulary=vocabulary, objects=tuple(objects), relations=tuple(relations))


def operation(prepare_s=30, cut_s=40, clean_s=20, surgeon="p", nurse="q"):
    """(graph, roles, phase) of every second."""
    roles = {surgeon: "surgeon", nurse: "nurse"}
    steps = []
    for second in range(prepare_s + cut_s + clean_s):
        aside = (nurse, "closeTo", "secondary_table")
        if second < prepare_s:
            phase, said, patient = "prepare", [(nurse, "preparing", "patient")], True
        elif second < prepare_s + cut_s:
            phase, said, patient = "operate", [aside, (surgeon, "cutting", "patient")], True
        else:
            phase, said, patient = "clean", [aside], False
        steps.append(Step(graph(second, said, (surgeon, nurse), patient), roles, phase))
    return steps


@pytest.fixture(scope="module")
def model():
    return fit(
        [operation()],
        phases=("prepare", "operate", "clean"),
        roles=("surgeon", "nurse"),
        scrubbed=("surgeon",),
        model_id="invented",
    )


def read(model, steps, **options):
    reader = ClinicalReader(model, **options)
    return [reader.read(step.graph) for step in steps]


def test_phases_of_another_length_are_followed(model):
    steps = operation(prepare_s=24, cut_s=50, clean_s=15)
    said = [state.phase for state in read(model, steps)]
    assert said == [step.phase for step in steps]


def test_a_machine_that_was_never_in_the_room_holds_no_phase_back(model):
    """What does not change within an operation is no evidence that a phase has not begun."""
    c_arm = SceneObject(id="c_arm_1", label="c_arm")
    steps = operation()
    furnished = [replace(s, graph=replace(s.graph, objects=(*s.graph.objects, c_arm))) for s in steps]
    assert [state.phase for state in read(model, furnished)] == [step.phase for step in steps]


def test_roles_are_read_from_what_people_do(model):
    states = read(model, operation())
    assert {r.object_id: r.role for r in states[45].roles} == {"p": "surgeon", "q": "nurse"}


def test_the_next_action_is_said_before_it_happens(model):
    assert read(model, operation())[10].next_action == "cut"


def test_the_reading_is_online(model):
    """What follows a second never changes what was said of it."""
    steps = operation()
    assert all(same(a, b) for a, b in zip(read(model, steps[:50]), read(model, steps)[:50], strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_ids_that_are_counted_anew_each_second_tell_nothing(model, seed):
    rng = np.random.default_rng(seed)
    reader = ClinicalReader(model, ids_last=False)
    for step, expected in zip(operation(), read(model, operation(), ids_last=False), strict=True):
        surgeon, nurse = rng.permutation(["a", "b"]).tolist()
        new = {"p": surgeon, "q": nurse}
        objects = [replace(o, id=new.get(o.id, o.id)) for o in step.graph.objects]
        relations = [replace(r, subject_id=new.get(r.subject_id, r.subject_id)) for r in step.graph.relations]
        rng.shuffle(objects)
        found = reader.read(replace(step.graph, objects=tuple(objects), relations=tuple(relations)))
        wanted = {new[r.object_id]: r.confidence for r in expected.roles}
        assert {r.object_id: r.confidence for r in found.roles} == pytest.approx(wanted, abs=1e-9)


def test_ids_of_a_tracker_keep_a_role_while_its_holder_does_nothing(model):
    reader = ClinicalReader(model)
    for step in operation()[:60]:
        reader.read(step.graph)
    for second in range(60, 66):
        state = reader.read(graph(second, []))
    assert {r.object_id: r.role for r in state.roles} == {"p": "surgeon", "q": "nurse"}


def test_a_stranger_in_an_odd_room_gets_no_role_for_certain(model):
    state = ClinicalReader(model).read(graph(0, [], people=("x", "y", "z")))
    assert all(r.confidence < 0.9 for r in state.roles)


def test_sterility_is_that_of_the_graph_or_of_the_role(model):
    reader = ClinicalReader(model)
    for step in operation()[:50]:
        state = reader.read(step.graph)
    assert {r.object_id: r.sterile > 0.5 for r in state.roles} == {"p": True, "q": False}
    last = operation()[50].graph
    soiled = tuple(replace(o, sterile=0.1) if o.id == "p" else o for o in last.objects)
    roles = reader.read(replace(last, objects=soiled)).roles
    assert next(r for r in roles if r.object_id == "p").sterile == 0.1


def test_a_jump_back_in_time_begins_a_new_operation(model):
    reader = ClinicalReader(model)
    for step in operation():
        reader.read(step.graph)
    assert reader.read(operation()[0].graph).phase == "prepare"


def test_graphs_between_two_steps_repeat_the_reading_with_their_own_stamp(model):
    reader = ClinicalReader(model)
    first = reader.read(operation()[0].graph)
    again = reader.read(replace(operation()[40].graph, stamp_ns=NS // 5))
    assert (again.stamp_ns, again.phase, again.phase_confidence) == (NS // 5, first.phase, first.phase_confidence)


def test_a_crowd_of_thirty_is_read_without_end(model):
    crowd = tuple(f"person_{k}" for k in range(30))
    assert len(ClinicalReader(model).read(graph(0, [], people=crowd)).roles) == 30


def test_an_empty_room_is_read(model):
    assert ClinicalReader(model).read(SceneGraph(stamp_ns=0)).roles == ()


def test_a_model_is_the_same_after_json(model):
    steps = operation(prepare_s=20)
    again = ClinicalModel.from_json(model.to_json())
    for a, b in zip(read(model, steps), read(again, steps), strict=True):
        assert a.phase == b.phase and a.phase_confidence == pytest.approx(b.phase_confidence, abs=5e-3)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "[1]"])
def test_a_damaged_model_is_named(text):
    with pytest.raises(ConfigError, match=r"room\.json.*fit it again"):
        ClinicalModel.from_json(text, "room.json")


def test_a_phase_that_nobody_annotated_cannot_be_fitted():
    with pytest.raises(DatasetError, match="no step of phase robot"):
        fit([operation()], phases=("prepare", "operate", "clean", "robot"), roles=("surgeon",))
    with pytest.raises(DatasetError, match="phase 'clean'"):
        fit([operation()], phases=("prepare", "operate"), roles=("surgeon",))


def test_relations_count_in_both_directions_and_4d_or_reads_as_our_world():
    ours = read_cues(graph(0, [("patient", "closeTo", "p"), ("p", "holding", "instrument_table")]))
    place, _, hands, *_ = ours.people[0].values
    assert PERSON_CHANNELS["place"][place] == "instrument_table+patient"
    assert PERSON_CHANNELS["hands"][hands] == "hold"
    human = SceneObject(id="h", label="human_3")
    table = SceneObject(id="t", label="operating_table")
    rolls = SpatialRelation(subject_id="h", predicate="Operating", object_id="t", family=Family.ACTION)
    theirs = SceneGraph(stamp_ns=0, vocabulary="4d-or", objects=(human, table), relations=(rolls,))
    assert ACTS[read_cues(theirs).room[0]] == "move table"


def test_the_act_to_come_differs_from_the_last_one():
    cut, saw = ACTS.index("cut"), ACTS.index("saw")
    assert acts_before_and_after([NOTHING, cut, NOTHING, cut, NOTHING, saw, NOTHING]) == [
        (NOTHING, cut), (cut, saw), (cut, saw), (cut, saw), (cut, saw), (saw, NOTHING), (saw, NOTHING),
    ]  # fmt: skip


def test_assignments_give_nobody_two_roles():
    ways = assignments(3, 2)
    assert len(ways) == 1 + 2 * 3 + 3 * 2
    assert all(a == -1 or a != b for a, b in ways)


def test_roles_do_not_pass_to_strangers_when_a_tracker_counts_people_anew(model):
    steps = operation()
    went_on, began_anew = (ClinicalReader(model) for _ in range(2))
    for n, step in enumerate(steps[:60]):
        for reader in (went_on, began_anew):
            reader.read(replace(step.graph, sequence=n + 1))
    stranger = graph(60, [("q", "cutting", "patient")])  # ids exchanged by the restart
    held = [
        {r.object_id: r.role for r in reader.read(replace(stranger, sequence=n)).roles}
        for reader, n in ((went_on, 61), (began_anew, 1))
    ]
    assert held[0]["q"] == "nurse" and held[1]["q"] == "surgeon"
