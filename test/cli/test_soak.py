"""A simulated day: memory is sampled after a garbage collection, growth is told, all that remembers takes part."""

import json

import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.commands.soak import Day, SoakPlan, growth, soak
from or_spatial.errors import ConfigError


def test_growth_is_that_of_the_largest_sample_over_the_first():
    assert growth([100.0, 104.0, 98.0]) == pytest.approx(0.04)
    assert growth([100.0, 90.0]) == pytest.approx(0.0)


def test_a_day_is_sampled_every_hour_and_a_short_one_four_times():
    assert SoakPlan().sample_every == 3600 and SoakPlan().moments == 43200
    assert SoakPlan(hours=0.5, rate_hz=2.0).sample_every == 900
    with pytest.raises(ConfigError, match=r"--hours 0\.0005 at --rate 1 makes 1 graphs; at least 4"):
        SoakPlan(hours=0.0005)


def test_a_day_feeds_every_part_that_remembers(tmp_path):
    day = Day(SoakPlan(hours=0.01, people=2, history_graphs=10), tmp_path)
    for second in range(1, 16):
        day.live(float(second))
    assert len(day.history) == 10 + 1  # the first graph is the first that is kept for the day
    assert day.counts["graphs"] == 15 and day.counts["ids"] >= 7  # one of the two is away at first
    assert day.counts["answers"] >= 2
    assert day.engine.graph_ns == day.history.newest.stamp_ns
    assert day.history.newest.relations


def test_whoever_comes_back_after_minutes_is_somebody_new(tmp_path):
    day = Day(SoakPlan(hours=1.0, people=1), tmp_path)
    people = {}
    for second in (1197, 1198, 1199, *range(1210, 1500, 20), *range(1501, 1511)):
        day.live(float(second))
        people[second] = [o.id for o in day.history.newest.objects if o.label == "person"]
    assert (people[1199], people[1490]) == (["person_1"], [])
    assert len(people[1510]) == 1 and people[1510] != ["person_1"]


def test_the_command_writes_every_sample(tmp_path):
    path = tmp_path / "soak.json"
    result = CliRunner().invoke(app, ["benchmark", "soak", "--hours", "0.004", "--json", str(path)])
    assert result.exit_code == 0, result.output
    found = json.loads(path.read_text())
    assert len(found["samples"]) == 4 and found["soak"]["graphs"] == 14
    assert found["samples"][0]["rss_mb"] > 10 and found["made_with"]["rate_hz"] == 1.0
    assert "soak.rss_growth" in result.output


def test_a_leak_shows_in_the_number_of_objects(monkeypatch):
    kept = []
    live = Day.live
    monkeypatch.setattr(Day, "live", lambda day, t: (live(day, t), kept.extend([[k] for k in range(20000)])))
    assert soak(SoakPlan(hours=0.002, people=1))["soak"]["objects_growth"] > 0.05
