import pytest
from recorded_room import write_bag


@pytest.fixture(scope="session")
def tiny_bag(tmp_path_factory):
    """Four seconds, one camera at 5 Hz, with truth."""
    return write_bag(tmp_path_factory.mktemp("bags") / "tiny", seconds=4.0)
