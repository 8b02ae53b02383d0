"""A wheel of or_spatial: CMake builds the interfaces and installs all that a ROS workspace would get; pip carries it.

Inside the wheel, Python modules and generated messages are at its root, libraries, share and lib/or_spatial files in
its data part, which pip unpacks into the prefix. So it fits a venv whose ROS 2 comes from wheels as well.

The development venv is not made with pip but with `make env`: there CMake installs the interfaces and a .pth leads to
the checkout. Installing over it with pip would remove or hide what is there, so that is refused with the remedy.
`OR_SPATIAL_BUILD` names another build folder for CMake, such as one in which everything is compiled already.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

HERE = Path(__file__).resolve().parent
NAME = "or_spatial"
VERSION = re.search(r'__version__ = "(.+)"', (HERE / NAME / "__init__.py").read_text())[1]


def runtime_requirements() -> list[str]:
    """What the wheel needs: our pins for ROS, whose binary interfaces must fit, and lower bounds for all else."""
    files = [HERE / "requirements" / name for name in ("ros.txt", "runtime.txt")]
    lines = [line.strip() for file in files for line in file.read_text().splitlines()]
    wanted = [line for line in lines if line and line[0] not in "#-"]
    return [line if line.startswith("ros-") else line.replace("==", ">=", 1) for line in wanted]


def pip_installs() -> bool:
    """Whether `pip install` runs us (`pip wheel` and `python -m build` harm nothing); False where /proc is missing."""
    try:
        caller = Path(f"/proc/{os.getppid()}/cmdline").read_text().split("\0")
    except OSError:
        return False
    return "install" in caller or "install" in sys.argv


def refuse_over_cmake() -> None:
    """End with the remedy when `pip install` would hide or remove what CMake has put into this venv."""
    pth = Path(sysconfig.get_path("purelib")) / f"{NAME}_checkout.pth"
    if pip_installs() and pth.is_file():
        sys.exit(
            f"{sys.prefix} serves the checkout {pth.read_text().strip()}, whose interfaces CMake installed there;\n"
            "pip would remove or hide them. `make env` in that checkout brings this venv up to date. To try the\n"
            "wheel, make another venv: python3 -m venv room && room/bin/pip install ."
        )


def ros_prefix() -> Path | None:
    """Where pip has put ROS: the venv, or the passing one in which pip builds wheels. None: a sourced ROS serves."""
    for entry in sys.path:
        prefix = Path(entry).parent.parent.parent
        if Path(entry).name == "site-packages" and (prefix / "share" / "ament_cmake" / "cmake").is_dir():
            return prefix
    return None


def cmake_install(build: Path, into: Path) -> None:
    """Build with CMake and install everything into an empty folder."""
    shutil.rmtree(into, ignore_errors=True)
    environment = os.environ.copy()
    options = [
        f"-DCMAKE_INSTALL_PREFIX={into}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_TESTING=OFF",
        "-DOR_SPATIAL_UNITY_BUILD=ON",
        "-DOR_SPATIAL_INSTALL_PYTHON=ON",
        "-DOR_SPATIAL_INSTALL_COMMAND=OFF",
    ]
    if prefix := ros_prefix():
        options.append(f"-DCMAKE_PREFIX_PATH={prefix}")
        environment["PATH"] = f"{prefix / 'bin'}{os.pathsep}{environment['PATH']}"
        environment.pop("AMENT_PREFIX_PATH", None)
    # pip builds each wheel in another passing environment, whose path a kept cache would still name.
    fresh = [build / "CMakeCache.txt", build / "CMakeFiles"] if prefix and not prefix.samefile(sys.prefix) else []
    for path in fresh:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    generator = ["-G", "Ninja"] if shutil.which("ninja", path=environment["PATH"]) else []
    for command in (
        ["cmake", *generator, "-S", str(HERE), "-B", str(build), "-Wno-dev", "--log-level=WARNING", *options],
        ["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)],
        ["cmake", "--install", str(build)],
    ):
        subprocess.run(command, check=True, env=environment)


class BuildWithCMake(build_py):
    """Fills the wheel from a CMake installation instead of from the source folder."""

    def run(self) -> None:
        """Build, then sort what was installed into the wheel's root and its data part."""
        refuse_over_cmake()
        work = HERE / "build" / "wheel"
        staged = work / "staged"
        cmake_install(Path(os.environ.get("OR_SPATIAL_BUILD", work / "cmake")).absolute(), staged)
        target = Path(self.build_lib) / NAME
        shutil.rmtree(target, ignore_errors=True)
        (modules,) = staged.glob(f"**/*-packages/{NAME}")
        shutil.copytree(modules, target, ignore=shutil.ignore_patterns("__pycache__", "*.c"))
        shutil.rmtree(modules.parent)
        for needs_headers in (staged / "include", staged / "share" / NAME / "cmake"):  # C++ users build a workspace
            shutil.rmtree(needs_headers)
        self.distribution.data_files = [
            (str(folder.relative_to(staged)), [str(f) for f in sorted(folder.iterdir()) if f.is_file()])
            for folder in sorted(p for p in staged.rglob("*") if p.is_dir())
        ]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """All files at the wheel's root."""
        return [str(path) for path in Path(self.build_lib).rglob("*") if path.is_file()]


class RefuseEditable(editable_wheel):
    """`pip install -e .` would leave the messages out."""

    def run(self) -> None:
        """End with the remedy."""
        sys.exit("an editable install has no place for generated messages; `make env` makes a venv for this checkout")


class WithLibraries(Distribution):
    """The wheel holds compiled messages, so it belongs to one Python and one platform."""

    def has_ext_modules(self) -> bool:
        """Always."""
        return True


setup(
    name=NAME,
    version=VERSION,
    description="Ordinary RGB cameras of an operating room in, a live metric 3D scene graph out",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    install_requires=runtime_requirements(),
    extras_require={
        "open3d": ["open3d>=0.18"],  # another ICP for or_spatial calibrate
        "mitsuba": ["mitsuba>=3.5"],  # another renderer for or_spatial evaluate --task domain
    },
    packages=[NAME],
    entry_points={"console_scripts": ["or_spatial = or_spatial.cli:main"]},
    cmdclass={"build_py": BuildWithCMake, "editable_wheel": RefuseEditable},
    distclass=WithLibraries,
    zip_safe=False,
)
