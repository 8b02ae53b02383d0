"""The room that is cheap to look at is as it says, and the tracker under it is timed update by update."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.errors import ConfigError
from or_spatial.evaluation.moving_room import MovingRoom
from or_spatial.evaluation.tracking_latency import TrackingLoad, tracking_latency
from or_spatial.geometry.transforms import apply


def test_the_same_seed_and_time_give_the_same_detections():
    (frames, seen, stamp), (again, same, _) = (MovingRoom(cameras=2, seed=3).look(7.5) for _ in range(2))
    assert stamp == 1_007_500_000_000
    for a, b in zip(seen, same, strict=True):
        assert [d.label for d in a.detections] == [d.label for d in b.detections]
        np.testing.assert_array_equal([d.center_m for d in a.detections], [d.center_m for d in b.detections])
    assert (frames[0].image == again[0].image).all()


def test_detections_are_where_things_are_but_for_the_noise_and_few_are_missed():
    room = MovingRoom(cameras=6, people=6)
    told, off = 0, []
    for k in range(20):
        frames, seen, _ = room.look(0.7 * k)
        people = np.array([room.place(p, 0.7 * k) for p in range(6)])
        for frame, perception in zip(frames, seen, strict=True):
            told += len(perception.detections)
            for d in (d for d in perception.detections if d.label == "person"):
                at = apply(frame.room_from_camera, d.center_m)
                off.append(np.linalg.norm(people - at, axis=1).min() / np.sqrt(d.covariance_m2[0, 0]))
    assert 0.85 < told / (20 * 6 * 12) <= 0.97
    assert 1.2 < np.median(off) < 1.7  # of a three-dimensional normal 1.54


def test_people_stay_and_walk_at_the_pace_of_staff():
    room = MovingRoom()
    steps = np.diff([room.place(0, t) for t in np.arange(0.0, 300.0, 0.1)], axis=0)
    speed = np.linalg.norm(steps, axis=1) / 0.1
    assert (speed < 0.01).mean() > 0.5
    assert speed.max() < 1.1


def test_a_room_without_a_camera_is_refused():
    with pytest.raises(ConfigError, match="needs cameras, got --cameras 0"):
        MovingRoom(cameras=0)


@pytest.fixture(scope="module")
def figures():
    return tracking_latency(TrackingLoad(cameras=2, rate_hz=10.0, seconds=0.5, people=2))


def test_both_ways_are_timed_and_the_percentiles_are_in_order(figures):
    together, apart = figures["tracking"], figures["tracking"]["one_by_one"]
    assert (together["updates"], apart["updates"]) == (5, 10)
    for found in (together, apart):
        assert 0.0 < found["update_p50_ms"] <= found["update_p95_ms"] <= found["update_p99_ms"]
        assert found["cpu_p99_ms"] <= 1.2 * found["update_p99_ms"]
        assert found["share_of_core"] > 0.0


def test_the_figures_say_what_load_it_was(figures):
    assert figures["made_with"]["objects"] == 8
    assert figures["made_with"]["picture"] == "640x360"


def test_the_command_writes_the_figures(tmp_path):
    path = tmp_path / "speed.json"
    options = ["--cameras", "1", "--rate", "2", "--seconds", "2", "--json", str(path)]
    result = CliRunner().invoke(app, ["benchmark", "tracking", *options])
    assert result.exit_code == 0, result.output
    assert json.loads(path.read_text())["made_with"]["cameras"] == 1
    assert "tracking.update_p99_ms" in result.output
