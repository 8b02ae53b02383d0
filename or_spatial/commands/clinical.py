"""`or_spatial clinical fit` and `score`: a clinical reader fitted to annotated operations, and what it is worth."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from or_spatial.commands.console import err, out
from or_spatial.commands.learning import show_figures, write_json
from or_spatial.errors import ConfigError

SHIPPED = ("config", "clinical", "or_world.json")


@dataclass(frozen=True)
class Played:
    """Operations of the world: each procedure of a split on its first `seeds`; `exact` measures on meshes."""

    split: str
    seeds: int
    exact: bool = False


def fit_clinical(place: Path, seeds: int, data: Path | None) -> None:
    """Fit on the world's train split, or on the annotated takes of 4D-OR in `data`, and write one JSON file.

    Raises:
        DatasetError: `data` lacks a file or holds a damaged one; or a phase occurs in none of the operations.
    """
    text = _fit_four_d_or(data) if data else _fit_world(Played("train", seeds))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    out.print(f"{place}: {len(text) / 1e3:.0f} kB\nnext: or_spatial run -p clinical.model_file={place}", markup=False)


def score_clinical(model: Path | None, played: Played, json: Path | None) -> None:
    """Score a fitted model (the shipped one by default) on operations of the world and print the figures.

    Raises:
        ConfigError: no such split, a model that cannot be read, or one that knows no procedure of the world.
    """
    from or_spatial.clinical import Repertoire
    from or_spatial.evaluation.clinical_world_score import score_world
    from or_spatial.paths import share_path

    file = model or share_path(*SHIPPED)
    repertoire = Repertoire.load(file)
    if not {m.procedure for m in repertoire.models} & _procedures(played.split):
        raise ConfigError(f"{file} knows no procedure of the world; 4D-OR's is scored by evaluate --dataset 4d-or")
    figures: dict[str, Any] = {"clinical": score_world(repertoire, _operations(played))}
    show_figures(figures)
    figures["made_with"] = {"model": repertoire.model_id, **asdict(played)}
    write_json(figures, json)


def _fit_world(played: Played) -> str:
    from or_spatial.evaluation.clinical_world import fit_world

    return fit_world(_operations(played)).to_json()


def _fit_four_d_or(folder: Path) -> str:
    from or_spatial.evaluation.clinical_task import fit_4d_or, read_takes

    takes = read_takes(folder)
    return fit_4d_or(list(takes.values()), model_id=f"4d-or-takes-{'-'.join(map(str, takes))}").to_json() + "\n"


def _operations(played: Played) -> list[Any]:
    from rich.progress import track

    from or_spatial.evaluation.clinical_world import operations

    total = len(_procedures(played.split)) * played.seeds
    played_ones = operations(played.split, range(played.seeds), played.exact)
    return list(track(played_ones, "playing operations", total=total, console=err))


def _procedures(split: str) -> set[str]:
    from or_spatial.world.splits import split_plan

    return set(split_plan(split).procedures)
