"""What things of two kinds bear out of what their boxes say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.errors import ConfigError
from or_spatial.scene import load_vocabulary
from or_spatial.scene.relation_trust import RelationTrust, TrustGroup, as_yaml, features, load_trust

NAMES = load_vocabulary().geometric
LEFT, ABOVE, BELOW, ON, INSIDE, NEAR, TOUCHING = (
    NAMES.index(n) for n in ("left_of", "above", "below", "on", "inside", "near", "touching")
)
AS_IT_IS = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])


def group(predicates=("near", "touching"), shifts=(), symmetric=True, labels=("person", "lamp")):
    return TrustGroup(predicates, symmetric, AS_IT_IS, np.zeros(2), dict(shifts), frozenset(labels))


def table(n=2, **p):
    """(n, n, 10) with the same probabilities for every pair."""
    out = np.zeros((n, n, len(NAMES)))
    for name, value in p.items():
        out[..., NAMES.index(name)] = value
    return out


def test_without_shifts_and_with_plain_weights_geometry_is_left_as_it_is():
    given_ = table(near=0.3, touching=0.6, left_of=0.7)
    found = RelationTrust([group()]).believed(given_, ["person", "lamp"])
    assert found[0, 1] == pytest.approx(given_[0, 1], abs=1e-9)


def test_a_shift_moves_a_pair_of_labels_whatever_their_order_and_no_other():
    trust = RelationTrust([group(shifts={("lamp", "person"): np.array([0.0, -3.0])}, labels=("person", "lamp", "saw"))])
    found = trust.believed(table(3, near=0.2, touching=0.7), ["person", "lamp", "saw"])
    assert found[0, 1, TOUCHING] == found[1, 0, TOUCHING] < 0.15
    assert found[0, 2, TOUCHING] == pytest.approx(0.7)


def test_the_order_of_labels_counts_where_a_relation_has_a_direction():
    ordered = group(("on", "above"), {("person", "lamp"): np.array([2.0, 0.0])}, symmetric=False)
    found = RelationTrust([ordered]).believed(table(on=0.3, above=0.3), ["person", "lamp"])
    assert found[0, 1, ON] > 0.6 and found[1, 0, ON] == pytest.approx(0.3)


def test_below_is_what_the_other_is_on_or_above():
    ordered = group(("on", "above"), {("person", "lamp"): np.array([2.0, -1.0])}, symmetric=False)
    found = RelationTrust([ordered]).believed(table(on=0.3, above=0.3, below=0.6), ["person", "lamp"])
    assert found[1, 0, BELOW] == pytest.approx(found[0, 1, ON] + found[0, 1, ABOVE])


def test_of_unknown_labels_and_unknown_numbers_nothing_is_made():
    trust = RelationTrust([group(shifts={("lamp", "person"): np.array([0.0, -3.0])})])
    strange = trust.believed(table(near=0.2, touching=0.7), ["person", "juggler"])
    assert strange[0, 1, TOUCHING] == 0.7
    unknown = table(near=0.2, touching=0.7)
    unknown[0, 1] = np.nan
    found = trust.believed(unknown, ["person", "lamp"])
    assert np.isnan(found[0, 1]).all() and np.isfinite(found[1, 0, TOUCHING])


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2), st.integers(0, 10_000))
def test_what_excludes_each_other_stays_so(parts, seed):
    labels = sorted(load_trust().groups[0].labels)
    a, b = np.random.default_rng(seed).choice(labels, 2, replace=False)
    near, touching = parts[0], parts[1] * (1.0 - parts[0])
    found = load_trust().believed(table(near=near, touching=touching, on=near, above=touching), [str(a), str(b)])[0, 1]
    assert np.isfinite(found).all() and (found >= 0.0).all() and (found <= 1.0).all()
    assert found[NEAR] + found[TOUCHING] <= 1.0 + 1e-9 and found[ON] + found[ABOVE] <= 1.0 + 1e-9


def test_shipped_numbers_say_what_boxes_cannot():
    trust = load_trust()
    sure = table(touching=1.0, inside=1.0)
    assert trust.believed(sure, ["person", "lamp"])[0, 1, TOUCHING] < 0.5  # the lamp's arm, not the lamp, fills its box
    assert trust.believed(sure, ["person", "operating_table"])[0, 1, INSIDE] < 0.1
    lying = trust.believed(table(on=0.4, above=0.2), ["drill", "instrument_table"])[0, 1, ON]
    assert lying > 0.7  # tools do not hover over their table
    assert set(trust.groups[0].labels) <= set(load_vocabulary().objects)


def test_far_apart_stays_far_apart():
    labels = sorted(load_trust().groups[0].labels)
    found = load_trust().believed(table(len(labels)), labels)
    assert np.percentile(found[..., [NEAR, TOUCHING, ON, INSIDE]], 99) < 0.05


def test_features_are_logarithms_of_all_classes_and_never_infinite():
    assert features(np.array([0.2, 0.3])) == pytest.approx(np.log([0.2, 0.3, 0.5]))
    assert np.isfinite(features(np.array([1.0, 0.0]))).all()


def test_a_file_reads_as_it_was_written(tmp_path):
    path = tmp_path / "trust.yaml"
    shifts = {("lamp", "person"): np.array([0.5, -3.0]), ("lamp", "lamp"): np.array([0.01, 0.0])}
    path.write_text(as_yaml([group(("on", "above"), shifts)], "a test"))
    (read,) = load_trust(path).groups
    assert read.predicates == ("on", "above") and read.labels == {"person", "lamp"}  # `on` is no boolean
    assert read.shift("person", "lamp").tolist() == [0.5, -3.0]
    assert read.shift("lamp", "lamp").tolist() == [0.0, 0.0]  # too small to tell


@pytest.mark.parametrize("text", ["groups: 3", "labels: [a]\ngroups: [{predicates: [near]}]", "a: [", "labels: []"])
def test_a_damaged_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.yaml: labels, and groups .* expected"):
        load_trust(path)
