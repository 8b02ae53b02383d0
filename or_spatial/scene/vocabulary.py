"""The names that graphs may use: object labels, action predicates and geometric predicates, read from YAML.

A vocabulary file lists `objects` (name and category), `actions` and `geometric` in index order, and `canonical`,
which maps its names to those of `or_world` where they differ (4D-OR's `Operating` is MM-OR's `manipulating`).
"""

import difflib
import functools
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from or_spatial.errors import ConfigError, VocabularyError
from or_spatial.paths import share_path
from or_spatial.scene.objects import Category

_KEYS = {"name", "version", "source", "objects", "actions", "geometric", "canonical"}


@dataclass(frozen=True)
class Vocabulary:
    """Names in index order. `actions` holds at most one predicate per ordered pair, `geometric` any number."""

    name: str
    version: int
    objects: tuple[str, ...]
    actions: tuple[str, ...]
    geometric: tuple[str, ...]
    categories: dict[str, Category] = field(default_factory=dict, hash=False)
    canonical: dict[str, str] = field(default_factory=dict, hash=False)

    def object_index(self, label: str) -> int:
        """Index of an object label.

        Raises:
            VocabularyError: the label is not in this vocabulary; the message offers the closest one.
        """
        return self._index(self.objects, label, "object label")

    def action_index(self, predicate: str) -> int:
        """Index of an action predicate; raises VocabularyError like `object_index`."""
        return self._index(self.actions, predicate, "action predicate")

    def geometric_index(self, predicate: str) -> int:
        """Index of a geometric predicate; raises VocabularyError like `object_index`."""
        return self._index(self.geometric, predicate, "geometric predicate")

    def category(self, label: str) -> Category:
        """Coarse kind of a label, UNKNOWN for labels that are not in the vocabulary."""
        return self.categories.get(label, Category.UNKNOWN)

    def to_canonical(self, name: str) -> str:
        """The `or_world` name of one of our names; names that agree map to themselves."""
        return self.canonical.get(name, name)

    def _index(self, names: tuple[str, ...], name: str, kind: str) -> int:
        try:
            return names.index(name)
        except ValueError:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(names)}"
            raise VocabularyError(f"vocabulary {self.name!r} has no {kind} {name!r}{hint}") from None


@functools.cache
def load_vocabulary(name_or_path: str = "or_world") -> Vocabulary:
    """Load a shipped vocabulary by name (`or_world`, `4d-or`, `mm-or`) or any YAML file by path.

    Raises:
        ConfigError: the file is missing, has unknown keys, or repeats a name.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = share_path("config", "vocabularies", f"{name_or_path}.yaml")
    if not path.is_file():
        raise ConfigError(f"vocabulary file {path} does not exist")
    data = yaml.safe_load(path.read_text())
    if unknown := set(data) - _KEYS:
        raise ConfigError(f"{path}: unknown key {sorted(unknown)[0]!r}; a vocabulary has {', '.join(sorted(_KEYS))}")
    objects = data["objects"]
    for key in ("objects", "actions", "geometric"):
        names = list(data.get(key) or [])
        if len(set(names)) != len(names):
            raise ConfigError(f"{path}: a name under {key!r} stands twice")
    return Vocabulary(
        name=data["name"],
        version=int(data["version"]),
        objects=tuple(objects),
        actions=tuple(data.get("actions") or ()),
        geometric=tuple(data.get("geometric") or ()),
        categories={label: Category[kind.upper()] for label, kind in objects.items()},
        canonical=dict(data.get("canonical") or {}),
    )
