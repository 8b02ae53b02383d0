"""A model bundle: a folder with graphs, a manifest that vouches for each file, and a model card. No pickle anywhere.

`manifest.json` is read and every file's sha256 is checked before anything is loaded.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from or_spatial.errors import BundleError
from or_spatial.inference.contract import PERCEIVE
from or_spatial.paths import share_path

MANIFEST = "manifest.json"
_SCHEMA = 1
_REQUIRED = ("schema", "name", "version", "files", "image_height", "image_width", "vocabulary", "labels", "actions")


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `calibration` holds what was fitted on validation: thresholds, temperatures, biases."""

    folder: Path
    name: str
    version: str
    image_height: int
    image_width: int
    vocabulary: str
    labels: tuple[str, ...]
    actions: tuple[str, ...]
    geometric: tuple[str, ...]
    calibration: dict[str, Any] = field(default_factory=dict, hash=False)
    metrics: dict[str, Any] = field(default_factory=dict, hash=False)
    digest: str = ""

    @property
    def model_id(self) -> str:
        """Name, version and the first digits of the weights' digest."""
        return f"{self.name}-{self.version}@{self.digest[:8]}"

    @property
    def perceive(self) -> Path:
        """The live path's graph."""
        return self.folder / PERCEIVE

    @classmethod
    def load(cls, folder: Path | str | None = None) -> "Bundle":
        """Check and describe a bundle; without a folder, the shipped one.

        Raises:
            BundleError: the folder or the manifest is missing, of another schema, or a file's digest differs; the
                message names the file.
        """
        folder = Path(folder) if folder else shipped_bundle()
        manifest = read_manifest(folder)
        for name, expected in manifest["files"].items():
            check_file(folder / name, expected)
        if PERCEIVE not in manifest["files"]:
            raise BundleError(f"{folder / MANIFEST} lists no {PERCEIVE}; is this an or_spatial bundle?")
        return cls(
            folder=folder,
            name=manifest["name"],
            version=manifest["version"],
            image_height=int(manifest["image_height"]),
            image_width=int(manifest["image_width"]),
            vocabulary=manifest["vocabulary"],
            labels=tuple(manifest["labels"]),
            actions=tuple(manifest["actions"]),
            geometric=tuple(manifest.get("geometric", ())),
            calibration=manifest.get("calibration", {}),
            metrics=manifest.get("metrics", {}),
            digest=manifest["files"][PERCEIVE],
        )

    def speaking(self, vocabulary: str) -> "Bundle":
        """The bundle itself, where it speaks the vocabulary of what it shall be compared with.

        Raises:
            BundleError: it speaks another one; names both.
        """
        if self.vocabulary != vocabulary:
            raise BundleError(
                f"{self.folder} speaks vocabulary {self.vocabulary!r}, what it is scored on {vocabulary!r}"
            )
        return self


def shipped_bundle() -> Path:
    """Where the bundle that comes with the package lies.

    Raises:
        BundleError: this installation has none.
    """
    try:
        return share_path("resource", "models", "tiny")
    except Exception as error:
        raise BundleError(f"no model bundle is shipped here ({error}); name one with the parameter 'bundle'") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest as a dict, with every required key present.

    Raises:
        BundleError: missing, unreadable, incomplete or of another schema.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is no model bundle: {MANIFEST} is missing")
    try:
        manifest = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} is not readable JSON: {error}") from error
    missing = [key for key in _REQUIRED if key not in manifest]
    if missing:
        raise BundleError(f"{path} lacks {', '.join(missing)}; was it made by or_spatial export?")
    if manifest["schema"] != _SCHEMA:
        raise BundleError(f"{path} has schema {manifest['schema']}, this version reads {_SCHEMA}")
    return manifest


def check_file(path: Path, expected: str) -> None:
    """Compare a file's sha256 with the manifest's.

    Raises:
        BundleError: missing or different; names the file.
    """
    if not path.is_file():
        raise BundleError(f"{path} is listed in the manifest but missing")
    found = sha256(path)
    if found != expected:
        raise BundleError(
            f"{path} is damaged or foreign: sha256 {found[:12]}…, the manifest says {expected[:12]}…; "
            "fetch the bundle again or export it anew"
        )


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return (
            hashlib.file_digest(stream, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else (hashlib.sha256(stream.read()).hexdigest())
        )
