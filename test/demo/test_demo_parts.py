import json
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_room import START_NS, truth_at, write_bag

from or_spatial.commands import demo, demo_report, demo_score
from or_spatial.commands.demo import Choice, DemoOptions, choose, fresh_folder
from or_spatial.commands.demo_run import Live, parameters
from or_spatial.commands.live import parse_assignments
from or_spatial.commands.recordings import Received, Recording, read_recording
from or_spatial.errors import BundleError, ConfigError, DatasetError
from or_spatial.scene import AlertState, HazardAlert

SECOND = 1_000_000_000


def alert(name, at_s, state=AlertState.RAISED):
    stamp = START_NS + round(at_s * SECOND)
    return HazardAlert(id=name, rule_id="sterile_breach", hazard_type="sterile_breach", stamp_ns=stamp, state=state)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not made by a demo"):
        fresh_folder(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_an_older_demo_is_replaced(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "metrics.json").write_text("{}")
    assert [f.name for f in fresh_folder(tmp_path).iterdir()] == ["logs"]


def test_without_a_shipped_bundle_the_baseline_stands_in_and_says_so(monkeypatch, tmp_path, tiny_bag):
    def none_is_shipped():
        raise BundleError("none")

    monkeypatch.setattr("or_spatial.inference.bundle.shipped_bundle", none_is_shipped)
    choice = choose(DemoOptions(bag=tiny_bag))
    assert choice.perceiver == "rules" and "READS THE TRUTH" in choice.notice


def test_a_damaged_bundle_is_an_error_and_never_replaced_by_the_baseline(tmp_path, tiny_bag):
    manifest = {"schema": 1, "name": "x", "version": "1", "files": {"perceive.onnx": "00"}, "image_height": 256}
    manifest |= {"image_width": 448, "vocabulary": "or_world", "labels": [], "actions": []}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "perceive.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match=r"perceive\.onnx is damaged"):
        choose(DemoOptions(bag=tiny_bag, bundle=tmp_path))


def test_the_baseline_needs_the_truth_in_the_bag(tmp_path):
    bag = write_bag(tmp_path / "real", 0.4, truth=False)
    with pytest.raises(DatasetError, match="/truth/scene_graph"):
        demo.run_demo(DemoOptions(bag=bag, perceiver="rules", out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_nodes_are_told_the_recordings_cameras_and_transport(tiny_bag):
    found = parameters(choose(DemoOptions(bag=tiny_bag, perceiver="rules")), read_recording(tiny_bag))
    assert found["perception_node"] == {"cameras": ["camera_1"], "transport": "compressed", "perceiver": "rules"}


def test_graphs_meet_the_truth_of_their_own_moment_only():
    truth = [truth_at(t) for t in (0.0, 0.2, 0.4)]
    late = replace(truth[1], stamp_ns=truth[1].stamp_ns + 50_000_000)
    assert demo_score.paired(truth, [truth[2], late]) == [(truth[2], truth[2])]
    assert demo_score.paired([], truth) == []


def test_an_alert_from_before_the_first_graph_is_not_counted_as_false():
    """The hazard node rightly says that no graph comes while the recording has not begun; its clock is the wall's."""
    graphs = [Received(truth_at(t / 5), 0) for t in range(20)]
    source = Recording(Path("a"), image_stamps={"c": [START_NS, START_NS + 4 * SECOND]}, truth_alerts=[(START_NS, ())])
    waiting = [alert("w", 1e6), alert("w", 0.0, AlertState.CLEARED)]
    heard = Recording(Path("b"), graphs=graphs, alerts=waiting)
    assert demo_score.score_hazards(source, heard)["false"] == 0
    heard.alerts += [alert("x", 2.0)]
    assert demo_score.score_hazards(source, heard)["false"] == 1


def test_alerts_are_not_judged_where_nobody_wrote_down_what_was_dangerous():
    source = Recording(Path("a"), image_stamps={"c": [START_NS, START_NS + 4 * SECOND]})
    figures = demo_score.score_hazards(source, Recording(Path("b"), alerts=[alert("x", 2.0)]))
    assert figures["alerts_without_truth"] == {"sterile_breach": 1} and figures["judged"] == []
    assert (figures["false"], figures["recall"], figures["false_per_10min"]) == (0, None, None)


@pytest.mark.parametrize(("every_frame", "missed"), [(False, 1), (True, 0)])
def test_silence_is_not_judged_of_a_recording_that_waits_for_graphs(every_frame, missed):
    """Frames that are handed over one by one leave no silence to notice."""
    silent = alert("s", 2.0)
    silent = replace(silent, rule_id="stale_graph", hazard_type="stale_graph")
    source = Recording(Path("a"), image_stamps={"c": [START_NS, START_NS + 4 * SECOND]})
    source.truth_alerts = [(START_NS, ()), (silent.stamp_ns, (silent,))]
    figures = demo_score.score_hazards(source, Recording(Path("b")), every_frame)
    assert figures["true"] == missed and ("stale_graph" in figures["judged"]) == bool(missed)


def test_moments_with_hazards_are_shown_first():
    stamps = [START_NS + i * SECOND for i in range(100)]
    chosen = demo_report.chosen_moments(stamps, [alert("x", 41.2)], 6)
    assert len(chosen) == 6 and stamps[41] in chosen and chosen == sorted(chosen)
    assert demo_report.chosen_moments(stamps[:4], [], 6) == stamps[:4]


def test_an_alert_is_active_from_its_raise_to_its_clearing():
    life = [alert("x", 1.0), alert("x", 2.0, AlertState.ACKNOWLEDGED), alert("x", 3.0, AlertState.CLEARED)]
    states = [
        [a.state for a in demo_report.active_at(life, START_NS + round(t * SECOND))] for t in (0.5, 1.5, 2.5, 3.5)
    ]
    assert states == [[], [AlertState.RAISED], [AlertState.ACKNOWLEDGED], []]


def test_assignments_are_yaml_and_short_names_are_understood():
    given = ["perception.cameras=[ceiling, wall]", "perception_node.threads=2", "query.stale_after_s=1.5"]
    assert parse_assignments(given) == {
        "perception_node": {"cameras": ["ceiling", "wall"], "threads": 2},
        "query_node": {"stale_after_s": 1.5},
    }


def test_figures_that_are_unknown_are_left_out_of_the_summary():
    figures = {"relations": {"action_macro_f1": 0.41}, "hazards": {"recall": float("nan")}}
    assert demo_score.lines(figures) == [
        ("actions (who does what to whom), macro F1", "0.41", "relations.action_macro_f1")
    ]
    assert ("hazards noticed", "–", "hazards.recall") in demo_report.headline(figures)


def test_a_recording_without_truth_still_gets_its_report(tmp_path):
    source = read_recording(write_bag(tmp_path / "real", 1.0, truth=False))
    graphs = [Received(truth_at(t / 5), 0) for t in range(5)]
    heard = Recording(Path("heard"), graphs=graphs, alerts=[alert("x", 0.4)])
    live = Live(played=5, graphs=5, latencies_s=[0.1, 0.2], pss_mb={"perception_node": 90.0}, end_ns=source.end_ns)
    figures = demo_score.score(source, heard, live)
    figures["made_with"] = {}
    page = demo_report.write(tmp_path, Choice(source.path, "model", None), source, heard, live, figures)
    assert figures["latency"]["graph_p50_ms"] == 150.0 and figures["hazards"]["alerts_without_truth"]
    assert "–" in page.read_text() and len(list((tmp_path / "frames").iterdir())) == 5


def test_nothing_heard_is_a_report_too(tmp_path, tiny_bag):
    source, heard, live = read_recording(tiny_bag), Recording(Path("heard")), Live(played=20)
    figures = demo_score.score(source, heard, live)
    figures["made_with"] = {}
    demo_report.write(tmp_path, Choice(source.path, "model", None), source, heard, live, figures)
    assert figures["transport"]["delivered"] == 0.0 and not (tmp_path / "picture.png").exists()
