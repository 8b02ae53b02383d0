"""Laparoscopic gallbladder removal, met in test rooms only: lights lowered, all eyes on a screen."""

from or_spatial.world.procedures.common import Phase, Procedure, Step, lead, seconds, surgeon_step, to_table
from or_spatial.world.procedures.total_knee import cleanup, patient_preparation, preparation
from or_spatial.world.stage import Stage

BELLY = (0.12, 0.02)


def ports(stage: Stage, end: float) -> None:
    """Small cuts for the ports."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "cutting", "instrument", "work", *BELLY, spot="torso", weight=2.0),
        surgeon_step(stage, "touching", "", "still", *BELLY, spot="torso", weight=1.0),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def dissection(stage: Stage, end: float) -> None:
    """Long instruments in both hands; the assistant holds the camera."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        Step(3.0, lambda: _operate(stage)),
        surgeon_step(stage, "cutting", "instrument_3", "work", *BELLY, spot="torso", weight=1.0),
        surgeon_step(stage, "cleaning", "instrument_2", "sweep", *BELLY, spot="torso", weight=0.6),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


def _operate(stage: Stage) -> None:
    stage.go("head_surgeon", "torso")
    left = stage.field(BELLY[0] + 0.2, 0.06, 0.12)
    stage.act(
        "head_surgeon",
        "manipulating",
        "patient",
        seconds(stage, 3.0, 5.0),
        stage.field(BELLY[0] - 0.08, 0.06, 0.12),
        tool="instrument",
        left=left,
        lean=0.1,
    )


def close(stage: Stage, end: float) -> None:
    """Ports out, skin closed."""
    to_table(stage, "head_surgeon", "assistant_surgeon")
    steps = [
        surgeon_step(stage, "suturing", "instrument_3", "suture", *BELLY, spot="torso", weight=3.0),
        surgeon_step(stage, "cleaning", "instrument", "sweep", *BELLY, spot="torso", weight=1.0),
    ]
    lead(stage, end, "head_surgeon", steps, "assistant_surgeon")


LAPAROSCOPIC_GALLBLADDER = Procedure(
    "laparoscopic_gallbladder",
    (
        Phase("OR Preparation", preparation, draped=False, patient=False, weight=0.4, next_action="bring in"),
        Phase("Patient Preparation", patient_preparation, draped=False, weight=0.6, next_action="cut"),
        Phase("Ports", ports, weight=1.0, next_action="cut"),
        Phase("Dissection", dissection, weight=2.0, next_action="suture"),
        Phase("Conclusion", close, weight=1.2, next_action="bring out"),
        Phase("OR Cleanup", cleanup, draped=False, patient=False, weight=0.4, next_action="none"),
    ),
    (),
)
