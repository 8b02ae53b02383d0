"""4D-OR (egeozsoy/4D-OR, arXiv 2203.11937): relationships, phases and cameras.

Convention
    relationships   [subject id, object id, predicate index, predicate]: subject, OBJECT, predicate
    ids             counted within one scan; the label (`human_2`) is unique there and serves as our object id
    frames          numbers at about 1 per second; phases are [first, last], both included
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from or_spatial.datasets.annotation_files import AnnotatedScene, action_graph, parse_each, parse_one, read_json
from or_spatial.errors import DatasetError
from or_spatial.scene.vocabulary import load_vocabulary

VOCABULARY = "4d-or"
PHASES: dict[str, str] = {
    "sterile": "OR Preparation",
    "roll_in": "Patient Roll-In",
    "patient_prep": "Patient Preparation",
    "knee_prep": "Implant Placement Preparation",
    "knee_insert": "Implant Placement",
    "surgery_conclusion": "Conclusion",
    "roll_out": "Patient Roll-Out",
    "cleanup": "OR Cleanup",
}
"""The names in the files and those of the paper."""

_NANOSECONDS_PER_FRAME = 1_000_000_000


@dataclass(frozen=True)
class Scan:
    """One annotated scan as the file has it; `roles` gives None for a human nobody named."""

    take: int
    scan: str
    objects: dict[int, str]
    relationships: tuple[tuple[int, int, int, str], ...]
    roles: dict[str, str | None]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scan":
        """Read one entry of `scans`, strictly: ids, predicate indices and names must agree."""
        objects = {int(key): str(label) for key, label in data["objects"].items()}
        words = load_vocabulary(VOCABULARY)
        relationships = []
        for subject, other, index, predicate in data["relationships"]:
            if subject not in objects or other not in objects:
                raise ValueError(f"relation {predicate} between ids {subject} and {other}, objects are {objects}")
            if words.action_index(predicate) != index:
                raise ValueError(f"predicate {predicate!r} has index {words.action_index(predicate)}, not {index}")
            relationships.append((subject, other, index, predicate))
        return cls(int(data["take_idx"]), data["scan"], objects, tuple(relationships), dict(data["human_idx_to_name"]))

    def to_json(self) -> dict[str, Any]:
        """The entry again, as it was read."""
        return {
            "take_idx": self.take,
            "scan": self.scan,
            "objects": {str(key): label for key, label in self.objects.items()},
            "relationships": [list(r) for r in self.relationships],
            "human_idx_to_name": dict(self.roles),
        }

    def scene(self, phases: dict[str, tuple[int, int]] | None = None) -> AnnotatedScene:
        """As one sample; `phases` are those of the scan's take."""
        triplets = [(self.objects[s], predicate, self.objects[o]) for s, o, _, predicate in self.relationships]
        graph = action_graph(VOCABULARY, list(self.objects.values()), triplets, int(self.scan) * _NANOSECONDS_PER_FRAME)
        roles = {human: role for human, role in self.roles.items() if role and role != "none"}
        phase = phase_at(phases, int(self.scan)) if phases else ""
        return AnnotatedScene(VOCABULARY, str(self.take), self.scan, graph, roles, phase)


def read_relationships(path: str | Path) -> tuple[Scan, ...]:
    """All scans of a `relationships_*.json`.

    Raises:
        DatasetError: the file is missing, damaged, or says something that 4D-OR cannot say; names file and scan.
    """
    data = read_json(path)
    if not isinstance(data, dict) or "scans" not in data:
        raise DatasetError(f"{path}: 4D-OR relationships have one key 'scans'; is this MM-OR's file?")
    return parse_each(path, data["scans"], Scan.from_json)


def relationships_to_json(scans: tuple[Scan, ...]) -> str:
    """The text of the file again, byte for byte as published (two spaces of indentation)."""
    return json.dumps({"scans": [scan.to_json() for scan in scans]}, indent=2)


def read_phases(path: str | Path) -> dict[str, tuple[int, int]]:
    """Phase (the file's names, see PHASES) -> (first, last) frame of one take.

    Raises:
        DatasetError: the file is missing or damaged, or a phase is unknown or ends before it begins.
    """
    return parse_one(path, "phases", read_json(path), _phases)


def _phases(data: Any) -> dict[str, tuple[int, int]]:
    phases = {}
    for name, (first, last) in data.items():
        if name not in PHASES:
            raise ValueError(f"unknown phase {name!r}; 4D-OR has {', '.join(PHASES)}")
        if last < first:
            raise ValueError(f"phase {name!r} ends at frame {last}, before it begins at {first}")
        phases[name] = (int(first), int(last))
    return phases


def phase_at(phases: dict[str, tuple[int, int]], frame: int) -> str:
    """The phase that holds a frame, "" when none does."""
    return next((name for name, (first, last) in phases.items() if first <= frame <= last), "")


def count_predicates(scans: tuple[Scan, ...]) -> Counter[str]:
    """How often each predicate is annotated."""
    return Counter(predicate for scan in scans for *_, predicate in scan.relationships)
