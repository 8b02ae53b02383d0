"""Where commands write, and how they end when something is wrong: one line that says what to do, exit code 2."""

import os
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from or_spatial.errors import OrSpatialError

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class PlainErrors(TyperGroup):
    """A command group in which an OrSpatialError, or a file that cannot be read or written, is a message, not a
    traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command; turn errors raised on purpose into one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except OrSpatialError as error:
            complain(error)
            raise typer.Exit(EXIT_REFUSED) from error
        except OSError as error:
            if error.filename is None:
                raise
            complain(f"{error.filename}: {error.strerror}")
            raise typer.Exit(EXIT_REFUSED) from error
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None


def complain(error: BaseException) -> None:
    """The message on standard error, never read as markup; most are one line, a list of faults has one line each."""
    err.print("[bold red]error:[/]", end=" ")
    err.print(str(error).strip(), markup=False, soft_wrap=True)


def one_thread_for_blas() -> None:
    """Keep BLAS from starting threads; call before numpy is imported, child processes inherit it.

    Our matrices are too small to gain from them, and on a busy machine their spinning costs a thousandfold (measured
    beside ten other processes: all relations of 12 objects took 15 s instead of 14 ms).
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def interactive() -> bool:
    """Whether somebody watches: progress bars are for eyes, not for log files."""
    return sys.stderr.isatty()


def command_line(otherwise: str = "or_spatial as a library") -> str:
    """The command as it was typed, without the path of the program; `otherwise` where none was."""
    called_as_command = Path(sys.argv[0]).name in ("or_spatial", "cli.py")
    return " ".join(["or_spatial", *sys.argv[1:]]) if called_as_command else otherwise
