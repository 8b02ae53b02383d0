"""A file that is replaced is the old one or the new one, never half of one."""

import resource
import subprocess
import sys

import pytest

from or_spatial.files import write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "made" / "state.json"
    write_whole(path, "old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert [*path.parent.iterdir()] == [path]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from or_spatial.files import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_whole(Path(sys.argv[1]), 10_000 * "x")
except OSError:
    sys.exit(3)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
def test_a_full_disk_leaves_what_was_there(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("good")
    assert subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], check=False).returncode == 3
    assert path.read_text() == "good"
    assert [*tmp_path.iterdir()] == [path]
