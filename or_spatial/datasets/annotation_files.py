"""Reading annotation files so that a damaged one says which it is, and the one sample that all readers give."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from or_spatial.errors import DatasetError, VocabularyError
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, SpatialRelation
from or_spatial.scene.vocabulary import load_vocabulary

T = TypeVar("T")
Triplet = tuple[str, str, str]
"""(subject, predicate, object): the order of this suite. The files order differently, see each reader."""


@dataclass(frozen=True)
class AnnotatedScene:
    """One annotated moment: `graph` in the dataset's own vocabulary, roles by object id, phase "" when unknown."""

    dataset: str
    take: str
    frame: str
    graph: SceneGraph
    roles: dict[str, str] = field(default_factory=dict)
    phase: str = ""


def read_json(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        DatasetError: it is missing or damaged; the message names it.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DatasetError(f"annotation file {path} does not exist") from None
    except OSError as error:
        raise DatasetError(f"annotation file {path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"annotation file {path} is damaged or cut off: {error}") from error


def parse_each(path: str | Path, items: Any, parse: Callable[[Any], T]) -> tuple[T, ...]:
    """`parse` every item of a list; what is missing or unknown in one becomes an error that names file and item.

    Raises:
        DatasetError: not a list, or an item that cannot be parsed.
    """
    if not isinstance(items, list):
        raise DatasetError(f"{path}: expected a list of annotations, got {type(items).__name__}")
    return tuple(parse_one(path, f"item {i}", item, parse) for i, item in enumerate(items))


def parse_one(path: str | Path, what: str, item: Any, parse: Callable[[Any], T]) -> T:
    """`parse` one item with the same errors as `parse_each`."""
    try:
        return parse(item)
    except KeyError as error:
        raise DatasetError(f"{path}, {what}: no {error} in it; is it another kind of file?") from error
    except (TypeError, ValueError, IndexError, AttributeError, VocabularyError) as error:
        raise DatasetError(f"{path}, {what}: {error}") from error


def action_graph(vocabulary: str, entities: list[str], triplets: list[Triplet], stamp_ns: int) -> SceneGraph:
    """A truth graph of actions without positions; the id of an object is its name in the annotation.

    Raises:
        VocabularyError: a name that the vocabulary does not have.
    """
    words = load_vocabulary(vocabulary)
    for label in entities:
        words.object_index(label)
    for _, predicate, _ in triplets:
        words.action_index(predicate)
    return SceneGraph(
        stamp_ns=stamp_ns,
        vocabulary=vocabulary,
        model_id="annotation",
        objects=tuple(SceneObject(id=label, label=label, category=words.category(label)) for label in entities),
        relations=tuple(
            SpatialRelation(
                subject_id=s,
                predicate=p,
                object_id=o,
                family=Family.ACTION,
                confidence=1.0,
                source=EvidenceSource.TRUTH,
            )
            for s, p, o in triplets
        ),
    )


def in_world_words(graph: SceneGraph) -> SceneGraph:
    """The same graph with labels and predicates of `or_world`; ids stay, so that roles can still be told apart.

    Labels that `or_world` lacks (MM-OR's drape) keep their names.
    """
    words = load_vocabulary(graph.vocabulary)
    return replace(
        graph,
        vocabulary="or_world",
        objects=tuple(replace(o, label=words.to_canonical(o.label)) for o in graph.objects),
        relations=tuple(replace(r, predicate=words.to_canonical(r.predicate)) for r in graph.relations),
    )
