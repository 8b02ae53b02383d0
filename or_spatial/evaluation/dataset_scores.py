"""`or_spatial evaluate --dataset NAME --data DIR`: what real annotations can judge, one entry per dataset.

Each entry takes the folder of annotation files and gives nested figures; it imports what it needs when it is called.
"""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from or_spatial.errors import ConfigError


def _mvor(folder: Path) -> dict[str, Any]:
    from or_spatial.evaluation.mvor_fit import mvor_figures

    return mvor_figures(folder)


def _four_d_or(folder: Path) -> dict[str, Any]:
    from or_spatial.evaluation.clinical_task import clinical_figures

    return clinical_figures(folder)


DATASETS: dict[str, Callable[[Path], dict[str, Any]]] = {"4d-or": _four_d_or, "mvor": _mvor}
_WITHOUT_IMAGES = ("mm-or",)


def score_dataset(name: str, folder: Path | None) -> dict[str, Any]:
    """The figures of a dataset; keys as in the project's limits.

    Raises:
        ConfigError: an unknown dataset, one that needs images which nobody may ship, or no folder.
        DatasetError: the folder lacks a file or holds a damaged one.
    """
    if name in _WITHOUT_IMAGES:
        raise ConfigError(
            f"--dataset {name}: a model is scored on images, and those of {name} are not in "
            f"{folder or 'its annotation files'}; ask its authors for them, turn them into a bag, and use --bag"
        )
    if name not in DATASETS:
        close = get_close_matches(name, DATASETS, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(DATASETS)}"
        raise ConfigError(f"--dataset {name!r} is not known; {hint}")
    if folder is None:
        raise ConfigError(f"--dataset {name} needs --data DIR, the folder of its annotation files")
    return DATASETS[name](folder)
