"""A wrong rule file says which file, rule and key, what came and what is allowed; a right one is frozen values."""

import pytest
import yaml
from pydantic import ValidationError

from or_spatial.errors import ConfigError
from or_spatial.hazards.engine import HazardEngine
from or_spatial.hazards.findings import Finding
from or_spatial.hazards.rule_file import load_rules
from or_spatial.hazards.schema import FIELDS, NUMBERS
from or_spatial.hazards.wording import sentence
from or_spatial.paths import share_path
from or_spatial.scene import Severity

SHIPPED = share_path("config", "hazards.yaml")


@pytest.fixture
def written(tmp_path):
    """Writes the shipped rules with one text exchanged; returns the path."""

    def write(old: str, new: str):
        text = SHIPPED.read_text()
        assert old in text
        path = tmp_path / "mine.yaml"
        path.write_text(text.replace(old, new, 1))
        return path

    return write


PROMISED = [
    "sterile_breach",
    "collision_course",
    "contamination",
    "crowded_field",
    "instrument_on_floor",
    "unattended_patient",
    "unattended_sharp",
    "unattended_sterile_field",
    "between_robot_and_patient",
    "camera_blind",
    "stale_graph",
]


def test_the_shipped_rules_are_those_that_are_promised():
    rules = load_rules()
    assert sorted(rules) == sorted(PROMISED)  # and blocked_exit, which is off until a room gives its area
    assert rules["sterile_breach"].condition.reach_m == 0.30
    assert rules["collision_course"].level == Severity.HIGH
    assert all(rule.source for rule in rules.values())


def test_rules_cannot_be_changed_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        load_rules()["sterile_breach"].for_s = 0.0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("for_s: 1.0", "for_sec: 1.0", "rule 'sterile_breach': unknown key 'for_sec'; closest is 'for_s'"),
        ("reach_m", "reech_m", "rule 'sterile_breach': condition: unknown key 'reech_m'; closest is 'reach_m'"),
        ("unknown_counts", "unknown_count", "condition.subject: unknown key 'unknown_count'; closest is 'unknown_cou"),
        ("rules:", "ruels:", "unknown key 'ruels'; closest is 'rules'"),
        ("reach_m: 0.30", "reach_m: 30", "rule 'sterile_breach': condition.reach_m is 30, allowed is 0 to 20"),
        ("raise_probability: 0.7", "raise_probability: 60", "raise_probability is 60, allowed is 0.05 to 1"),
        ("clear_probability: 0.3", "clear_probability: 0.9", "clear_probability (0.9) must not exceed raise_probab"),
        ("for_s: 1.0", "for_s: .nan", "rule 'sterile_breach': for_s is nan"),
        ("gap_m: 0.15", "gap_m: near", "rule 'collision_course': condition.gap_m is 'near'"),
        ("severity: high", "severity: hgh", "severity is 'hgh', allowed is info, low, medium, high"),
        ("kind: distance", "kind: distanse", "kind is 'distanse', allowed is 'distance', 'time_to_contact'"),
        ("kind: distance", "kin: distance", "rule 'sterile_breach': condition has no kind"),
        ("    severity: high\n", "", "rule 'collision_course': key 'severity' is missing"),
        ("[mako_robot", "[mako_robt", "no object label 'mako_robt'; did you mean 'mako_robot'?"),
        ("statuses: [dark", "statuses: [drak", "statuses.0 is 'drak', allowed is ok, dark, frozen"),
        ("{subject} and", "{subjct} and", "message names {subjct}; closest is 'subject'"),
        ("{subject} and", "{subject and", "rule 'collision_course': message is no template"),
        ("{time_s:.1f}", "{time_s:d}", "message: {time_s:d} cannot be written (Unknown format code 'd'"),
        ("{subject} and", "{subject:.1f} and", "message: {subject:.1f} cannot be written"),
        (
            'sterile: "yes"}\n      object:\n        - {labels: [person], sterile: "no"',
            'sterile: "any"}\n      object:\n        - {labels: [person], sterile: "no"',
            "rule 'contamination': condition.subject.sterile is 'any', allowed is 'yes'",
        ),
        ("touch_probability: 0.2", "touch_probability: 7", "condition.touch_probability is 7, allowed is 0.05 to 1"),
        ("below_m: 0.25", "below_m: 25", "rule 'instrument_on_floor': condition.below_m is 25, allowed is 0.02 to 3"),
        (
            "unless: [instrument_on_floor]",
            "unless: [instrument_on_flor]",
            "unattended_sharp': unless: 'instrument_on_flor' is no rule of this file; closest is 'instrument_on_floor'",
        ),
        (
            "unless: [instrument_on_floor]",
            "unless: [unattended_sharp]",
            "unless: goes in a circle, unattended_sharp -> unattended_sharp; take one of these names out",
        ),
        ("part: any", "part: some", "condition.part is 'some', allowed is 'center' or 'any'"),
        ("version: 1", "version: 2", "version is 2, allowed is 1"),
        ("version: 1", "version: [1", "not readable as YAML"),
    ],
    ids=lambda v: v.strip().replace(" ", "-")[:30] if isinstance(v, str) else None,
)
def test_a_fault_is_named_with_file_rule_and_key(written, old, new, says):
    path = written(old, new)
    with pytest.raises(ConfigError) as fault:
        HazardEngine.from_yaml(path)
    assert says in str(fault.value)
    assert str(fault.value).startswith(str(path))


def test_rules_that_wait_for_each_other_in_a_circle_are_named(written):
    path = written("  camera_blind:\n", "  camera_blind:\n    unless: [unattended_sharp]\n")
    text = path.read_text().replace("unless: [instrument_on_floor]", "unless: [unattended_patient]")
    path.write_text(text.replace("  unattended_patient:\n", "  unattended_patient:\n    unless: [camera_blind]\n"))
    with pytest.raises(ConfigError, match="unless: goes in a circle") as fault:
        load_rules(path)
    assert all(name in str(fault.value) for name in ("unattended_sharp", "unattended_patient", "camera_blind", "->"))


def test_a_file_that_contains_itself_is_refused(tmp_path):
    path = tmp_path / "ring.yaml"
    path.write_text("version: 1\nrules: &ring\n  a: *ring\n")
    with pytest.raises(ConfigError, match=r"ring\.yaml: rule 'a': unknown key 'a'"):
        load_rules(path)


def test_a_rule_file_of_before_these_kinds_still_works(tmp_path):
    """The four rules as they were shipped first, key by key."""
    shipped = yaml.safe_load(SHIPPED.read_text())
    first = ("sterile_breach", "collision_course", "camera_blind", "stale_graph")
    shipped["rules"] = {name: shipped["rules"][name] for name in first}
    shipped["rules"]["sterile_breach"]["message"] = "{subject} ({certainty}) is {distance_m:.2f} m from {object}"
    path = tmp_path / "first.yaml"
    path.write_text(yaml.safe_dump(shipped, sort_keys=False))
    assert tuple(HazardEngine.from_yaml(path).rules) == first


def test_all_faults_of_a_file_are_told_at_once(written):
    path = written("reach_m: 0.30", "reach_m: 30")
    path.write_text(path.read_text().replace("severity: high", "severity: hgh", 1))
    with pytest.raises(ConfigError) as fault:
        load_rules(path)
    assert len(str(fault.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        load_rules(tmp_path / "none.yaml")


def test_a_list_is_not_a_rule_file(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- sterile_breach\n")
    with pytest.raises(ConfigError, match="a rule file is a mapping with version and rules, got list"):
        load_rules(path)


def test_a_disabled_rule_is_left_out(written):
    path = written("severity: high", "severity: high\n    enabled: false")
    assert "collision_course" not in load_rules(path)


def test_every_field_that_a_message_may_name_can_be_filled(tmp_path):
    data = yaml.safe_load(SHIPPED.read_text())
    data["rules"] = {"crowd": data["rules"]["camera_blind"]}
    data["rules"]["crowd"]["message"] = " ".join(f"{{{name}}}" for name in FIELDS)
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump(data))
    assert load_rules(path)["crowd"].message.count("{") == len(FIELDS)


def test_every_field_is_a_word_or_a_number_as_the_schema_says():
    """What is tried out when a file is read is what is written when an alert is raised."""
    message = " ".join(f"{{{name}:.1f}}" if name in NUMBERS else f"{{{name}:>3}}" for name in FIELDS)
    rule = load_rules(SHIPPED)["crowded_field"].model_copy(update={"message": message})
    told = sentence(rule, Finding(key="a", probability=0.5, object_ids=("a", "b"), count=6.0), held_s=1.0)
    assert "6.0" in told and "unknown" in told
