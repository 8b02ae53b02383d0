"""Vertebroplasty under the C-arm: needle, mallet, cement, and exposures from which the staff step back."""

from or_spatial.world.layout import Spot
from or_spatial.world.procedures.common import (
    Phase,
    Procedure,
    Step,
    aside,
    busy,
    glide,
    hand_on,
    lead,
    seconds,
    surgeon_step,
    table_vector,
    to_table,
)
from or_spatial.world.procedures.total_knee import preparation
from or_spatial.world.stage import Stage

SPINE = (0.22, 0.05)
_PUSH_M_S = 0.20


def position(stage: Stage, end: float) -> None:
    """The C-arm is rolled to the table, the back is washed."""
    to_table(stage, "head_surgeon")
    away = table_vector(stage, 0.0, -0.8)
    if stage.clock["radiographer"] <= stage.start_s + 1e-6:
        track = stage.line.tracks["c_arm_1"]
        at = track.last
        operator = stage.layout.spots["c_arm_operator"]
        track.place(type(at)(at.x + away[0], at.y + away[1], at.yaw))
        stage.line.tracks[stage.id("radiographer")].place(
            type(at)(operator.x + away[0], operator.y + away[1], operator.yaw)
        )
        t = stage.clock["radiographer"]
        t1 = glide(stage, ["c_arm", "radiographer"], t, (-away[0], -away[1]), _PUSH_M_S)
        stage.reach("radiographer", hand_on(stage, "c_arm", "radiographer", 1.05), t1 - t, start=t, motion="still")
        stage.note("radiographer", "manipulating", "c_arm", t + 0.3, t1)
    steps = [
        surgeon_step(stage, "cleaning", "instrument", "sweep", *SPINE, spot="torso", weight=2),
        surgeon_step(stage, "preparing", "", "work", *SPINE, spot="torso", weight=1),
        Step(1, lambda: _controls(stage)),
        Step(1, lambda: _expose(stage)),
    ]
    lead(stage, end, "head_surgeon", steps, "radiographer")


def needle(stage: Stage, end: float) -> None:
    """The needle through the pedicle: mallet blows, a step back, an exposure."""
    to_table(stage, "head_surgeon")
    steps = [
        surgeon_step(stage, "hammering", "hammer", "hammer", *SPINE, spot="torso", weight=1.5),
        surgeon_step(stage, "touching", "instrument", "work", *SPINE, spot="torso", weight=0.8),
        surgeon_step(stage, "cutting", "instrument_3", "work", *SPINE, spot="torso", weight=0.7),
        Step(2.2, lambda: _expose(stage)),
        Step(0.8, lambda: _controls(stage)),
    ]
    lead(stage, end, "head_surgeon", steps, "radiographer")


def cement(stage: Stage, end: float) -> None:
    """Cement under fluoroscopy, watched for leaks."""
    to_table(stage, "head_surgeon")
    steps = [
        surgeon_step(stage, "cementing", "instrument_2", "work", *SPINE, spot="torso", weight=2.0),
        Step(1.5, lambda: _expose(stage)),
    ]
    lead(stage, end, "head_surgeon", steps, "radiographer")


def close(stage: Stage, end: float) -> None:
    """Needle out, one stitch, dressing; the C-arm is drawn back."""
    to_table(stage, "head_surgeon")
    stage.go("radiographer", "c_arm_operator")
    t = stage.clock["radiographer"]
    t1 = glide(stage, ["c_arm", "radiographer"], t, table_vector(stage, 0.0, -0.6), _PUSH_M_S)
    stage.reach("radiographer", hand_on(stage, "c_arm", "radiographer", 1.05), t1 - t, start=t, motion="still")
    stage.note("radiographer", "manipulating", "c_arm", t + 0.3, t1)
    steps = [
        surgeon_step(stage, "suturing", "instrument_3", "suture", *SPINE, spot="torso", weight=2.0),
        surgeon_step(stage, "cleaning", "instrument", "sweep", *SPINE, spot="torso", weight=1.0),
    ]
    lead(stage, end, "head_surgeon", steps, "radiographer")


def _controls(stage: Stage) -> None:
    """The radiographer sets the machine while the surgeon waits."""
    role = "radiographer"
    stage.go(role, "c_arm_operator")
    stage.sync(role, "head_surgeon")
    stage.act(role, "manipulating", "c_arm", seconds(stage), hand_on(stage, "c_arm", role, 1.05), lean=0.15)
    stage.until(stage.clock[role] - 1.0, "head_surgeon")


def _expose(stage: Stage) -> None:
    """The surgeon steps back from the beam, the lamp of the C-arm lights, it scans the patient."""
    place = stage.layout.spots["torso"]
    away = table_vector(stage, -0.25, 0.45)
    stage.go("head_surgeon", Spot(place.x + away[0], place.y + away[1], place.yaw), side_step=True)
    role = "radiographer"
    stage.go(role, "c_arm_operator")
    t = stage.sync("head_surgeon", role)
    dt = seconds(stage, 2.5, 4.0)
    stage.note("c_arm", "scanning", "patient", t + 0.2, t + dt)
    stage.note(role, "manipulating", "c_arm", t + 0.2, t + dt)
    stage.span("exposure", t + 0.2, t + dt)
    stage.reach(role, hand_on(stage, "c_arm", role, 1.05), dt, motion="still")
    stage.wait(role, dt)
    stage.wait("head_surgeon", dt)


def lay_out(stage: Stage, end: float) -> None:
    """OR Preparation; the C-arm waits away from the table."""
    aside(stage, "head_surgeon")
    preparation(stage, end)
    busy(stage, end)


VERTEBROPLASTY = Procedure(
    "vertebroplasty",
    (
        Phase("OR Preparation", lay_out, draped=False, patient=False, weight=0.2, next_action="bring in"),
        Phase("Patient Preparation", position, draped=False, weight=0.8, next_action="scan"),
        Phase("Needle Placement", needle, weight=3.5, next_action="cement"),
        Phase("Cement Injection", cement, weight=2.5, next_action="suture"),
        Phase("Conclusion", close, weight=1.2, next_action="bring out"),
    ),
    ("hammer", "c_arm"),
    ("c_arm",),
)
