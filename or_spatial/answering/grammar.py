"""The questions that the graph alone can answer, as a list of sentence forms. First form that fits, wins."""

import re
from dataclasses import dataclass
from enum import Enum, auto

PHRASES: dict[str, str] = {
    "on the left side of": "left_of",
    "on the left of": "left_of",
    "to the left of": "left_of",
    "left of": "left_of",
    "on the right side of": "right_of",
    "on the right of": "right_of",
    "to the right of": "right_of",
    "right of": "right_of",
    "in front of": "in_front_of",
    "behind": "behind",
    "above": "above",
    "over": "above",
    "below": "below",
    "underneath": "below",
    "beneath": "below",
    "under": "below",
    "on top of": "on",
    "on": "on",
    "inside of": "inside",
    "inside": "inside",
    "in": "inside",
    "close to": "near",
    "next to": "near",
    "beside": "near",
    "near to": "near",
    "near": "near",
    "by": "near",
    "in contact with": "touching",
    "touching": "touching",
    "lying on": "lyingOn",
    "operating on": "manipulating",
    "operating": "manipulating",
    "manipulating": "manipulating",
    "using": "manipulating",
    "helping": "assisting",
    "assisting": "assisting",
    "calibrating": "calibrating",
    "cementing": "cementing",
    "cleaning": "cleaning",
    "cutting": "cutting",
    "drilling": "drilling",
    "hammering on": "hammering",
    "hammering": "hammering",
    "carrying": "holding",
    "holding": "holding",
    "preparing": "preparing",
    "sawing": "sawing",
    "scanning": "scanning",
    "stitching": "suturing",
    "suturing": "suturing",
}
"""What people say -> predicate. `operating` (4D-OR) is MM-OR's `manipulating`."""


class Kind(Enum):
    """What is asked for."""

    COUNT = auto()
    COUNT_RELATED = auto()
    DISTANCE = auto()
    SPEED = auto()
    WHERE_WAS = auto()
    CHANGED = auto()
    WHERE = auto()
    CLOSEST = auto()
    DOING = auto()
    OBJECTS_OF = auto()
    SUBJECTS_OF = auto()
    HOLDS = auto()
    EXISTS = auto()
    MOVING = auto()
    STERILE = auto()
    INVENTORY = auto()


@dataclass(frozen=True)
class Query:
    """A question in parts: `a` and `b` are phrases for objects, `predicate` one of the vocabularies'."""

    kind: Kind
    a: str = ""
    predicate: str = ""
    b: str = ""
    seconds: float = 0.0


_P = "(?P<p>" + "|".join(re.escape(p) for p in sorted(PHRASES, key=len, reverse=True)) + ")(?! (?:table|room)s?\\b)"
_IS = "(?:is|are|stands|stand|lies|lie|sits|sit)"
_HERE = r"(?: (?:in|inside|of) (?:the|this) (?:room|scene|or|theatre|theater|operating room)| here| there| visible)*"
_AGO = r"(?P<n>\d+(?:\.\d+)?|an?|one)? ?(?P<unit>hours?|h|minutes?|mins?|seconds?|secs?|s)"
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_POLITE = re.compile(r"^(?:please |can you |could you |tell me |show me |do you know )+")

_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(f"^{form}$"))
    for kind, form in (
        (Kind.INVENTORY, rf"(?P<a>what|who) (?:is|are|do you see|can you see|do you know){_HERE}"),
        (Kind.INVENTORY, rf"list (?:all |the )*(?P<a>.+?){_HERE}"),
        (Kind.DISTANCE, r"how (?:far|close|near|far away) (?:is|are) (?P<a>.+?) (?:away )?(?:from|to) (?P<b>.+)"),
        (Kind.DISTANCE, r"how far apart are (?P<a>.+?) and (?P<b>.+)"),
        (Kind.DISTANCE, r"(?:what is )?(?:the )?distance (?:between|from|of) (?P<a>.+?) (?:and|to|from) (?P<b>.+)"),
        (Kind.SPEED, r"how (?:fast|quick|quickly) (?:is|are|does|do) (?P<a>.+?)(?: moving| going| move| go)?"),
        (Kind.COUNT, rf"how many (?P<a>.+?)(?: (?:are|is|do you see|can you see|do you count))?{_HERE}"),
        (Kind.COUNT_RELATED, rf"how many (?P<a>.+?) {_IS} {_P} (?P<b>.+)"),
        (Kind.WHERE_WAS, rf"where (?:was|were) (?P<a>.+?) {_AGO}(?: ago)?"),
        (
            Kind.CHANGED,
            rf"what (?:has |is )?(?:changed|happened|new|different)(?: (?:in|within|during|over|since|for) (?:the )?"
            rf"(?:last |past )?{_AGO}(?: ago)?)?",
        ),
        (Kind.WHERE, rf"where {_IS} (?P<a>.+)"),
        (Kind.WHERE, r"find (?P<a>.+)"),
        (Kind.CLOSEST, rf"(?P<a>who|what|which(?: .+?)?) {_IS} (?:the )?(?:closest|nearest) to (?P<b>.+)"),
        (Kind.DOING, rf"what {_IS} (?P<a>.+?) doing"),
        (Kind.SUBJECTS_OF, rf"(?P<a>who|what|which .+?) {_IS} {_P} (?P<b>.+)"),
        (Kind.OBJECTS_OF, rf"(?:what|who|whom) {_IS} (?P<a>.+?) {_P}"),
        (Kind.HOLDS, rf"(?:is|are) (?:there )?(?P<a>.+?) {_P} (?P<b>.+)"),
        (Kind.EXISTS, rf"(?:is|are) there (?P<a>.+?){_HERE}"),
        (Kind.MOVING, r"(?:is|are) (?P<a>.+?) moving"),
        (Kind.STERILE, r"(?:is|are) (?P<a>.+?) sterile"),
    )
)
_ROOM = re.compile(f"{_HERE}$")


def parse(question: str) -> Query | None:
    """The parts of a question, or None when no form fits."""
    text = re.sub(r"\s+", " ", question.lower().replace("what's", "what is").replace("where's", "where is"))
    text = _POLITE.sub("", text.replace("who's", "who is").strip(" ?.!\n\t"))
    for kind, form in _FORMS:
        if (found := form.match(text)) and (query := _query(kind, found.groupdict())):
            return query
    return None


def _query(kind: Kind, parts: dict[str, str | None]) -> Query | None:
    a, b = (parts.get(key) or "" for key in ("a", "b"))
    if kind in (Kind.COUNT, Kind.EXISTS) and re.search(rf" {_P} ", f" {_ROOM.sub('', a)} "):
        return None  # "how many people are near the table" is a question about a relation
    if kind is Kind.HOLDS and re.fullmatch(r"(?:the |this )?(?:room|scene|or)", b):
        return Query(Kind.EXISTS, a)
    a = re.sub(r"^which ?", "", a) or "what"
    return Query(kind, a, PHRASES.get(parts.get("p") or "", ""), b, _seconds(parts.get("n"), parts.get("unit")))


def _seconds(count: str | None, unit: str | None) -> float:
    """A span of time, "5 minutes" or "an hour"; 0 when none is named."""
    if not unit:
        return 0.0
    return (1.0 if count in (None, "a", "an", "one") else float(count)) * _SECONDS[unit[0]]
