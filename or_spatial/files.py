"""Files that hold state, replaced as a whole: a full disk or a power cut leaves the former one."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replace a file by `text`, written beside it, synced and renamed; its folder is made.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
