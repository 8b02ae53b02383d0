"""Total knee replacement after 4D-OR's eight phases, compressed so that a clip shows several actions."""

from or_spatial.world.procedures.common import (
    Phase,
    Procedure,
    Step,
    aside,
    assist_spot,
    busy,
    glide,
    hand_on,
    hand_towards,
    lead,
    on_table,
    seconds,
    surgeon_step,
    table_vector,
    to_table,
)
from or_spatial.world.stage import Stage

KNEE = (-0.30, 0.10)
ROLL_BY = (0.0, -1.15)


def preparation(stage: Stage, end: float) -> None:
    """OR Preparation: tables are laid, machines checked, no patient."""
    aside(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        Step(3, lambda: _lay_tables(stage)),
        Step(1.5, lambda: _count(stage)),
        Step(1, lambda: busy(stage, stage.clock["nurse"] + 1.5)),
    ]
    lead(stage, end, "nurse", steps)


def _lay_tables(stage: Stage) -> None:
    stage.go("nurse", "nurse")
    table = stage.layout.places["instrument_table"]
    stage.turn_to("nurse", table.x, table.y)
    stage.act(
        "nurse",
        "preparing",
        "instrument_table",
        seconds(stage),
        on_table(stage, "nurse"),
        left=on_table(stage, "nurse"),
    )


def _count(stage: Stage) -> None:
    """The circulator assists the nurse from a safe distance."""
    if not stage.has("circulator"):
        return _lay_tables(stage)
    helper = assist_spot(stage)
    if helper is None:
        return _lay_tables(stage)
    stage.go("circulator", helper)
    t = stage.sync("circulator", "nurse")
    dt = seconds(stage, 2.5, 4.0)
    stage.reach("circulator", hand_towards(stage, "circulator", "nurse"), dt)
    stage.reach("circulator", hand_towards(stage, "circulator", "nurse"), dt, hand="left", motion="still")
    stage.note("circulator", "assisting", "nurse", t + 0.3, t + dt)
    stage.wait("circulator", dt)
    _lay_tables(stage)


def roll_in(stage: Stage, end: float) -> None:
    """Patient Roll-In: the table comes from the far side with somebody at each end."""
    _roll(stage, end, inwards=True)


def roll_out(stage: Stage, end: float) -> None:
    """Patient Roll-Out: the same way back, without drapes."""
    _roll(stage, end, inwards=False)


def _roll(stage: Stage, end: float, inwards: bool) -> None:
    aside(stage, "head_surgeon", "assistant_surgeon", "mps")
    pushers = [r for r in ("anaesthetist", "circulator") if r in stage.cast] or ["nurse"]
    away = table_vector(stage, *ROLL_BY)
    table = stage.line.tracks["operating_table_1"]
    first = stage.clock[pushers[0]] <= stage.start_s + 1e-6
    if inwards and first:
        at = table.last
        table.place(type(at)(at.x + away[0], at.y + away[1], at.yaw))
    offset = away if inwards and first else (0.0, 0.0)
    ends = ("head_end", "foot_end")
    for role, spot in zip(pushers, ends, strict=False):
        place = stage.layout.spots[spot]
        moved = type(place)(place.x + offset[0], place.y + offset[1], place.yaw)
        if first:
            stage.line.tracks[stage.id(role)].place(type(table.last)(moved.x, moved.y, moved.yaw))
            stage._spot[role] = moved
        else:
            stage.go(role, moved)
    t = stage.sync(*pushers)
    by = (-away[0], -away[1]) if inwards and first else (away if not inwards else (0.0, 0.0))
    if by != (0.0, 0.0):
        t1 = glide(stage, ["operating_table", *pushers], t, by, float(stage.rng.uniform(0.35, 0.5)))
    else:
        t1 = t + 2.5
        stage.until(t1, *pushers)
    for role in pushers:
        anchor = hand_on(stage, "operating_table", role, stage.props["operating_table_1"].size_m[2])
        stage.reach(role, anchor, t1 - t, start=t, motion="still")
        left = hand_on(stage, "operating_table", role, stage.props["operating_table_1"].size_m[2])
        stage.reach(role, left, t1 - t, hand="left", start=t, motion="still")
        stage.note(role, "manipulating", "operating_table", t + 0.3, t1)
    for role in pushers:
        if inwards and stage.clock[role] < end - 2.5 and role != "nurse":
            anchor = stage.field(0.55 if role == "anaesthetist" else -0.75, 0.0, 0.02)
            stage.act(role, "touching", "patient", seconds(stage, 2.0, 3.0), anchor, motion="still")
    busy(stage, end)


def patient_preparation(stage: Stage, end: float) -> None:
    """Patient Preparation: airway, tourniquet, washing the leg; nothing is draped yet."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "cleaning", "instrument", "sweep", -0.40, 0.08, helped=0.5, weight=2.5),
        surgeon_step(stage, "preparing", "", "work", -0.30, 0.05, helped=0.3, weight=1),
        Step(2, lambda: _airway(stage)),
        Step(1.2, lambda: _tourniquet(stage)),
    ]
    lead(stage, end, "head_surgeon", steps)


def _airway(stage: Stage) -> None:
    if not stage.has("anaesthetist"):
        return stage.wait("head_surgeon", 1.0)
    stage.go("anaesthetist", "head_end")
    predicate = "preparing" if stage.rng.random() < 0.6 else "touching"
    left = stage.field(0.80, -0.08, 0.02)
    stage.act("anaesthetist", predicate, "patient", seconds(stage), stage.field(0.82, 0.06, 0.02), left=left, lean=0.3)
    stage.wait("head_surgeon", 1.5)


def _tourniquet(stage: Stage) -> None:
    """The circulator prepares the thigh from the far side while nothing is sterile there."""
    if not stage.has("circulator"):
        return stage.wait("head_surgeon", 1.0)
    stage.go("circulator", "torso_far")
    stage.act(
        "circulator",
        "preparing",
        "patient",
        seconds(stage),
        stage.field(0.05, -0.08, 0.02),
        left=stage.field(0.2, -0.1, 0.02),
    )
    stage.wait("head_surgeon", 1.5)


def implant_preparation(stage: Stage, end: float) -> None:
    """Implant Placement Preparation: cut, drill, hammer, saw."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "cutting", "instrument", "work", *KNEE, weight=1.6),
        surgeon_step(stage, "drilling", "drill", "drill", *KNEE, weight=1.6),
        surgeon_step(stage, "hammering", "hammer", "hammer", *KNEE, weight=1.6),
        surgeon_step(stage, "sawing", "saw", "saw", *KNEE, weight=1.6),
        surgeon_step(stage, "touching", "", "still", -0.55, 0.08, weight=0.6),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def implant_placement(stage: Stage, end: float) -> None:
    """Implant Placement: cement, hammer the parts home, clean the rest away."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "cementing", "instrument_2", "work", *KNEE, weight=2.4),
        surgeon_step(stage, "hammering", "hammer", "hammer", *KNEE, weight=1.2),
        surgeon_step(stage, "cleaning", "instrument", "sweep", *KNEE, weight=1.0),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def conclusion(stage: Stage, end: float) -> None:
    """Conclusion: three layers of suture, counts, dressing."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "suturing", "instrument_3", "suture", *KNEE, weight=3),
        surgeon_step(stage, "cleaning", "instrument", "sweep", *KNEE, weight=0.8),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def cleanup(stage: Stage, end: float) -> None:
    """OR Cleanup: tables are wiped, the patient is gone."""
    aside(stage, "head_surgeon", "assistant_surgeon")
    steps = [Step(3, lambda: _wipe(stage)), Step(1, lambda: stage.wait("nurse", 1.0))]
    lead(stage, end, "nurse", steps)


def _wipe(stage: Stage) -> None:
    stage.go("nurse", "nurse")
    table = stage.layout.places["instrument_table"]
    stage.turn_to("nurse", table.x, table.y)
    stage.act("nurse", "cleaning", "instrument_table", seconds(stage), on_table(stage, "nurse"), motion="sweep")


TOTAL_KNEE = Procedure(
    "total_knee",
    (
        Phase("OR Preparation", preparation, draped=False, patient=False, weight=0.4, next_action="bring in"),
        Phase("Patient Roll-In", roll_in, draped=False, weight=0.5, next_action="prepare"),
        Phase("Patient Preparation", patient_preparation, draped=False, weight=0.9, next_action="cut"),
        Phase("Implant Placement Preparation", implant_preparation, weight=4.5, next_action="cement"),
        Phase("Implant Placement", implant_placement, weight=2.4, next_action="suture"),
        Phase("Conclusion", conclusion, weight=1.8, next_action="bring out"),
        Phase("Patient Roll-Out", roll_out, draped=False, weight=0.4, next_action="clean"),
        Phase("OR Cleanup", cleanup, draped=False, patient=False, weight=0.3, next_action="none"),
    ),
    ("drill", "saw", "hammer"),
)
