"""`or_spatial world`: record, draw, audit or run the synthetic operating room."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from or_spatial.commands.console import err, interactive, out
from or_spatial.errors import ConfigError, MissingDependency
from or_spatial.world.splits import split_plan

SHEET_ROOMS = 12
_PAIRS = 3  # of each kind
_SEEDS_TRIED = 60


@dataclass(frozen=True)
class WorldOptions:
    """One recording: which room (split, seed), how long, how often, how many cameras, how large."""

    split: str = "test"
    seed: int = 0
    seconds: float = 20.0
    rate_hz: float = 5.0
    cameras: int = 2
    width: int = 640
    height: int = 360


def run_world(
    options: WorldOptions,
    folder: Path | None,
    sheet: Path | None,
    audit: bool,
    live: bool,
    counterfactual: Path | None = None,
) -> int:
    """Do what the options ask for, in the order record, sheet, pairs, audit, live; the exit code.

    Raises:
        ConfigError: nothing asked for, an unknown split, or an output folder that exists.
    """
    split_plan(options.split)  # an unknown one is refused before anything is drawn
    if not (folder or sheet or audit or live or counterfactual):
        raise ConfigError(
            "say what to make: --out FOLDER, --contact-sheet FILE, --counterfactual FOLDER, --audit or --live"
        )
    if folder:
        record_world(options, folder)
        size_mb = sum(f.stat().st_size for f in folder.iterdir()) / 1e6
        out.print(f"{folder}: {size_mb:.1f} MB; next: or_spatial replay {folder} --evaluate", markup=False)
    if sheet:
        _contact_sheet(options, sheet)
    if counterfactual:
        draw_pairs(options, counterfactual)
    passed = _audit(options) if audit else True
    if live:
        return _live(options)
    return 0 if passed else 1


def record_world(options: WorldOptions, folder: Path) -> Path:
    """Record one clip as a bag.

    Raises:
        ConfigError: the folder exists, or a number out of range.
        MissingDependency: the packages that render are not installed.
    """
    try:
        from or_spatial.world.recording import record
    except ImportError as error:
        raise MissingDependency(f"the world needs {error.name}; pip install trimesh embreex rosbags") from error
    o = options
    return record(o.split, o.seed, o.seconds, o.rate_hz, o.cameras, folder, o.width, o.height, progress=interactive())


def _contact_sheet(options: WorldOptions, path: Path) -> None:
    from or_spatial.world.contact_sheet import rooms_sheet

    with err.status(f"drawing {SHEET_ROOMS} rooms"):
        rooms_sheet(options.split, range(options.seed, options.seed + SHEET_ROOMS), path)
    out.print(f"{path}: seeds {options.seed} to {options.seed + SHEET_ROOMS - 1} of {options.split}", markup=False)


def draw_pairs(options: WorldOptions, folder: Path) -> None:
    """A few pairs of each kind, from the first seeds that give one: a PNG each, and `pairs.json` with what they mean.

    Raises:
        ConfigError: the folder exists.
    """
    from or_spatial.world.contact_sheet import captioned, write_sheet
    from or_spatial.world.counterfactual import pairs_from
    from or_spatial.world.counterfactual_edits import KINDS

    if folder.exists():
        raise ConfigError(f"{folder} exists already; name another folder")
    told = []
    for kind in KINDS:
        with err.status(f"drawing {_PAIRS} pairs of {kind}; some seconds each"):
            seeds = range(options.seed, options.seed + _SEEDS_TRIED)
            for drawn in pairs_from(kind, options.split, seeds, _PAIRS, options.width, options.height):
                pair, name = drawn.pair, f"{kind}_{drawn.pair.seed}.png"
                texts = [f"{pair.subject_id} {p} {pair.object_id}" for p in pair.predicates]
                pictures = [captioned(s.image, text) for s, text in zip(drawn.samples, texts, strict=True)]
                write_sheet(pictures, 2, folder / name)
                told.append({"picture": name, **asdict(pair)})
    (folder / "pairs.json").write_text(json.dumps(told, indent=1) + "\n")
    out.print(f"{folder}: {len(told)} pairs and pairs.json", markup=False)


def _audit(options: WorldOptions) -> bool:
    from or_spatial.world.audit import audit

    return bool(audit(options.split))


def _live(options: WorldOptions) -> int:
    from or_spatial.nodes.runner import run

    parameters = {
        "split": options.split,
        "seed": options.seed,
        "rate_hz": options.rate_hz,
        "camera_count": options.cameras,
        "width_px": options.width,
        "height_px": options.height,
    }
    return run(("world_node",), parameters={"world_node": parameters})
