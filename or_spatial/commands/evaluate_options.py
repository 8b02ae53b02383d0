"""Which options of `or_spatial evaluate` belong to what is scored: one that would go unheard is refused."""

from dataclasses import dataclass, fields
from pathlib import Path

from or_spatial.errors import ConfigError

_EVERY = {"--json"}
_TASK = {*_EVERY, "--split", "--workers"}
_PICTURES = {*_TASK, "--bundle", "--report"}
TAKES: dict[str, set[str]] = {
    "--split": {*_PICTURES, "--frames", "--clips", "--record"} - {"--split"},
    "--bag": {*_EVERY, "--bundle"},
    "--dataset": {*_EVERY, "--data"},
    "--task hazards": {*_TASK, "--clips"},
    "--task tracking": {*_TASK, "--clips"},
    "--task cameras": {*_TASK, "--clips"},
    "--task calibration": {*_TASK, "--scenes", "--report"},
    "--task counterfactual": _PICTURES,
    "--task robustness": {*_PICTURES, "--frames"},
    "--task domain": {*_PICTURES, "--frames"},
    "--task ablation": {*_TASK, "--report", "--frames", "--config", "--runs"},
}
"""What is scored (a source, or a task on a split of the synthetic world) and the options that it heeds."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What was typed; None where an option was not, then the default of what is scored counts."""

    split: str | None = None
    bag: Path | None = None
    dataset: str | None = None
    task: str | None = None
    data: Path | None = None
    frames: int | None = None
    clips: int | None = None
    scenes: int | None = None
    workers: int | None = None
    bundle: Path | None = None
    json: Path | None = None
    report: Path | None = None
    record: bool | None = None
    config: Path | None = None
    runs: Path | None = None

    @property
    def source(self) -> str:
        """`--split`, `--bag` or `--dataset`: what is scored where no task is named.

        Raises:
            ConfigError: none of them was given, or several.
        """
        chosen = [f"--{name}" for name in ("split", "bag", "dataset") if getattr(self, name)]
        if len(chosen) != 1:
            given = ", ".join(chosen) or "none"
            raise ConfigError(f"say what to evaluate on: one of --split, --bag, --dataset (got {given})")
        return chosen[0]

    def refuse_unheard(self, what: str) -> None:
        """Refuse options that `what`, a key of TAKES, does not heed.

        Raises:
            ConfigError: naming the first of them, and to what it belongs.
        """
        given = {f"--{field.name}": getattr(self, field.name) for field in fields(self)}
        for option in (name for name, value in given.items() if value is not None and value is not False):
            if option not in TAKES[what] and option not in what:
                owners = ", ".join(other for other, heard in TAKES.items() if option in heard)
                takes = ", ".join(sorted(TAKES[what]))
                raise ConfigError(f"{what} takes no {option}, which belongs to {owners}; it takes {takes}")
