"""MM-OR (egeozsoy/MM-OR, arXiv 2503.02579): relationships of its own takes and of the 4D-OR takes it includes.

Convention
    relationships_*.json    [subject, OBJECT, predicate], take names end in `_4DOR` or `_MMOR`
    relation_labels/*.json  [subject, PREDICATE, object] under `rel_annotations`: another order
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from or_spatial.datasets.annotation_files import (
    AnnotatedScene,
    Triplet,
    action_graph,
    parse_each,
    parse_one,
    read_json,
)
from or_spatial.scene.vocabulary import load_vocabulary

VOCABULARY = "mm-or"
ORIGINS: tuple[str, ...] = ("4DOR", "MMOR")
"""Which data set a take comes from: the last part of its name. Figures are published for each and for both."""

_NANOSECONDS_PER_FRAME = 1_000_000_000


@dataclass(frozen=True)
class Timepoint:
    """One annotated moment as the file has it: relationships in the file's order (subject, object, predicate)."""

    take_name: str
    frame_id: str
    relationships: tuple[tuple[str, str, str], ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Timepoint":
        """Read one entry, strictly: every entity and predicate must be one of MM-OR's."""
        words = load_vocabulary(VOCABULARY)
        take = data["take_name"]
        if take.rpartition("_")[2] not in ORIGINS:
            raise ValueError(f"take name {take!r} must end in _4DOR or _MMOR")
        relationships = []
        for subject, other, predicate in data["relationships"]:
            words.object_index(subject)
            words.object_index(other)
            words.action_index(predicate)
            relationships.append((subject, other, predicate))
        return cls(take, data["frame_id"], tuple(relationships))

    @property
    def origin(self) -> str:
        """`4DOR` or `MMOR`."""
        return self.take_name.rpartition("_")[2]

    def to_json(self) -> dict[str, Any]:
        """The entry again, as it was read."""
        return {
            "take_name": self.take_name,
            "frame_id": self.frame_id,
            "relationships": [list(r) for r in self.relationships],
        }

    def scene(self) -> AnnotatedScene:
        """As one sample. Its objects are those that relations name: the file lists no others.

        Stamps count frames as seconds: they order the moments of a take, no more.
        """
        entities = list(dict.fromkeys(e for subject, other, _ in self.relationships for e in (subject, other)))
        triplets = [(s, p, o) for s, o, p in self.relationships]
        graph = action_graph(VOCABULARY, entities, triplets, int(self.frame_id) * _NANOSECONDS_PER_FRAME)
        people = {e: e for e in entities if load_vocabulary(VOCABULARY).to_canonical(e) == "person"}
        return AnnotatedScene(VOCABULARY, self.take_name, self.frame_id, graph, people)


def read_relationships(path: str | Path) -> tuple[Timepoint, ...]:
    """All timepoints of a `relationships_*.json`.

    Raises:
        DatasetError: the file is missing, damaged, or says something that MM-OR cannot say; names file and item.
    """
    return parse_each(path, read_json(path), Timepoint.from_json)


def relationships_to_json(timepoints: tuple[Timepoint, ...]) -> str:
    """The text of the file again, byte for byte as published (one line)."""
    return json.dumps([t.to_json() for t in timepoints])


def read_relation_labels(path: str | Path) -> tuple[Triplet, ...]:
    """(subject, predicate, object) of one raw `relation_labels/<frame>.json`, of MM-OR or 4D-OR (extra parts ignored).

    Raises:
        DatasetError: the file is missing, damaged or of another kind.
    """
    return parse_one(path, "labels", read_json(path), lambda data: tuple(tuple(r[:3]) for r in data["rel_annotations"]))


def count_predicates(timepoints: Iterable[Timepoint]) -> Counter[str]:
    """How often each predicate is annotated."""
    return Counter(predicate for t in timepoints for *_, predicate in t.relationships)
