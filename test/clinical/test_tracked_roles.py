"""Roles of people whose ids last: at most one holder per role, exactly counted, and kept over absence."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.clinical.chains import Channel
from or_spatial.clinical.cues import PersonCues
from or_spatial.clinical.roles import RoleModel
from or_spatial.clinical.tracked_roles import TrackedRoles, one_to_one

ONE_PHASE = np.ones(1)
CUTS, LAYS, WATCHES = 0, 1, 2


def by_enumeration(chances):
    """Every way to give each person one column, no role twice, weighed by the product of the chances."""
    people, size = chances.shape[0], chances.shape[1] - 1
    found = np.zeros_like(chances)
    for way in itertools.product(range(size + 1), repeat=people):
        roles = [r for r in way if r < size]
        if len(set(roles)) == len(roles):
            weight = np.prod([chances[n, r] for n, r in enumerate(way)])
            for n, r in enumerate(way):
                found[n, r] += weight
    return found / found.sum(axis=1, keepdims=True)


@given(people=st.integers(1, 4), roles=st.integers(1, 3), seed=st.integers(0, 1000))
def test_the_sum_over_sets_of_roles_is_the_sum_over_all_assignments(people, roles, seed):
    chances = np.random.default_rng(seed).dirichlet(np.ones(roles + 1), size=people)
    np.testing.assert_allclose(one_to_one(chances), by_enumeration(chances), atol=1e-9)


def test_two_candidates_share_a_role_and_a_sure_one_leaves_nothing_to_the_other():
    np.testing.assert_allclose(one_to_one(np.array([[0.5, 0.5], [0.5, 0.5]]))[:, 0], [1 / 3, 1 / 3])
    sure = one_to_one(np.array([[1.0, 0.0], [0.5, 0.5]]))
    np.testing.assert_allclose(sure, [[1.0, 0.0], [0.0, 1.0]])


def test_nobody_is_read_as_nobody():
    assert one_to_one(np.zeros((0, 4))).shape == (0, 4)


@pytest.fixture
def model():
    """A surgeon cuts, a nurse lays out, others watch; all keep at it nine times out of ten."""
    table = np.array([[0.7, 0.1, 0.2], [0.1, 0.7, 0.2], [0.05, 0.05, 0.9]])[:, None]
    rates = np.full((2, 1), 0.05)
    return RoleModel(("surgeon", "nurse"), (Channel(0.9, table),), rates, rates, np.full((4, 4), 0.25), ("surgeon",))


def step(roles, **acts):
    """What is said of everybody present, by id."""
    people = tuple(PersonCues(id, (act,)) for id, act in acts.items())
    return dict(zip(acts, roles.step(people, ONE_PHASE), strict=True))


def test_a_role_stays_with_the_id_while_its_holder_is_away_or_idle(model):
    roles = TrackedRoles(model)
    for act in (CUTS, WATCHES, CUTS, WATCHES, CUTS):
        step(roles, ann=act, bob=LAYS)
    for _ in range(5):
        step(roles, bob=LAYS)
    back = step(roles, ann=WATCHES, bob=LAYS, eve=WATCHES)
    assert back["ann"].argmax() == 0 and back["bob"].argmax() == 1 and back["eve"].argmax() == 2


def test_a_role_is_not_given_twice(model):
    roles = TrackedRoles(model)
    for _ in range(3):
        said = step(roles, ann=CUTS, eve=CUTS)
    assert said["ann"][0] + said["eve"][0] <= 1.0 + 1e-9


def test_what_a_neighbour_does_is_no_evidence_that_is_kept(model):
    """Beside a rival, Ann is less likely the surgeon; once the rival has gone, she is as likely as she ever was."""
    alone, beside = TrackedRoles(model), TrackedRoles(model)
    for act in (CUTS, WATCHES, CUTS, WATCHES):
        expected = step(alone, ann=act)["ann"]
        rivalled = step(beside, ann=act, eve=act)["ann"]
    assert rivalled[0] < expected[0] - 0.1
    np.testing.assert_allclose(step(beside, ann=CUTS)["ann"], step(alone, ann=CUTS)["ann"])


def test_an_id_that_a_tracker_handed_on_is_unlearnt(model):
    roles = TrackedRoles(model)
    for _ in range(3):
        step(roles, ann=CUTS), step(roles, ann=WATCHES)
    assert step(roles, ann=WATCHES)["ann"].argmax() == 0
    for _ in range(60):
        step(roles, ann=LAYS), step(roles, ann=WATCHES)
    assert step(roles, ann=LAYS)["ann"].argmax() == 1


def test_a_day_of_visitors_does_not_fill_the_memory(model):
    roles = TrackedRoles(model)
    for n in range(500):
        step(roles, **{f"visitor_{n}": WATCHES})
    assert len(roles._known) == 64


def test_a_crowd_is_read_to_the_end(model):
    crowd = step(TrackedRoles(model), **{f"person_{n}": WATCHES for n in range(200)})
    assert len(crowd) == 200
    assert crowd["person_199"].tolist() == [0.0, 0.0, 1.0]
