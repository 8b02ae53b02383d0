"""The parts of README.md and docs/ that are written by a command: tables from declarations, figures from metrics.

A generated part stands between two comment lines and says which command wrote it:

    <!-- begin topics (or_spatial docs) -->
    ...
    <!-- end topics -->

Figures come from `docs/figures.json`, which `or_spatial docs --metrics demo_output/metrics.json` replaces, together
with the picture at the head of README.md; nobody types a number into README.md.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from or_spatial.commands import interfaces
from or_spatial.errors import ConfigError

FIGURES = "docs/figures.json"
PICTURE = "docs/images/demo.png"
_PART = re.compile(r"(<!-- begin (?P<name>[\w-]+) \([^)]*\) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)


def update_documents(write: bool = True, metrics: Path | None = None, root: Path | None = None) -> list[Path]:
    """Bring every generated part up to date; the documents that were not, relative to the checkout.

    Raises:
        ConfigError: not a checkout, a part that no generator knows, or metrics that cannot be read or must not be taken
            over.
    """
    root = root or checkout()
    if metrics is not None and not write:
        raise ConfigError("--check changes nothing, so it takes no --metrics; or_spatial docs --metrics FILE does")
    if metrics is not None:
        if not metrics.is_file():
            raise ConfigError(f"{metrics} does not exist; or_spatial demo and or_spatial evaluate --json write one")
        adopt(metrics, root)
    stale = []
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
        new = regenerated(old, generators(root))
        if new != old:
            stale.append(path.relative_to(root))
            if write:
                path.write_text(new, encoding="utf-8")
    return stale


def adopt(metrics: Path, root: Path) -> None:
    """Take over a demo's figures, and the picture that lies beside them, as those of the documents."""
    shutil.copyfile(metrics, root / FIGURES)
    if (picture := metrics.parent / "picture.png").is_file():
        (root / PICTURE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, root / PICTURE)


def regenerated(text: str, makers: dict[str, Callable[[], str]]) -> str:
    """The text with each generated part made anew."""

    def make(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in makers:
            raise ConfigError(f"no generator for part {name!r}; there are {', '.join(makers)}")
        return f"{found[1]}\n{makers[name]().strip()}\n\n{found[3]}"

    return _PART.sub(make, text)


def generators(root: Path) -> dict[str, Callable[[], str]]:
    """Every generated part by name."""
    from or_spatial.nodes.parameter_table import PARAMETERS

    makers: dict[str, Callable[[], str]] = {
        "topics": interfaces.topics_table,
        "services": interfaces.services_table,
        "messages": interfaces.messages_table,
        "figures": lambda: figures_table(root / FIGURES),
    }
    for node in PARAMETERS:
        makers[f"parameters-{node.replace('_', '-')}"] = lambda node=node: interfaces.parameters_table(node)
    return makers


MEANINGS = {
    "relations.action_macro_f1": "actions (who does what to whom), macro F1",
    "relations.geometric_macro_f1": "geometric relations, macro F1",
    "relations.strict_macro_f1": "both, invented objects punished, macro F1",
    "objects.center_error_median_m": "3D centre error, median, m",
    "objects.center_error_p90_m": "3D centre error, nine of ten below, m",
    "depth.abs_rel": "depth, mean relative error",
    "depth.delta1": "depth, share of pixels within a factor of 1.25",
    "generalisation.procedure_loss": "strict macro F1 lost on the procedure that training never saw, share",
    "calibration.relations_ece": "stated probability of relations against frequency, class-wise ECE",
    "calibration.existence_ece": "stated existence of objects against frequency, class-wise ECE",
    "calibration.ellipsoid_95": "true centres inside the 95 % ellipsoid stated with them",
    "hazards.recall": "hazards noticed",
    "hazards.false_per_10min": "false hazards in 10 minutes",
    "latency.graph_p50_ms": "image published to graph received, median, ms",
    "latency.graph_p95_ms": "image published to graph received, 95th percentile, ms",
    "latency.perceive_p50_ms": "one forward pass, median, ms",
    "transport.delivered": "images that became a graph",
    "memory.pss_mb": "memory of all node processes (PSS), MB",
}


def figures_table(path: Path) -> str:
    """The figures of a metrics file, with the command, model and machine that made them."""
    if not path.is_file():
        return "No figures yet; `or_spatial docs --metrics demo_output/metrics.json` puts those of a demo here."
    data = json.loads(path.read_text())
    made = data.get("made_with", {})
    lines = ["| what | key | value |", "| --- | --- | --- |"]
    for key, meaning in MEANINGS.items():
        value = dig(data, key)
        if isinstance(value, (int, float)):
            lines.append(f"| {meaning} | `{key}` | {value:.3g} |")
    if made.get("perceiver") == "rules":
        lines.append(
            "\n**Made with the rule baseline, which reads the truth: these figures say nothing about seeing.**"
        )
    how = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in made.items() if name != "command")
    return "\n".join([*lines, "", f"Made by `{made.get('command', '?')}` ({how})."])


def dig(data: dict[str, Any], key: str) -> Any:
    """The value under a dotted key, or None."""
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def checkout() -> Path:
    """The root of this checkout; raises ConfigError in an installed copy, whose documents are not ours to change."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "README.md").is_file() or not (root / "package.xml").is_file():
        raise ConfigError(f"{root} is no checkout of or_spatial; documents are written there, not in an installed copy")
    return root
