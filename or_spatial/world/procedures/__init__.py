"""The scripted procedures by name: each file holds the phases of one of them as orders to the stage."""

from or_spatial.world.procedures.common import Phase, Procedure
from or_spatial.world.procedures.laparoscopic_gallbladder import LAPAROSCOPIC_GALLBLADDER
from or_spatial.world.procedures.robotic_knee import ROBOTIC_KNEE
from or_spatial.world.procedures.total_knee import TOTAL_KNEE
from or_spatial.world.procedures.vertebroplasty import VERTEBROPLASTY

PROCEDURES: dict[str, Procedure] = {
    p.name: p for p in (TOTAL_KNEE, ROBOTIC_KNEE, VERTEBROPLASTY, LAPAROSCOPIC_GALLBLADDER)
}

__all__ = ["PROCEDURES", "Phase", "Procedure"]
