"""Hazards that no script is asked for, judged on exact geometry: against the plain way of asking every body."""

from dataclasses import replace

import numpy as np
import pytest

from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.hazards.closeness import Bodies
from or_spatial.hazards.passage import in_passage
from or_spatial.world import hazard_truth
from or_spatial.world.contact import Surface
from or_spatial.world.simulation import Simulation

TIMES = (1.0, 6.0, 11.0)


@pytest.fixture(scope="module")
def clip():
    return Simulation("train", 2, cameras=2, duration_s=12.0, hazards=())


def people_within(clip, thing, reach_m, t):
    """Everybody whose body, made whole, is within reach."""
    body = {m.id: Surface.of(clip.solid_at(m.id, t)) for m in clip.script.cast.values()}
    return sum(b.distance(thing, 4.0) <= reach_m for b in body.values())


@pytest.mark.parametrize("t", TIMES)
def test_company_is_counted_as_if_every_body_had_been_asked(clip, t):
    for id in ("operating_table_1", "instrument_table_1"):
        thing = Surface.of(clip.solid_at(id, t))
        for reach_m in (0.1, 0.6, 3.0):
            counted = hazard_truth._company(clip, thing, reach_m, t, enough=100)
            assert counted == people_within(clip, thing, reach_m, t)


def test_a_table_is_crowded_from_so_many_people_on(clip, monkeypatch):
    table = Surface.of(clip.solid_at("operating_table_1", 6.0))
    there = people_within(clip, table, hazard_truth.CROWD_M, 6.0)
    monkeypatch.setattr(hazard_truth, "CROWD", there)
    assert there > 1 and hazard_truth.crowded(clip, 6.0) == {"operating_table_1"}
    monkeypatch.setattr(hazard_truth, "CROWD", there + 1)
    assert hazard_truth.crowded(clip, 6.0) == frozenset()


def test_who_is_unattended_when_nobody_counts_as_near(clip, monkeypatch):
    assert hazard_truth.unattended_patient(clip, 6.0) == frozenset()
    assert hazard_truth.unattended_field(clip, 6.0) == frozenset()
    monkeypatch.setattr(hazard_truth, "PATIENT_ALONE_M", -1.0)
    monkeypatch.setattr(hazard_truth, "FIELD_ALONE_M", -1.0)
    assert hazard_truth.unattended_patient(clip, 6.0) == {"patient_1"}
    assert hazard_truth.unattended_field(clip, 6.0) == {"instrument_table_1"}


def test_an_instrument_on_a_worktop_or_in_a_hand_is_attended_however_far_everybody_is(clip, monkeypatch):
    monkeypatch.setattr(hazard_truth, "SHARP_ALONE_M", -1.0)
    alone = hazard_truth.unattended_sharps(clip, 6.0)
    bears = {tool: clip.script.line.carrier(tool, 6.0) for tool in clip.script.line.carries}
    safe = {i for i, c in bears.items() if c.holder or c.anchor.entity in hazard_truth._WORKTOPS}
    assert safe and not alone & safe
    assert alone <= bears.keys() - safe


def test_the_passage_is_that_of_the_rule(monkeypatch):
    """On exact boxes the rule's own words decide the same; the passage is made wide enough to hold somebody."""
    monkeypatch.setattr(hazard_truth, "PASSAGE_WIDTH_M", 3.0)
    monkeypatch.setattr(hazard_truth, "PASSAGE_M", 10.0)
    clip = next(
        c
        for c in (Simulation("train", seed, cameras=2, duration_s=12.0, hazards=()) for seed in range(30))
        if "mako_robot_1" in c.script.line.tracks and c.script.line.held("patient", 6.0) is not None
    )
    room, found = NoisyRoom(clip, Noise()), set()
    for t in TIMES:  # at full seconds the room's boxes are those of the meshes
        things = {o.id: o for o in room.truth(t).objects}
        people = [m.id for m in clip.script.cast.values()]
        inside = set()
        for id in people:
            bodies = Bodies.of([things[i] for i in (id, "mako_robot_1", "patient_1")])
            sure = replace(bodies, covariances=1e-12 * np.array([np.eye(3)] * 3))
            inside |= {id} if in_passage(sure, 0, 1, 2, 3.0, 10.0)[1] > 0.5 else set()
        assert hazard_truth.between(clip, t) == inside
        found |= inside
    assert found
