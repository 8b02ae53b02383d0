"""The rule file as values: pydantic models that are the rules themselves, frozen, with ranges on every number.

A condition says what must hold in one graph; the rule around it says for how long, how surely, how bad it is, what
clears it and how to say so. Reading and error messages live in `rule_file`.
"""

import difflib
import graphlib
import string
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from or_spatial.scene.alerts import Severity
from or_spatial.scene.graph import CameraStatus


def within(low: float, high: float) -> AfterValidator:
    """A range check whose error carries both ends."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise PydanticCustomError("out_of_range", "must lie in [{low}, {high}]", {"low": low, "high": high})
        return value

    return AfterValidator(check)


def one_of(names: dict[str, Any]) -> AfterValidator:
    """A name out of a fixed set, compared without case."""

    def check(value: str) -> str:
        if value.upper() not in names:
            known = ", ".join(n.lower() for n in names)
            raise PydanticCustomError("unknown_name", "must be one of {known}", {"known": known, "input": value})
        return value.upper()

    return AfterValidator(check)


Probability = Annotated[float, within(0.0, 1.0)]
Metres = Annotated[float, within(0.0, 20.0)]
Seconds = Annotated[float, within(0.0, 3600.0)]
Speed = Annotated[float, within(0.0, 20.0)]
Radians = Annotated[float, within(-6.284, 6.284)]
Count = Annotated[int, within(1, 1000)]
SeverityName = Annotated[str, one_of(dict(Severity.__members__))]
StatusName = Annotated[str, one_of(dict(CameraStatus.__members__))]

FIELDS = {
    "subject": "id of the first object",
    "object": "id of the second object, or of the zone",
    "camera": "camera name",
    "status": "camera status in words",
    "distance_m": "surface distance",
    "speed_m_s": "speed, or closing speed",
    "height_m": "height of the first object's centre above the floor",
    "time_s": "time until the event",
    "silence_s": "time without a graph",
    "count": "how many",
    "probability": "of the condition",
    "certainty": "confirmed or unconfirmed",
    "held_s": "how long the condition has held",
    "chain": "who touched whom until the first object was contaminated; else empty",
    "touched": "the same after a comma, for the end of a remark; else empty",
}
"""What a message template may name."""

NUMBERS = frozenset({"distance_m", "speed_m_s", "height_m", "time_s", "silence_s", "count", "probability", "held_s"})
"""Those of them that are numbers, written as such: `{distance_m:.2f}`, `{count:.0f}`."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        known = [*cls.model_fields]
        for key in data if isinstance(data, dict) else ():
            if key not in known:
                raise PydanticCustomError("unknown_key", "unknown key {key}", {"key": str(key), "known": known})
        return data


class Group(_Frozen):
    """Which objects are meant.

    `sterile`: "yes" (above one half), "no" (below), "any"; an unknown attire is neither, unless `unknown_counts`
    says that it shall be treated as the wanted one (missing evidence is said, never taken for safety).
    """

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    sterile: Literal["any", "yes", "no"] = "any"
    unknown_counts: bool = False
    min_existence: Probability = 0.5


class Surfaces(_Frozen):
    """Conditions on surfaces, which are known as boxes only.

    A box reaches around arms and into hollows: it is made smaller by `inset_m` on every side first, and where a surface
    lies under it is uncertain by `shape_stddev_m` for a pair of boxes.
    """

    inset_m: Annotated[float, within(0.0, 0.3)] = 0.0
    shape_stddev_m: Annotated[float, within(0.0, 0.5)] = 0.0


class Distance(Surfaces):
    """The surfaces of subject and object are less than `reach_m` apart."""

    kind: Literal["distance"]
    subject: Group
    object: tuple[Group, ...]
    reach_m: Metres


class TimeToContact(Surfaces):
    """Subject and object approach each other faster than `closing_m_s` and, if both go on as they do, their surfaces
    come within `gap_m` in at most `horizon_s`.

    Velocities are uncertain by `speed_stddev_m_s` per axis, which a graph does not tell.
    """

    kind: Literal["time_to_contact"]
    subject: Group
    object: tuple[Group, ...]
    gap_m: Metres
    horizon_s: Annotated[float, within(0.1, 10.0)]
    closing_m_s: Speed
    speed_stddev_m_s: Annotated[float, within(0.01, 2.0)] = 0.12


class RelationPresent(_Frozen):
    """The graph says that subject stands in one of these relations to object."""

    kind: Literal["relation"]
    subject: Group
    predicates: Annotated[tuple[str, ...], Field(min_length=1)]
    object: tuple[Group, ...]


class Area(_Frozen):
    """A rectangle on the floor: middle and full sizes in the room, its x side turned by `yaw_rad`."""

    center_m: tuple[float, float]
    size_m: tuple[Annotated[float, within(0.05, 50.0)], Annotated[float, within(0.05, 50.0)]]
    yaw_rad: Radians = 0.0


class Zone(_Frozen):
    """The subject's centre (or, with `part: any`, any part of its footprint) is in an area of the room; with
    `inside: false` out of it."""

    kind: Literal["zone"]
    subject: Group
    name: str
    area: Area
    inside: bool = True
    part: Literal["center", "any"] = "center"


class Crowd(Surfaces):
    """At least `at_least` subjects are there; with `object` and `reach_m`, within reach of one object."""

    kind: Literal["count"]
    subject: Group
    at_least: Count
    object: tuple[Group, ...] = ()
    reach_m: Metres = 0.0


class Fast(_Frozen):
    """The subject moves faster than `above_m_s`."""

    kind: Literal["speed"]
    subject: Group
    above_m_s: Speed
    speed_stddev_m_s: Annotated[float, within(0.01, 2.0)] = 0.12


class Height(_Frozen):
    """The subject's centre is lower than `below_m` above the floor."""

    kind: Literal["height"]
    subject: Group
    below_m: Annotated[float, within(0.02, 3.0)]


class Absence(Surfaces):
    """Fewer than `at_least` objects have a surface within `within_m` of the subject's; who is not seen is not there."""

    kind: Literal["absence"]
    subject: Group
    object: Annotated[tuple[Group, ...], Field(min_length=1)]
    within_m: Annotated[float, within(0.05, 20.0)]
    at_least: Count = 1


class Between(_Frozen):
    """The subject's centre is in the straight passage, `width_m` wide, from the facing surface of an object to that of
    an `other` that is at most `within_m` away from it."""

    kind: Literal["between"]
    subject: Group
    object: Annotated[tuple[Group, ...], Field(min_length=1)]
    other: Annotated[tuple[Group, ...], Field(min_length=1)]
    width_m: Annotated[float, within(0.05, 5.0)]
    within_m: Metres = 20.0


class Contamination(Surfaces):
    """A sterile subject was touched by an object that is not sterile, or by something contaminated before.

    It counts as contaminated, and as not sterile in every rule, until it has looked unsterile by attire for `regown_s`
    (gown off, drape off: what is put on then is fresh) or has not been seen for `left_after_s`. A touch is: surfaces
    within `reach_m` for `touch_s` with `touch_probability` or more.
    """

    kind: Literal["contamination"]
    subject: Group
    object: Annotated[tuple[Group, ...], Field(min_length=1)]
    reach_m: Annotated[float, within(0.0, 0.5)] = 0.02
    inset_m: Annotated[float, within(0.0, 0.3)] = 0.08
    touch_s: Seconds = 0.5
    touch_probability: Annotated[float, within(0.05, 1.0)] = 0.6
    regown_s: Seconds = 5.0
    left_after_s: Seconds = 60.0

    @model_validator(mode="after")
    def _possible(self) -> "Contamination":
        if self.subject.sterile != "yes":
            raise _impossible(
                "subject.sterile", self.subject.sterile, "yes", "only what is sterile can be contaminated"
            )
        for group in self.object:
            if group.sterile != "no":
                raise _impossible("object.sterile", group.sterile, "no", "what is sterile contaminates nothing")
        return self


def _impossible(key: str, came: str, wanted: str, why: str) -> PydanticCustomError:
    text = f"condition.{key} is {came!r}, allowed is {wanted!r}: {why}"
    return PydanticCustomError("impossible", "{text}", {"text": text})


class CameraState(_Frozen):
    """A camera of the graph is in one of these states."""

    kind: Literal["camera_status"]
    statuses: Annotated[tuple[StatusName, ...], Field(min_length=1)]


class Silence(_Frozen):
    """No graph fresher than `after_s` has arrived. Judged by `tick`, not by graphs.

    Before the first graph of all, `first_after_s` counts instead: cameras and model need time to start.
    """

    kind: Literal["staleness"]
    after_s: Annotated[float, within(0.1, 600.0)]
    first_after_s: Annotated[float, within(0.1, 600.0)] = 10.0


Condition = Annotated[
    Distance
    | TimeToContact
    | RelationPresent
    | Zone
    | Crowd
    | Fast
    | Height
    | Absence
    | Between
    | Contamination
    | CameraState
    | Silence,
    Field(discriminator="kind"),
]


class Rule(_Frozen):
    """A condition with its patience, its urgency and its words.

    Raised when the condition's probability has been at least `raise_probability` for `for_s` (dips shorter than
    `dropout_s` forgiven); cleared when it has been below `clear_probability` for `clear_after_s`. `per`: one alert per
    pair, or one per subject whichever object it is near. `unless` names rules that say it better: while one of them
    stands for the same subject, this one is silent. `source` says where the thresholds come from.
    """

    enabled: bool = True
    severity: SeverityName
    condition: Condition
    for_s: Seconds = 0.0
    raise_probability: Annotated[float, within(0.05, 1.0)] = 0.6
    clear_probability: Probability = 0.3
    clear_after_s: Seconds = 0.5
    dropout_s: Seconds = 0.3
    per: Literal["pair", "subject"] = "pair"
    unless: tuple[str, ...] = ()
    message: str
    source: str

    @model_validator(mode="after")
    def _agree(self) -> "Rule":
        if self.clear_probability > self.raise_probability:
            raise PydanticCustomError(
                "clear_above_raise",
                "clear_probability ({clear}) must not exceed raise_probability ({raise_})",
                {"clear": self.clear_probability, "raise_": self.raise_probability},
            )
        for name, spec, conversion in _fields(self.message):
            if name not in FIELDS:
                raise PydanticCustomError("unknown_field", "message names {name}", {"name": name, "known": [*FIELDS]})
            _try_out(name, spec, conversion)
        return self

    @property
    def level(self) -> Severity:
        """The severity as a value."""
        return Severity[self.severity]


class RuleFile(_Frozen):
    """A whole file: rules by id, in the words of one vocabulary."""

    version: Literal[1]
    vocabulary: str = "or_world"
    rules: dict[str, Rule]

    @model_validator(mode="after")
    def _ordered(self) -> "RuleFile":
        for rule_id, rule in self.rules.items():
            for name in rule.unless:
                if name not in self.rules:
                    raise _unless(rule_id, f"{name!r} is no rule of this file{_like(name, self.rules)}")
        self.in_order()
        return self

    def in_order(self) -> dict[str, Rule]:
        """The rules in the file's order, but each after those that it names under `unless`."""
        try:
            order = graphlib.TopologicalSorter({i: r.unless for i, r in self.rules.items()}).static_order()
            return {rule_id: self.rules[rule_id] for rule_id in order}
        except graphlib.CycleError as error:
            ring = error.args[1]
            raise _unless(ring[0], f"goes in a circle, {' -> '.join(ring)}; take one of these names out") from None


def _unless(rule_id: str, what: str) -> PydanticCustomError:
    text = f"rule {rule_id!r}: unless: {what}"
    return PydanticCustomError("unless", "{text}", {"text": text})


def _like(name: str, known: dict[str, Rule]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; closest is {close[0]!r}" if close else f"; there are {', '.join(known)}"


def _fields(template: str) -> list[tuple[str, str, str]]:
    """Name, format and conversion of every field of a template."""
    try:
        parsed = [*string.Formatter().parse(template)]
    except ValueError as error:
        raise PydanticCustomError("bad_template", "message is no template: {error}", {"error": str(error)}) from None
    return [(name, spec or "", conversion or "") for _, name, spec, conversion in parsed if name is not None]


def _try_out(name: str, spec: str, conversion: str) -> None:
    """Write a field with a sample: a format that fails later would cost the alert that it words."""
    field = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
    try:
        field.format(**{name: 1.0 if name in NUMBERS else "word"})
    except (ValueError, TypeError, LookupError) as error:
        better = f"a number with decimals, such as {{{name}:.2f}} or {{{name}:.0f}}" if name in NUMBERS else "a word"
        problem = f"{field} cannot be written ({error}); it is {better}"
        raise PydanticCustomError("bad_template", "message: {problem}", {"problem": problem}) from None
