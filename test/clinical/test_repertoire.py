"""Several kinds of operations at once: the room tells which one it is, and the reading is their mixture."""

import math
from dataclasses import replace

import pytest
from test_clinical_reader import graph, operation

from or_spatial.clinical import ClinicalReader, Repertoire
from or_spatial.clinical.fitting import Step, fit
from or_spatial.errors import ConfigError
from or_spatial.scene import ClinicalState, RoleEstimate

PHASES = ("prepare", "operate", "clean")


def imaging(scan_s=40):
    """Another kind of operation: it begins as the other does, but then a C-arm is used."""
    steps = []
    for step in operation(cut_s=scan_s):
        if step.phase == "operate":
            second = step.graph.stamp_ns // 1_000_000_000
            said = [("q", "scanning", "patient"), ("p", "preparing", "patient")]
            step = Step(graph(second, said), step.roles, "image")
        steps.append(step)
    return steps


def fitted(steps, phases, procedure):
    model = fit([steps], phases=phases, roles=("surgeon", "nurse"), scrubbed=("surgeon",), model_id=procedure)
    return replace(model, procedure=procedure)


@pytest.fixture(scope="module")
def repertoire():
    return Repertoire(
        model_id="two",
        models=(fitted(operation(), PHASES, "open"), fitted(imaging(), ("prepare", "image", "clean"), "guided")),
    )


def read(repertoire, steps):
    reader = ClinicalReader(repertoire)
    return [reader.read(step.graph) for step in steps]


def test_the_kind_of_operation_is_open_at_first_and_told_by_what_is_done(repertoire):
    for steps, procedure, phase in ((operation(), "open", "operate"), (imaging(), "guided", "image")):
        states = read(repertoire, steps)
        assert states[5].procedure_confidence == pytest.approx(0.5, abs=0.05)
        assert states[60].procedure == procedure and states[60].procedure_confidence > 0.6
        assert states[60].phase == phase


def test_a_phase_of_one_name_counts_from_both_kinds(repertoire):
    state = read(repertoire, operation())[10]
    assert (state.phase, state.phase_confidence > 0.9) == ("prepare", True)


def test_a_reader_of_one_kind_does_not_claim_to_know_that_it_is_this_kind(repertoire):
    state = ClinicalReader(repertoire.models[0]).read(operation()[0].graph)
    assert state.procedure == "open" and math.isnan(state.procedure_confidence)


def test_a_repertoire_is_the_same_after_json_and_one_model_is_a_repertoire_of_one(repertoire):
    again = Repertoire.from_json(repertoire.to_json())
    assert [m.procedure for m in again.models] == ["open", "guided"]
    assert read(again, operation())[50].phase == read(repertoire, operation())[50].phase
    alone = Repertoire.from_json(repertoire.models[1].to_json())
    assert (alone.model_id, len(alone.models)) == ("guided", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged: JSONDecodeError"),
        ("[1]", "damaged: TypeError"),
        ('{"version": 9, "model_id": "x", "operations": []}', "is of version 9, expected 1"),
        ('{"version": 1, "model_id": "x", "operations": []}', "'x' holds no operation"),
        ('{"version": 1, "model_id": "x", "operations": [{}]}', "room.json.*fit it again"),
    ],
)
def test_a_damaged_file_is_named(text, words):
    with pytest.raises(ConfigError, match=words):
        Repertoire.from_json(text, "room.json")


def test_a_file_that_is_not_there_and_models_that_do_not_belong_together(tmp_path, repertoire):
    with pytest.raises(ConfigError, match=r"nothing\.json cannot be read"):
        Repertoire.load(tmp_path / "nothing.json")
    one = repertoire.models[0]
    with pytest.raises(ConfigError, match="holds a procedure twice: open, open"):
        Repertoire(model_id="x", models=(one, one))
    with pytest.raises(ConfigError, match="mixes steps of 1 s, 2 s"):
        Repertoire(model_id="x", models=(one, replace(one, procedure="other", step_s=2.0)))


def test_what_is_less_sure_than_asked_for_is_left_empty_with_its_confidence():
    state = ClinicalState(
        stamp_ns=1,
        procedure="open",
        phase="operate",
        phase_confidence=0.7,
        next_action="cut",
        next_action_confidence=0.4,
        roles=(RoleEstimate("p", "surgeon", 0.49), RoleEstimate("q", "nurse", 0.5)),
    )
    held = state.abstaining_below(0.5)
    assert (held.procedure, held.phase, held.next_action) == ("open", "operate", "")
    assert held.next_action_confidence == 0.4
    assert [r.role for r in held.roles] == ["", "nurse"]
