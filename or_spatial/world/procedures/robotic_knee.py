"""Robotic partial knee after MM-OR: bring and calibrate the robot, register the bone, cut guided by the robot."""

from or_spatial.world.procedures.common import (
    Phase,
    Procedure,
    Step,
    aside,
    busy,
    glide,
    hand_on,
    lead,
    on_table,
    seconds,
    surgeon_step,
    table_vector,
    to_table,
)
from or_spatial.world.procedures.total_knee import KNEE, conclusion, implant_placement, patient_preparation, preparation
from or_spatial.world.stage import Stage

_PUSH_M_S = 0.20  # slower than the 0.25 m/s from which a moving robot counts as a collision course


def bring_robot(stage: Stage, end: float) -> None:
    """The technician pushes the robot to the table, the nurse keeps clear, then prepares its drape."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    first = stage.clock["mps"] <= stage.start_s + 1e-6
    away = table_vector(stage, 0.0, -0.75)
    robot = stage.line.tracks["mako_robot_1"]
    push = stage.layout.spots["mako_push"]
    if first:
        at = robot.last
        robot.place(type(at)(at.x + away[0], at.y + away[1], at.yaw))
        stage.line.tracks[stage.id("mps")].place(type(at)(push.x + away[0], push.y + away[1], push.yaw))
        t = stage.clock["mps"]
        t1 = glide(stage, ["mako_robot", "mps"], t, (-away[0], -away[1]), _PUSH_M_S)
        stage.reach("mps", hand_on(stage, "mako_robot", "mps", 1.0), t1 - t, start=t, motion="still")
        stage.note("mps", "manipulating", "mako_robot", t + 0.3, t1)
    steps = [Step(2, lambda: _at_robot(stage, "manipulating")), Step(1, lambda: _dress(stage))]
    lead(stage, end, "mps", steps)


def calibrate(stage: Stage, end: float) -> None:
    """Calibration: the technician at the robot's base, the nurse with a tracker beside it."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        Step(4, lambda: _at_robot(stage, "calibrating")),
        Step(1, lambda: _station(stage)),
        Step(0.7, lambda: _dress(stage)),
    ]
    lead(stage, end, "mps", steps)


def _at_robot(stage: Stage, predicate: str) -> None:
    stage.go("mps", "mako_push")
    left = hand_on(stage, "mako_robot", "mps") if predicate == "calibrating" else None
    stage.act("mps", predicate, "mako_robot", seconds(stage), hand_on(stage, "mako_robot", "mps"), left=left)


def _station(stage: Stage) -> None:
    stage.go("mps", "mps_station")
    stage.act(
        "mps", "manipulating", "mps_station", seconds(stage), hand_on(stage, "mps_station", "mps", 1.05), lean=0.1
    )


def _dress(stage: Stage) -> None:
    """The scrubbed assistant prepares the robot's arm with its drape."""
    if not stage.has("assistant_surgeon"):
        return stage.wait("mps", 1.0)
    stage.go("assistant_surgeon", "assistant_robot")
    stage.turn_to("assistant_surgeon", *_xy(stage, "mako_robot"))
    anchor = hand_on(stage, "mako_robot", "assistant_surgeon", 1.15)
    stage.act("assistant_surgeon", "preparing", "mako_robot", seconds(stage), anchor, lean=0.3)
    stage.wait("mps", 1.0)


def _xy(stage: Stage, thing: str) -> tuple[float, float]:
    at = stage.line.tracks[stage.id(thing)].last
    return at.x, at.y


def register(stage: Stage, end: float) -> None:
    """Bone pins, arrays and registration: drill, then touch the bone with the probe while the technician watches."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "drilling", "drill", "drill", *KNEE, weight=1.5),
        surgeon_step(stage, "touching", "instrument", "work", *KNEE, weight=2.0),
        Step(0.6, lambda: _on_screen(stage)),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def robot_cut(stage: Stage, end: float) -> None:
    """Robot-guided cut: the saw at the bone beside the robot, suction by the assistant."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "sawing", "saw", "saw", *KNEE, weight=3.0),
        surgeon_step(stage, "touching", "", "still", -0.52, 0.06, weight=0.8),
        Step(0.5, lambda: _on_screen(stage)),
    ]
    if stage.allowed("head_surgeon", "touching", "mako_robot"):
        steps.append(Step(0.8, lambda: _touch_robot(stage)))
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def _on_screen(stage: Stage) -> None:
    dt = seconds(stage, 1.0, 2.0)
    stage.bend("head_surgeon", dt, 0.0, 0.0, 0.6)
    stage.wait("head_surgeon", dt)


def _touch_robot(stage: Stage) -> None:
    """Test rooms only: the surgeon moves the robot's arm by hand."""
    stage.go("head_surgeon", "head_surgeon")
    anchor = hand_on(stage, "mako_robot", "head_surgeon", 1.15)
    stage.act("head_surgeon", "touching", "mako_robot", seconds(stage), anchor, motion="still")


def park(stage: Stage, end: float) -> None:
    """The robot is pulled back slowly, everybody away from it; the wound is closed meanwhile."""
    stage.go("mps", "mako_push")
    t = stage.clock["mps"]
    t1 = glide(stage, ["mako_robot", "mps"], t, table_vector(stage, 0.0, -0.6), _PUSH_M_S)
    stage.reach("mps", hand_on(stage, "mako_robot", "mps", 1.0), t1 - t, start=t, motion="still")
    stage.note("mps", "manipulating", "mako_robot", t + 0.3, t1)
    conclusion(stage, end)


def lay_out(stage: Stage, end: float) -> None:
    """OR Preparation with the technician at his cart."""
    aside(stage, "head_surgeon", "assistant_surgeon")
    stage.turn_to("nurse", *_xy(stage, "instrument_table"))
    stage.act("nurse", "preparing", "instrument_table", seconds(stage), on_table(stage, "nurse"))
    busy(stage, stage.clock["nurse"])
    preparation(stage, end)


ROBOTIC_KNEE = Procedure(
    "robotic_knee",
    (
        Phase("OR Preparation", lay_out, draped=False, patient=False, weight=0.3, next_action="bring in"),
        Phase("Patient Preparation", patient_preparation, draped=False, weight=0.5, next_action="prepare"),
        Phase("Robot Setup", bring_robot, weight=1.0, next_action="prepare"),
        Phase("Robot Calibration", calibrate, weight=2.5, next_action="drill"),
        Phase("Registration", register, weight=2.0, next_action="saw"),
        Phase("Robot-Guided Cut", robot_cut, weight=2.8, next_action="cement"),
        Phase("Implant Placement", implant_placement, weight=1.8, next_action="suture"),
        Phase("Conclusion", park, weight=1.2, next_action="bring out"),
    ),
    ("drill", "saw", "hammer", "mako_robot", "mps_station"),
    ("mako_robot",),
)
