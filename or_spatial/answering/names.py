"""What people call things: from words in a question to objects of a graph, and back to words."""

import difflib
import re
from dataclasses import dataclass

from or_spatial.errors import VocabularyError
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.vocabulary import load_vocabulary

ROLE_NOTE = "roles are not in the graph, so any person counts"

_STAFF = ("person",)
_PEOPLE = ("person", "patient")
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "people": _PEOPLE,
    "human": _PEOPLE,
    "anyone": _PEOPLE,
    "anybody": _PEOPLE,
    "someone": _PEOPLE,
    "somebody": _PEOPLE,
    "who": _PEOPLE,
    "staff": _STAFF,
    "staff member": _STAFF,
    "staff person": _STAFF,
    "team member": _STAFF,
    "table": ("operating_table",),
    "bed": ("operating_table",),
    "or table": ("operating_table",),
    "surgical table": ("operating_table",),
    "operation table": ("operating_table",),
    "instrument tray": ("instrument_table",),
    "mayo stand": ("instrument_table",),
    "back table": ("secondary_table",),
    "anesthesia machine": ("anesthesia_equipment",),
    "anaesthesia machine": ("anesthesia_equipment",),
    "anaesthetic machine": ("anesthesia_equipment",),
    "anaesthesia equipment": ("anesthesia_equipment",),
    "ventilator": ("anesthesia_equipment",),
    "carm": ("c_arm",),
    "x ray": ("c_arm",),
    "fluoroscope": ("c_arm",),
    "robot": ("mako_robot",),
    "robot arm": ("mako_robot",),
    "mako": ("mako_robot",),
    "workstation": ("mps_station",),
    "robot console": ("mps_station",),
    "screen": ("monitor",),
    "display": ("monitor",),
    "light": ("lamp",),
    "surgical light": ("lamp",),
    "mallet": ("hammer",),
}
_ROLES = frozenset(
    {
        "surgeon",
        "head surgeon",
        "assistant surgeon",
        "assistant",
        "nurse",
        "scrub nurse",
        "circulating nurse",
        "circulator",
        "anaesthetist",
        "anesthetist",
        "anaesthesiologist",
        "anesthesiologist",
        "doctor",
        "technician",
        "student",
    }
)
_KINDS: dict[str, Category] = {
    "tool": Category.INSTRUMENT,
    "instrument": Category.INSTRUMENT,
    "equipment": Category.EQUIPMENT,
    "device": Category.EQUIPMENT,
    "furniture": Category.FURNITURE,
}
_EVERYTHING = frozenset({"object", "thing", "anything", "something", "everything", "what"})
_ARTICLES = re.compile(r"^(?:(?:the|a|an|any|some|all|this|that|other|nearest|closest)\s+)+")
_IRREGULAR = {"persons": "person", "humans": "human"}


@dataclass(frozen=True)
class Mention:
    """What a phrase means: the objects of the graph that it may stand for, perhaps none at the moment."""

    phrase: str
    objects: tuple[SceneObject, ...]
    note: str = ""


def plain(text: str) -> str:
    """Lower case, underscores and hyphens as spaces, no articles: the form in which names are compared."""
    return _ARTICLES.sub("", re.sub(r"[\s_\-]+", " ", text.lower()).strip())


def bare(phrase: str) -> str:
    """A phrase of a question without its articles, otherwise as it was said."""
    return _ARTICLES.sub("", phrase.strip())


def words(label: str) -> str:
    """A label as people write it."""
    return {"c_arm": "C-arm", "mps_station": "MPS station", "mako_robot": "Mako robot"}.get(
        label, label.replace("_", " ")
    )


def present(graph: SceneGraph) -> tuple[SceneObject, ...]:
    """The objects that are rather there than not; an unknown existence counts as there."""
    return tuple(o for o in graph.objects if not o.existence < 0.5)


def name(item: SceneObject, graph: SceneGraph) -> str:
    """`the operating table` when it is the only one of its label, else its id with its label, `person p3`."""
    if sum(o.label == item.label for o in graph.objects) == 1:
        return f"the {words(item.label)}"
    return item.id if plain(item.id).startswith(plain(item.label)) else f"{words(item.label)} {item.id}"


def find(phrase: str, graph: SceneGraph) -> Mention:
    """The objects that a phrase names: by id, then by label, then by what people call it.

    Raises:
        VocabularyError: nothing is called so; the message offers the closest name.
    """
    said = plain(phrase)
    here = present(graph)
    if by_id := tuple(o for o in here if plain(o.id) == said):
        return Mention(phrase, by_id)
    for form in _forms(said):
        found = _named(form, here, _labels(graph))
        if found is not None:
            return Mention(phrase, found, ROLE_NOTE if form in _ROLES and _is_generic(found) else "")
    raise VocabularyError(_unknown(said, graph))


def _is_generic(found: tuple[SceneObject, ...]) -> bool:
    return all(o.label == "person" for o in found)


def _forms(said: str) -> tuple[str, ...]:
    """The phrase itself, then as a singular."""
    if said in _IRREGULAR:
        return (said, _IRREGULAR[said])
    return (said, said[:-1]) if said.endswith("s") and len(said) > 3 else (said,)


def _named(form: str, here: tuple[SceneObject, ...], labels: dict[str, str]) -> tuple[SceneObject, ...] | None:
    """None when the form is no name at all; an empty tuple when it is one, but nothing of it is there."""
    if form in _EVERYTHING:
        return here
    if form in _KINDS:
        return tuple(o for o in here if o.category is _KINDS[form] or o.label == form)
    if form in labels:
        return tuple(o for o in here if o.label == labels[form])
    if form in _ROLES:
        return tuple(o for o in here if o.label == "person")
    if form in _SYNONYMS:
        return tuple(o for o in here if o.label in _SYNONYMS[form])
    return None


def _labels(graph: SceneGraph) -> dict[str, str]:
    """Plain name -> label, of the graph's vocabulary where it is shipped, and of the graph itself."""
    try:
        shipped = load_vocabulary(graph.vocabulary).objects
    except Exception:  # a graph of a vocabulary that we do not have still has its own labels
        shipped = ()
    return {plain(label): label for label in (*shipped, *(o.label for o in graph.objects))}


def _unknown(said: str, graph: SceneGraph) -> str:
    labels = _labels(graph)
    known = [*labels, *_SYNONYMS, *_ROLES, *_KINDS, *(plain(o.id) for o in graph.objects)]
    close = difflib.get_close_matches(said, known, n=1)
    hint = f'the closest name is "{close[0]}"' if close else f"I know {', '.join(words(v) for v in labels.values())}"
    return f'I know nothing called "{said}"; {hint}'
