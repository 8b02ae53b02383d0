"""What several packaging tests share: a clean copy of the checkout and the wheel made of it."""

from pathlib import Path

import pytest
from scratch import copy_checkout, make_venv, run


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the checkout, shared by the slow tests; do not change it."""
    return copy_checkout(tmp_path_factory.mktemp("source") / "or_spatial")


@pytest.fixture(scope="session")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip wheel .` makes in an isolated build."""
    room = tmp_path_factory.mktemp("wheel")
    python = make_venv(room / "venv")
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", room / "dist", checkout)
    return next((room / "dist").glob("*.whl"))
