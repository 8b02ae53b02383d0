"""`--task tracking` without pictures: what counts as there, which track may be right, and one short clip end to end."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.evaluation import tracking_task
from or_spatial.evaluation.tracking_moments import GROUPS, group_of, in_picture, moment_of
from or_spatial.evaluation.tracking_task import TrackingTask, evaluate_tracking
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.perception.perceiver import Frame
from or_spatial.scene import Category, Scale, SceneGraph, SceneObject
from or_spatial.world.simulation import Simulation

KINDS = {"person": Category.PERSON, "patient": Category.PERSON, "drill": Category.INSTRUMENT}


def room(**things):
    """A graph of things by id: (label, x), all in one line at the height of a chest."""
    objects = tuple(
        SceneObject(id=id, label=label, category=KINDS.get(label, Category.FURNITURE), center_m=(x, 0.0, 1.0))
        for id, (label, x) in things.items()
    )
    return SceneGraph(stamp_ns=1, scale=Scale.METRIC, objects=objects)


def test_people_instruments_and_the_rest_are_told_apart():
    (person, patient, drill, table) = room(
        a=("person", 0), b=("patient", 0), c=("drill", 0), d=("operating_table", 0)
    ).objects
    assert [group_of(o) for o in (person, patient, drill, table)] == ["people", "things", "instruments", "things"]


def test_only_a_centre_in_some_picture_is_there_to_be_tracked():
    camera = Camera.from_fov(160, 90, 1.2)
    frames = [
        Frame("left", 1, np.zeros((90, 160, 3), np.uint8), camera, look_at((-1.0, -3.0, 1.0), (-1.0, 0.0, 1.0))),
        Frame("right", 1, np.zeros((90, 160, 3), np.uint8), camera, look_at((1.5, -3.0, 1.0), (1.5, 0.0, 1.0))),
    ]
    things = room(a=("person", -2.9), b=("person", 0.3), c=("person", 3.4), d=("person", 3.8))
    assert in_picture(things, frames) == {"a", "b", "c"}  # half a picture is 3 m x tan(0.6) = 2.05 m wide


def test_who_is_out_of_all_pictures_and_their_track_count_neither_way():
    truth = room(anna=("person", 0.0), ben=("person", 4.0))
    graph = room(person_1=("person", 0.1), person_2=("person", 4.3), person_3=("person", 9.0))
    moment = moment_of("people", truth, graph, frozenset({"anna"}), "7:")
    assert (moment.true, moment.said) == (("7:anna",), ("7:person_1", "7:person_3"))
    np.testing.assert_allclose(moment.apart_m, [[0.1, 9.0]])


def test_a_track_of_another_label_cannot_be_right():
    moment = moment_of("things", room(t=("operating_table", 0.0)), room(x=("lamp", 0.0)), frozenset({"t"}))
    assert moment.said == ("x",) and np.isinf(moment.apart_m).all()


def test_a_whole_procedure_goes_from_the_first_phase_to_the_last():
    simulation = Simulation("train", 3, 4, 300.0, hazards=(), procedure="total_knee", whole=True)
    phases = [simulation.phase(float(t))[0] for t in range(300)]
    told = list(dict.fromkeys(phases))
    assert (told[0], told[-1], len(told)) == ("OR Preparation", "OR Cleanup", 8)
    assert min(phases.count(name) for name in told) >= 15


@pytest.fixture(scope="module")
def figures():
    return evaluate_tracking(TrackingTask("train", 3, 1, duration_s=6.0))


def test_a_short_clip_gives_figures_for_people_and_for_the_rest(figures):
    tracking = figures["tracking"]
    assert 0.6 < tracking["hota"] <= 1.0
    assert tracking["minutes"] == pytest.approx(tracking["found"] / 300 + tracking["missed"] / 300)
    assert tracking["id_switches_per_person_min"] == pytest.approx(tracking["switches"] / tracking["minutes"])
    assert {"hota", "deta", "assa", "mota", "idf1"} <= set(tracking["instruments"]) & set(tracking["things"])
    assert figures["made_with"]["reach_m"] == 1.0


def test_the_command_writes_the_figures(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking_task, "evaluate_tracking", lambda task, workers, done: (done(), figures)[1])
    path = tmp_path / "tracking.json"
    result = CliRunner().invoke(app, ["evaluate", "--task", "tracking", "--clips", "1", "--json", str(path)])
    assert result.exit_code == 0, result.output
    assert "tracking.id_switches_per_person_min" in result.output and "by_clip" not in result.output
    assert set(GROUPS[1:]) <= set(json.loads(path.read_text())["tracking"])
