"""Whatever probabilities do, an alert's life is well formed and does not flap; and the state file keeps it."""

import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.hazards.engine import HazardEngine
from or_spatial.hazards.findings import Finding
from or_spatial.hazards.lifecycle import Watch
from or_spatial.hazards.rule_file import load_rules
from or_spatial.hazards.wording import Moment, word
from or_spatial.scene import AlertState, CameraStatus, Scale, SceneGraph, SceneObject, Source
from or_spatial.scene.values import same

NS = 1_000_000_000
RULE = load_rules()["sterile_breach"]  # 1.0 s at 0.6 or more raises, 0.5 s below 0.3 clears


def live(probabilities, step_s=0.1):
    """A watch fed with one probability per step (None: not found); its transitions as (time s, alert)."""
    watch, told = Watch("sterile_breach", RULE, "person_3"), []
    for i, p in enumerate(probabilities):
        stamp_ns = round((10 + i * step_s) * NS)
        finding = None if p is None else Finding(key="person_3", probability=p, confidence=p, object_ids=("person_3",))
        match watch.see(finding, stamp_ns):
            case "raise":
                told.append((i * step_s, watch.raised(word("a_1", "r", RULE, finding, stamp_ns, Moment(stamp_ns)))))
            case "keep":
                alert = watch.kept(word("a_1", "r", RULE, finding, 0, Moment(stamp_ns)))
                told += [(i * step_s, alert)] if alert else []
            case "clear":
                told.append((i * step_s, None))
                watch.alert = watch.since_ns = watch.gone_ns = None
    return told


def changes(told):
    """Raises and clears only, as (time, "RAISED" or "CLEARED")."""
    return [
        (round(t, 1), "CLEARED" if a is None else a.state.name)
        for t, a in told
        if a is None or a.state.name == "RAISED"
    ]


@pytest.mark.parametrize(
    ("course", "probabilities", "expected"),
    [
        ("steady", [0.9] * 20, [(1.0, "RAISED")]),
        ("just below", [0.59] * 40, []),
        ("too short", [0.9] * 9 + [0.0] * 20, []),
        ("a dip of 0.2 s is forgiven", [0.9] * 5 + [0.1] * 2 + [0.9] * 10, [(1.0, "RAISED")]),
        ("a dip of 0.5 s starts it anew", [0.9] * 5 + [0.1] * 5 + [0.9] * 15, [(2.0, "RAISED")]),
        ("in between nothing changes", [0.9] * 12 + [0.45] * 50, [(1.0, "RAISED")]),
        ("gone", [0.9] * 12 + [None] * 10, [(1.0, "RAISED"), (1.7, "CLEARED")]),
        ("a gap of 0.3 s does not clear", [0.9] * 12 + [None] * 3 + [0.9] * 10, [(1.0, "RAISED")]),
        ("again", [0.9] * 12 + [0.0] * 8 + [0.9] * 12, [(1.0, "RAISED"), (1.7, "CLEARED"), (3.0, "RAISED")]),
    ],
    ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else None,
)
def test_when_an_alert_is_raised_and_cleared(course, probabilities, expected):
    assert changes(live(probabilities)) == expected


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 1.0)), max_size=120), st.sampled_from([0.04, 0.1, 0.2, 0.5]))
def test_raises_and_clears_alternate_and_keep_their_distance(probabilities, step_s):
    times = changes(live(probabilities, step_s))
    assert [what for _, what in times] == (["RAISED", "CLEARED"] * len(times))[: len(times)]
    for (t0, first), (t1, _) in zip(times, times[1:], strict=False):
        least_s = RULE.clear_after_s if first == "RAISED" else RULE.for_s
        assert t1 - t0 >= least_s - 0.051  # times are rounded to 0.1 s


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.15))
def test_noise_around_a_threshold_does_not_flap(seed, noise):
    """A person who stands where the probability is 0.6 in the mean: raised at most once in a minute."""
    rng = np.random.default_rng(seed)
    told = changes(live(np.clip(rng.normal(0.6, noise, 600), 0.0, 1.0)))
    assert len(told) <= 1


scene = st.lists(
    st.tuples(
        st.floats(0.05, 0.6),  # step, s
        st.floats(-0.3, 1.0),  # gap to the table, m
        st.sampled_from([0.05, 0.45, 0.52, 0.95, float("nan")]),
        st.sampled_from(list(CameraStatus)),
        st.sampled_from(["person_1", "person_2", ""]),
        st.booleans(),  # a tick of the clock in between
    ),
    max_size=40,
)


@given(scene)
def test_every_alert_is_raised_once_before_anything_else_and_cleared_at_most_once(steps):
    engine = HazardEngine.from_yaml()
    lives: dict[str, list[AlertState]] = defaultdict(list)
    t_s = 100.0
    for step_s, gap_m, sterile, status, who, ticks in steps:
        t_s += step_s
        told = engine.tick(round((t_s - 0.01) * NS)) if ticks else []
        told += engine.update(room(t_s, gap_m, sterile, status, who))
        for alert in told:
            lives[alert.id].append(alert.state)
            assert alert.message and "{" not in alert.message
        standing = {a.id for a in engine.active()}
        assert standing == {i for i, states in lives.items() if states[-1] != AlertState.CLEARED}
    for states in lives.values():
        assert states[0] == AlertState.RAISED
        assert states.count(AlertState.RAISED) == 1
        assert AlertState.CLEARED not in states[:-1]


def room(t_s, gap_m=0.1, sterile=0.05, status=CameraStatus.OK, who="person_1"):
    table = SceneObject(
        id="instrument_table_1",
        label="instrument_table",
        center_m=(0.0, 0.0, 0.45),
        size_m=(0.7, 1.5, 0.9),
        yaw_rad=0.0,
        covariance_m2=(1e-3, 0, 0, 0, 1e-3, 0, 0, 0, 1e-3),
        existence=0.95,
        sterile=0.9,
    )
    person = SceneObject(
        id=who,
        label="person",
        center_m=(0.6 - 0.14 + gap_m, 0.1, 0.85),  # surfaces are 0.14 m farther apart than boxes
        size_m=(0.5, 0.5, 1.7),
        yaw_rad=0.0,
        covariance_m2=(1e-3, 0, 0, 0, 1e-3, 0, 0, 0, 1e-3),
        existence=0.95,
        sterile=sterile,
    )
    return SceneGraph(
        stamp_ns=round(t_s * NS),
        scale=Scale.METRIC,
        objects=(table, person) if who else (table,),
        sources=(Source("left", "left_optical_frame", 0, status),),
    )


def with_two_alerts():
    engine = HazardEngine.from_yaml()
    for i in range(16):
        engine.update(room(10 + 0.1 * i, status=CameraStatus.DARK))
    engine.acknowledge("camera_blind_2", by="anaesthesia nurse")
    assert {a.id for a in engine.active()} == {"sterile_breach_1", "camera_blind_2"}
    return engine


def test_a_restarted_engine_still_knows_its_alerts(tmp_path):
    before, after = with_two_alerts(), HazardEngine.from_yaml()
    before.save(tmp_path / "hazards.json")
    assert after.load(tmp_path / "hazards.json").startswith("hazard state: 2 active alerts taken up from")
    assert same(after.active(), before.active())


def test_alerts_taken_up_go_on_with_their_ids_and_clear(tmp_path):
    with_two_alerts().save(tmp_path / "hazards.json")
    engine = HazardEngine.from_yaml()
    engine.load(tmp_path / "hazards.json")
    told = [a for i in range(20) for a in engine.update(room(20 + 0.1 * i))]
    assert [(a.id, a.state.name) for a in told] == [("camera_blind_2", "CLEARED")]
    told = [a for i in range(20) for a in engine.update(room(22 + 0.1 * i, who="", status=CameraStatus.LOST))]
    assert [(a.id, a.state.name) for a in told] == [("sterile_breach_1", "CLEARED"), ("camera_blind_3", "RAISED")]


@pytest.mark.parametrize(
    ("what", "text", "says"),
    [
        ("empty", "", "is damaged"),
        ("half written", '{"schema": 1, "alerts": [{"key"', "is damaged"),
        ("binary", "\x00\x01", "is damaged"),
        ("a list", "[]", "is damaged"),
        ("another schema", '{"schema": 7, "alerts": [], "number": 0}', "has schema 7, expected 1"),
        ("alerts that are none", '{"schema": 1, "number": 2, "alerts": [{"key": "x", "alert": {}}]}', "is damaged"),
        ("a wrong severity", None, "is damaged"),
    ],
)
def test_a_damaged_state_file_starts_clean_and_says_so(tmp_path, what, text, says):
    path = tmp_path / "hazards.json"
    if text is None:
        with_two_alerts().save(path)
        text = path.read_text().replace('"severity": 2', '"severity": 99')
    path.write_text(text)
    engine = HazardEngine.from_yaml()
    note = engine.load(path)
    assert says in note and note.endswith("starting clean")
    assert engine.active() == ()


def test_no_state_file_is_no_fault(tmp_path):
    assert "does not exist yet" in HazardEngine.from_yaml().load(tmp_path / "none.json")


def test_alerts_of_rules_that_are_gone_are_left_out(tmp_path):
    with_two_alerts().save(tmp_path / "hazards.json")
    rules = load_rules()
    del rules["camera_blind"]
    engine = HazardEngine(rules)
    assert "1 left out" in engine.load(tmp_path / "hazards.json")
    assert [a.rule_id for a in engine.active()] == ["sterile_breach"]


def test_saving_replaces_the_file_whole_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "state" / "hazards.json"
    engine = with_two_alerts()
    engine.save(path)
    engine.save(path)
    assert json.loads(path.read_text())["number"] == 2
    assert [p.name for p in path.parent.iterdir()] == ["hazards.json"]
