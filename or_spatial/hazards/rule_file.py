"""Reads a rule file and, when it is wrong, says which file, rule and key, what came and what is allowed."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from or_spatial.errors import ConfigError, VocabularyError
from or_spatial.hazards.schema import Group, RelationPresent, Rule, RuleFile
from or_spatial.paths import share_path
from or_spatial.scene.vocabulary import Vocabulary, load_vocabulary


def load_rules(path: str | Path | None = None) -> dict[str, Rule]:
    """The enabled rules of a YAML file by id; without a path, the shipped `config/hazards.yaml`.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown or missing, a number is out of range, a name is
            not in the vocabulary, rules wait for each other in a circle. Faults are told at once, one per line.
    """
    path = Path(path) if path else share_path("config", "hazards.yaml")
    file = _parse(path, _read(path))
    vocabulary = load_vocabulary(file.vocabulary)
    for rule_id, rule in file.rules.items():
        _check_names(path, rule_id, rule, vocabulary)
    return {rule_id: rule for rule_id, rule in file.in_order().items() if rule.enabled}


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"hazard rules: {path} does not exist")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None


def _parse(path: Path, data: Any) -> RuleFile:
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a rule file is a mapping with version and rules, got {type(data).__name__}")
    try:
        return RuleFile.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_fault(e)}" for e in error.errors())) from None


def _fault(error: Any) -> str:
    """One pydantic error as a sentence."""
    place, key = _place(error["loc"])
    kind, context, came = error["type"], error.get("ctx", {}), error.get("input")
    match kind:
        case "unknown_key":
            inside = f"{place}{key}: " if key else place
            return f"{inside}unknown key {context['key']!r}{_closest(context['key'], context['known'])}"
        case "missing":
            return f"{place}key {key!r} is missing"
        case "out_of_range":
            return f"{place}{key} is {came!r}, allowed is {context['low']:g} to {context['high']:g}"
        case "unknown_name":
            return f"{place}{key} is {came!r}, allowed is {context['known']}"
        case "unknown_field":
            return f"{place}message names {{{context['name']}}}{_closest(context['name'], context['known'])}"
        case "union_tag_invalid":
            return f"{place}kind is {context['tag']!r}, allowed is {context['expected_tags']}"
        case "union_tag_not_found":
            return f"{place}{key} has no kind"
        case "literal_error":
            return f"{place}{key} is {came!r}, allowed is {context['expected']}"
        case "clear_above_raise" | "bad_template" | "impossible" | "unless":
            return f"{place}{error['msg']}"
    return f"{place}{key} is {came!r}: {error['msg']}"


def _place(loc: tuple) -> tuple[str, str]:
    """("rule 'sterile_breach': ", "condition.subject.reach_m") from pydantic's location."""
    # After "condition", pydantic inserts which kind of condition it tried: a word that does not stand in the file.
    parts = [str(p) for i, p in enumerate(loc) if i == 0 or loc[i - 1] != "condition"]
    if parts[:1] == ["rules"] and len(parts) > 1:
        return f"rule {parts[1]!r}: ", ".".join(parts[2:])
    return "", ".".join(parts)


def _closest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; closest is {close[0]!r}" if close else f"; known are {', '.join(known)}"


def _check_names(path: Path, rule_id: str, rule: Rule, vocabulary: Vocabulary) -> None:
    condition = rule.condition
    values = [v for value in vars(condition).values() for v in (value if isinstance(value, tuple) else (value,))]
    groups = [v for v in values if isinstance(v, Group)]
    try:
        for group in groups:
            for label in group.labels:
                vocabulary.object_index(label)
        if isinstance(condition, RelationPresent):
            for predicate in condition.predicates:
                if predicate not in vocabulary.actions:
                    vocabulary.geometric_index(predicate)
    except VocabularyError as error:
        raise ConfigError(f"{path}: rule {rule_id!r}: {error}") from None
