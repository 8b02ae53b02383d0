"""Stretches of phases, on orders of letters worked out by hand."""

import pytest

from or_spatial.evaluation.metrics.segments import Segment, boundary_errors, segmental_f1, segments


def test_stretches_hold_both_their_ends():
    assert segments("aabbb") == [Segment("a", 0, 1), Segment("b", 2, 4)]


@pytest.mark.parametrize(
    ("said", "f1"),
    [
        pytest.param("aaaabbbb", 1.0, id="right"),
        pytest.param("aabbbbbb", 1.0, id="half of a, two thirds of b: still 50 %"),
        pytest.param("abbbbbbb", 0.5, id="a quarter of a is too little"),
        pytest.param("aababbbb", 4 / 6, id="flicker makes two stretches too many"),
        pytest.param("bbbbaaaa", 0.0, id="exchanged"),
    ],
)
def test_f1_at_50_asks_for_half_of_each_stretch_and_for_no_other(said, f1):
    assert segmental_f1("aaaabbbb", said) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("said", "errors"),
    [
        pytest.param("aaabbbccc", {"b": 0, "c": 0}, id="right"),
        pytest.param("abbbbbccc", {"b": 2, "c": 0}, id="too early"),
        pytest.param("aaaaabbbc", {"b": 2, "c": 2}, id="too late"),
        pytest.param("aaabbbcbc", {"b": 0, "c": 2}, id="back again: the worse of both"),
        pytest.param("aaaccbccc", {"b": 0, "c": 3}, id="a later phase is one's boundary too"),
        pytest.param("aaaaaaaaa", {"b": 6, "c": 3}, id="never noticed: to the end"),
        pytest.param(["a", "a", "a", "", "b", "b", "c", "c", "c"], {"b": 1, "c": 0}, id="an abstention is not yet b"),
    ],
)
def test_a_boundary_is_judged_by_its_worse_side(said, errors):
    assert boundary_errors("aaabbbccc", said, "abc") == errors
