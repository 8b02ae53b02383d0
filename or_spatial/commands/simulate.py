"""`or_spatial world`: record, draw, audit or run the synthetic operating room."""

from dataclasses import dataclass
from pathlib import Path

from or_spatial.commands.console import err, out
from or_spatial.errors import ConfigError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class WorldOptions:
    """One recording: which room (split, seed), how long, how often, how many cameras, how large."""

    split: str
    seed: int
    seconds: float
    rate_hz: float
    cameras: int
    width: int
    height: int


def run_world(options: WorldOptions, folder: Path | None, sheet: Path | None, audit: bool, live: bool) -> int:
    """Do what the options ask for, in the order record, sheet, audit, live; the exit code.

    Raises:
        ConfigError: nothing asked for, an unknown split, or an output folder that exists.
    """
    if options.split not in SPLITS:
        raise ConfigError(f"--split {options.split!r} is unknown; there are {', '.join(SPLITS)}")
    if not (folder or sheet or audit or live):
        raise ConfigError("say what to make: --out FOLDER, --contact-sheet FILE, --audit or --live")
    if folder:
        _record(options, folder)
    if sheet:
        _contact_sheet(options, sheet)
    passed = _audit(options) if audit else True
    if live:
        return _live(options)
    return 0 if passed else 1
