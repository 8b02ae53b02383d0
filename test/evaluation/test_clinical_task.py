"""Roles and phases of 4D-OR across its two annotated takes. Skips without the annotations."""

import numpy as np
import pytest

from or_spatial.errors import DatasetError
from or_spatial.evaluation.clinical_task import anonymous, clinical_figures, read_takes


@pytest.fixture(scope="module")
def figures(data_dir):
    return clinical_figures(data_dir / "4d-or")


def test_roles_across_takes_reach_the_limit_in_both_directions(figures):
    assert figures["roles"]["macro_f1"] >= 0.85
    for direction in ("4_to_8", "8_to_4"):
        assert set(figures["roles"][direction]["people_left_out"]) <= {"none", "not annotated"}


def test_phases_across_takes_reach_the_limits_in_both_directions(figures):
    phases = figures["phases"]
    assert phases["accuracy"] >= 0.92
    assert phases["worst_boundary_frames"] <= 30
    assert phases["f1_at_50"] >= 0.90


def test_the_order_and_the_ids_of_people_do_not_matter(figures):
    for direction in ("4_to_8", "8_to_4"):
        roles = figures["roles"][direction]
        assert roles["macro_f1"] - roles["macro_f1_lowest"] < 0.01


def test_the_fields_figures_stand_beside_ours(figures):
    assert all({"what", "value", "differs"} <= set(line) for line in figures["published"])


def test_an_anonymous_graph_keeps_its_relations(data_dir):
    scene = read_takes(data_dir / "4d-or")[4][200].graph
    graph, old = anonymous(scene, np.random.default_rng(0))
    assert {(old[s], p, old[o]) for s, p, o in (r.triplet for r in graph.relations)} == {
        r.triplet for r in scene.relations
    }
    assert not {o.id for o in graph.objects} & {o.id for o in scene.objects}


def test_a_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"relationships_validation\.json does not exist"):
        clinical_figures(tmp_path)
