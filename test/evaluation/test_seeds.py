"""Seeds of a task run the same in one process and in two."""

import pytest

from or_spatial.evaluation.seeds import each_seed


def of_seed(task, seed):
    return f"{task}{seed}"


@pytest.mark.parametrize(("workers", "chunksize"), [(1, 1), (2, 1), (2, 3)])
def test_results_come_in_the_order_of_seeds_each_counted_once(workers, chunksize):
    counted = []
    found = list(each_seed(of_seed, "clip", range(3, 8), workers, lambda: counted.append(1), chunksize))
    assert found == ["clip3", "clip4", "clip5", "clip6", "clip7"]
    assert len(counted) == 5


def test_in_one_process_a_seed_runs_only_when_it_is_asked_for():
    ran = []
    found = each_seed(lambda task, seed: ran.append(seed), None, range(9))
    next(found)
    assert ran == [0]
