"""Watched questions: told once, told again when the answer changes, not more often than asked."""

import pytest

from or_spatial.nodes.queries import Refusal, Status
from or_spatial.nodes.watching import WatchList
from or_spatial.scene import SceneGraph, SpatialAnswer

S = 1_000_000_000


def graph(at_s):
    return SceneGraph(stamp_ns=round(at_s * S))


def saying(words):
    return lambda question, camera: SpatialAnswer(question=question, answer=words)


def test_an_answer_is_told_when_it_changes_and_only_then():
    watched = WatchList()
    watched.start("where?", "", 0, "q", 8)
    assert [a.answer for a in watched.changed(graph(1), saying("here"))] == ["here"]
    assert watched.changed(graph(2), saying("here")) == []
    told = watched.changed(graph(3), saying("there"))
    assert [(a.question_id, a.answer) for a in told] == [("q", "there")]


def test_an_interval_holds_a_change_back_until_it_is_over():
    watched = WatchList()
    watched.start("where?", "", 2 * S, "q", 8)
    watched.changed(graph(10), saying("here"))
    assert watched.changed(graph(11.9), saying("there")) == []
    assert len(watched.changed(graph(12), saying("there"))) == 1


def test_an_abstention_for_silence_is_told_once_and_ends_with_the_next_answer():
    watched = WatchList()
    watched.start("where?", "", 0, "q", 8)
    watched.changed(graph(1), saying("here"))
    assert [a.abstained for a in watched.gone_stale(graph(1), 2.0)] == [True]
    assert watched.gone_stale(graph(1), 2.0) == []
    assert [a.answer for a in watched.changed(graph(9), saying("here"))] == ["here"]


def test_an_id_is_made_when_none_is_given_and_never_twice():
    watched = WatchList()
    assert watched.start("a", "", 0, "question_1", 8) == "question_1"
    assert watched.start("b", "", 0, "", 8) == "question_2"
    assert len(watched) == 2


def test_the_same_id_replaces_its_question_even_when_the_list_is_full():
    watched = WatchList()
    watched.start("a", "", 0, "q", 1)
    watched.start("b", "", 0, "q", 1)
    assert [a.question for a in watched.changed(graph(1), saying("x"))] == ["b"]
    with pytest.raises(
        Refusal, match="1 questions are watched already", check=lambda e: e.status == Status.INVALID_REQUEST
    ):
        watched.start("c", "", 0, "other", 1)


def test_a_question_that_is_stopped_is_told_no_more():
    watched = WatchList()
    watched.start("a", "", 0, "q", 8)
    assert watched.stop("q")
    assert not watched.stop("q")
    assert watched.changed(graph(1), saying("x")) == []


def test_a_question_that_cannot_be_answered_costs_the_others_nothing_and_says_why():
    watched = WatchList()
    watched.start("where?", "celing", 0, "wrong", 8)
    watched.start("where?", "", 0, "right", 8)

    def answer(question, camera):
        if camera:
            raise Refusal(Status.NO_DATA, f"no camera {camera!r}")
        return SpatialAnswer(question=question, answer="here")

    told = {a.question_id: a for a in watched.changed(graph(1), answer)}
    assert told["right"].answer == "here"
    assert told["wrong"].abstained and "no camera 'celing'" in told["wrong"].answer
    assert watched.changed(graph(2), answer) == []


def test_a_recording_that_starts_again_is_answered_at_once():
    watched = WatchList()
    watched.start("where?", "", 1 * S, "q", 8)
    watched.changed(graph(100), saying("here"))
    assert [a.answer for a in watched.changed(graph(1), saying("there"))] == ["there"]
