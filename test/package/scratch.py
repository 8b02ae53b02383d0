"""Scratch places for packaging tests: clean copies, new venvs, commands that know nothing of the venv of the tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAKS = (
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS",
)  # fmt: skip


def fresh_environment(**more: str) -> dict[str, str]:
    """Our environment without what the wheels' bootstrapper or a sourced ROS left in it."""
    return {name: value for name, value in os.environ.items() if name not in LEAKS} | more


def run(*command: object, cwd: Path = Path("/"), ok: bool = True, **more: str) -> str:
    """Output of a command in a fresh environment, run where no checkout is in sight; a failure, or a success where
    none was expected (`ok` False), shows the end of it.
    """
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=fresh_environment(**more), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert (done.returncode == 0) == ok, f"{command} gave {done.returncode}:\n{done.stdout[-4000:]}"
    return done.stdout


def make_venv(folder: Path, *requirements: object) -> Path:
    """A new venv with these pip arguments installed; its python."""
    run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", folder)
    python = folder / "bin" / "python"
    if requirements:
        run(python, "-m", "pip", "install", "-qq", *requirements)
    return python


def copy_checkout(target: Path) -> Path:
    """What a clone would hold, with changes that are not committed yet; no .venv, no build folders."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target
