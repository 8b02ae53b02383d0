"""One HTML file with figures, tables and pictures inside it: nothing to fetch, nothing to lose, opens anywhere.

    page = Report("Demo", "what the nodes made of 12 s", provenance=provenance("or_spatial demo"))
    page.add(Section("Figures", items=(Table(("figure", "value"), (("centre error", "0.18 m"),)),)))
    page.write(Path("report.html"))

Every report ends with what made it: command, commit, model, data, machine. A number without that is hearsay.
"""

import base64
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial import __version__
from or_spatial.errors import ImageError, MissingDependency
from or_spatial.files import write_whole

SYNTHETIC = "An awareness aid under research, not a medical device. Figures are from a synthetic room."  # a warning


@dataclass(frozen=True)
class Picture:
    """An image (H, W, 3) uint8 RGB with its caption. `photo` stores it as JPEG, else as lossless PNG."""

    pixels: NDArray[np.uint8]
    caption: str = ""
    photo: bool = False
    wide: bool = False

    @property
    def source(self) -> str:
        """The image as a data URL."""
        return data_url(self.pixels, self.photo)


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; a column whose heading starts with "#" is set as numbers, flush right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, some text (paragraphs), and pictures or tables in order."""

    title: str
    text: Sequence[str] = ()
    items: Sequence[Picture | Table] = ()


@dataclass
class Report:
    """A page under construction. `headline` are the few (name, value, note) that the reader came for."""

    title: str
    subtitle: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    headline: Sequence[tuple[str, str, str]] = ()
    warning: str = ""
    sections: list[Section] = field(default_factory=list)

    def add(self, section: Section) -> "Report":
        """Append a section; returns the report."""
        self.sections.append(section)
        return self

    def html(self) -> str:
        """The page as text.

        Raises:
            MissingDependency: Jinja2 is not installed.
        """
        try:
            import jinja2
        except ImportError as error:
            raise MissingDependency("reports need Jinja2; pip install jinja2") from error
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        settings = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
        page = jinja2.Environment(loader=loader, **settings).get_template("report.html.j2")
        return page.render(report=self, is_picture=lambda item: isinstance(item, Picture))

    def write(self, path: Path) -> Path:
        """Write the page, whole or not at all, and return its path."""
        write_whole(path, self.html())
        return path


def number(value: float | None, decimals: int = 2) -> str:
    """So many decimals, a dash for an unknown number."""
    return "–" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def data_url(pixels: NDArray[np.uint8], photo: bool = False) -> str:
    """An RGB image (H, W, 3) uint8 as a data URL: JPEG for photos, PNG for drawings."""
    kind, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85]) if photo else (".png", [cv2.IMWRITE_PNG_COMPRESSION, 7])
    done, coded = cv2.imencode(kind, np.ascontiguousarray(pixels[..., ::-1]), options)
    if not done:
        raise ImageError(f"cannot encode a picture of shape {pixels.shape} as {kind}")
    mime = "image/jpeg" if photo else "image/png"
    return f"data:{mime};base64,{base64.b64encode(coded.tobytes()).decode()}"


def provenance(command: str, **more: str) -> dict[str, str]:
    """What made a figure: command, version, commit, time, machine, and whatever `more` says (model, data)."""
    return {
        "command": command,
        "or_spatial": f"{__version__}{_commit()}",
        **{name.replace("_", " "): value for name, value in more.items() if value},
        "made at": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }


def _commit() -> str:
    """The checkout's commit, with a plus when files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--exclude=*"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5.0, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f" ({answer.stdout.strip()})"
