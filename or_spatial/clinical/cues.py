"""What one graph says about each member of staff and about the room, in few words that two annotators share.

A cue is the value of one channel.
    of a person     `place` (which stations it stands at), `act` (what it does to the patient or the table), `hands`,
                    `help`, `attire` where the graph knows it, `machine` (at which it works)
    of the room     `act`, `attendance`, `task` (what only a robot or a C-arm is for), `machines` (which are there),
                    `drape` where the graph knows whether the patient is sterile
A channel that never changes, as `attire` and all from `machine` on in 4D-OR, is no evidence of anything.

Convention
    direction   a relation places both of its ends: `person closeTo table` and `table closeTo person` say the same
    touching    at a station counts as standing there: in 4D-OR one take says touching where another says closeTo
    ids         never read here. In 4D-OR `human_k` follows the annotator's order of roles, so it would give them away
"""

import itertools
import math
from dataclasses import dataclass

from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.scene.values import NAN
from or_spatial.scene.vocabulary import load_vocabulary

STATIONS = ("patient", "instrument_table", "secondary_table", "anesthesia_equipment")
SURGICAL = {
    "cutting": "cut",
    "drilling": "drill",
    "sawing": "saw",
    "hammering": "hammer",
    "cementing": "cement",
    "suturing": "suture",
}
"""Predicates that only a surgeon does to a patient, and the verbs of MM-OR's next action."""

ACTS = (*SURGICAL.values(), "move table", "prepare", "clean", "none")
"""What the room is about, the most telling first: of several, the first one counts."""

ATTENDANCE = tuple(f"patient {where}, staff {n}" for where in ("out", "in") for n in ("0", "1", "2", "3+"))

TASKS = {"calibrating": "calibrate", "scanning": "scan"}
MACHINES = ("c_arm", "mako_robot", "mps_station")

PERSON_CHANNELS: dict[str, tuple[str, ...]] = {
    "place": tuple("+".join(some) for k in range(5) for some in itertools.combinations(sorted(STATIONS), k)),
    "act": ("none", "touch", "move table", "prepare", "surgery"),
    "hands": ("empty", "hold"),
    "help": ("none", "helps", "is helped"),
    "attire": ("unknown", "sterile", "not sterile"),
    "machine": ("none", *MACHINES, "several"),
}
ROOM_CHANNELS: dict[str, tuple[str, ...]] = {
    "act": ACTS,
    "attendance": ATTENDANCE,
    "task": ("none", *TASKS.values()),
    "drape": ("unknown", "sterile", "not sterile"),
    "machines": tuple("+".join(some) for k in range(4) for some in itertools.combinations(MACHINES, k)),
}


@dataclass(frozen=True)
class PersonCues:
    """One member of staff; `values` are indices into the values of PERSON_CHANNELS, in their order."""

    object_id: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Cues:
    """One graph; `room` are indices into the values of ROOM_CHANNELS, in their order."""

    room: tuple[int, ...]
    people: tuple[PersonCues, ...]


def read_cues(graph: SceneGraph) -> Cues:
    """The cues of a graph in any vocabulary that names `or_world`'s words as its canonical ones.

    Only actions are read, not geometry; the patient is not staff; the operating table counts as the patient's place.
    """
    words = load_vocabulary(graph.vocabulary)
    labels = {o.id: words.to_canonical(o.label) for o in graph.objects}
    said = [
        (r.subject_id, words.to_canonical(r.predicate), r.object_id)
        for r in graph.relations
        if r.family is Family.ACTION and r.subject_id in labels and r.object_id in labels
    ]
    people = tuple(
        PersonCues(o.id, _person(o.id, said, labels, o.sterile)) for o in graph.objects if labels[o.id] == "person"
    )
    patient = next((o.sterile for o in graph.objects if labels[o.id] == "patient"), NAN)
    return Cues(_room(said, labels, len(people), patient), people)


def _person(
    who: str, said: list[tuple[str, str, str]], labels: dict[str, str], sterile: float
) -> tuple[int, ...]:
    stations, acts, hands, help_ = set(), {"none"}, "empty", "none"
    for subject, predicate, other in said:
        if who in (subject, other):
            stations.add(_station(labels[other if who == subject else subject]))
        if subject == who:
            acts.add(_act(predicate, labels[other]))
            hands = "hold" if predicate == "holding" else hands
            help_ = "helps" if predicate == "assisting" else help_
        elif other == who and predicate == "assisting":
            help_ = "is helped"
    act = max(acts, key=PERSON_CHANNELS["act"].index)
    machines = sorted(stations & set(MACHINES))
    machine = "several" if len(machines) > 1 else next(iter(machines), "none")
    spoken = ("+".join(sorted(stations & set(STATIONS))), act, hands, help_, _attire(sterile), machine)
    return tuple(values.index(v) for values, v in zip(PERSON_CHANNELS.values(), spoken, strict=True))


def _attire(sterile: float) -> str:
    return "unknown" if math.isnan(sterile) else "sterile" if sterile >= 0.5 else "not sterile"


def _station(label: str) -> str:
    return "patient" if label == "operating_table" else label


def _act(predicate: str, label: str) -> str:
    if predicate in SURGICAL:
        return "surgery"
    if predicate in ("preparing", "cleaning"):
        return "prepare"
    if predicate == "manipulating":
        return "move table" if label == "operating_table" else "none"
    return "touch" if predicate == "touching" and label == "patient" else "none"


_ROOM_ACTS = {**SURGICAL, "preparing": "prepare", "cleaning": "clean"}


def _room(said: list[tuple[str, str, str]], labels: dict[str, str], staff: int, drape: float) -> tuple[int, ...]:
    acts = {_ROOM_ACTS.get(predicate, "none") for _, predicate, _ in said} | {"none"}
    acts |= {"move table" for _, p, other in said if p == "manipulating" and labels[other] == "operating_table"}
    tasks = {TASKS[predicate] for _, predicate, _ in said if predicate in TASKS}
    present = set(labels.values())
    spoken = (
        min(acts, key=ACTS.index),
        ATTENDANCE[4 * ("patient" in present) + min(staff, 3)],
        min(tasks, default="none"),
        _attire(drape),
        "+".join(machine for machine in MACHINES if machine in present),
    )
    return tuple(values.index(v) for values, v in zip(ROOM_CHANNELS.values(), spoken, strict=True))
