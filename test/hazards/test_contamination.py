"""Who counts as sterile after a touch: carried on, told with its chain, over when gowned anew, never in circles."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from or_spatial.hazards.contamination import Ledger
from or_spatial.hazards.engine import HazardEngine
from or_spatial.hazards.rule_file import load_rules
from or_spatial.hazards.schema import Contamination, Group
from or_spatial.scene import Scale, SceneGraph, SceneObject

NS = 1_000_000_000
RULE = Contamination(
    kind="contamination",
    subject=Group(labels=("person", "instrument_table"), sterile="yes"),
    object=(Group(labels=("person",), sterile="no", unknown_counts=True),),
    inset_m=0.0,
    touch_s=0.5,
    left_after_s=20.0,
)


def someone(id, x, sterile, y=0.0, label="person", sigma_m=0.02):
    """A box half a metre wide: two whose places are 0.5 m apart touch."""
    spread = (sigma_m**2, 0, 0, 0, sigma_m**2, 0, 0, 0, sigma_m**2)
    return SceneObject(
        id=id,
        label=label,
        center_m=(x, y, 0.85),
        size_m=(0.5, 0.5, 1.7),
        yaw_rad=0.0,
        covariance_m2=spread,
        velocity_m_s=(0.0, 0.0, 0.0),
        existence=0.97,
        sterile=sterile,
    )


def graph(t_s, *objects):
    return SceneGraph(stamp_ns=round(t_s * NS), scale=Scale.METRIC, objects=objects)


def watch(ledger, start_s, seconds, *objects):
    """The same scene for a while, ten graphs a second; returns the time after it."""
    for i in range(round(seconds * 10)):
        ledger.follow(graph(start_s + 0.1 * i, *objects))
    return start_s + seconds


@pytest.fixture
def ledger():
    return Ledger(RULE)


@pytest.mark.parametrize(
    ("who", "gap_m", "sterile", "for_s", "contaminated"),
    [
        ("someone unscrubbed who leans on her", -0.1, 0.03, 1.0, True),
        ("for a moment only", -0.1, 0.03, 0.4, False),
        ("beside her without touching", 0.1, 0.03, 9.0, False),
        ("scrubbed", -0.1, 0.97, 9.0, False),
    ],
)
def test_whose_touch_contaminates_a_scrubbed_nurse(ledger, who, gap_m, sterile, for_s, contaminated):
    watch(ledger, 10.0, for_s, someone("nurse", 0.0, 0.95), someone("visitor", 0.5 + gap_m, sterile))
    assert (set(ledger.stains) == {"nurse"}) == contaminated, who


def test_the_touch_of_somebody_whose_attire_is_unknown_is_unconfirmed_and_goes_no_further(ledger):
    scene = (someone("nurse", 0.0, 0.95), someone("visitor", 0.4, math.nan), someone("surgeon", -0.4, 0.95))
    watch(ledger, 10.0, 3.0, *scene)
    assert not ledger.stains["nurse"].sure and "surgeon" not in ledger.stains
    watch(ledger, 13.0, 3.0, scene[0], someone("visitor", 0.4, 0.03), scene[2])
    assert ledger.stains["nurse"].sure and "surgeon" in ledger.stains


def test_contamination_is_carried_on_by_who_was_touched_and_its_chain_is_told(ledger):
    nurse, table = someone("nurse", 0.0, 0.95), someone("table", -2.0, 0.95, label="instrument_table")
    t = watch(ledger, 10.0, 1.0, nurse, someone("visitor", 0.4, 0.03), table)
    t = watch(ledger, t, 1.0, replace(nurse, center_m=(-1.6, 0.0, 0.85)), table)
    watch(ledger, t, 1.0, table, someone("surgeon", -2.4, 0.95))
    assert ledger.stains["surgeon"].story == "visitor > nurse > table > surgeon"
    found = {f.key: f for f in ledger.findings()}
    assert found["surgeon"].object_ids == ("surgeon", "table")
    assert [r.triplet for r in found["nurse"].evidence] == [("visitor", "touching", "nurse")]
    assert found["nurse"].evidence[0].since_ns == 10_500_000_000


def test_contamination_lasts_when_the_two_have_parted_and_ends_with_a_fresh_gown(ledger):
    t = watch(ledger, 10.0, 1.0, someone("nurse", 0.0, 0.95), someone("visitor", 0.4, 0.03))
    t = watch(ledger, t, 30.0, someone("nurse", 0.0, 0.95))
    assert "nurse" in ledger.stains
    t = watch(ledger, t, 3.0, someone("nurse", 0.0, 0.10))  # a doubtful look is no fresh gown
    t = watch(ledger, t, 3.0, someone("nurse", 0.0, 0.90))
    assert "nurse" in ledger.stains
    t = watch(ledger, t, 5.2, someone("nurse", 0.0, 0.10))
    watch(ledger, t, 1.0, someone("nurse", 0.0, 0.90))
    assert ledger.stains == {}


def test_who_has_left_is_forgotten_and_who_is_hidden_is_not(ledger):
    t = watch(ledger, 10.0, 1.0, someone("nurse", 0.0, 0.95), someone("visitor", 0.4, 0.03))
    t = watch(ledger, t, 19.0)
    assert "nurse" in ledger.stains
    watch(ledger, t, 2.0)
    assert ledger.stains == {}


def test_a_new_id_in_the_same_place_takes_the_contamination_over(ledger):
    t = watch(ledger, 10.0, 1.0, someone("person_2", 0.0, 0.95), someone("visitor", 0.4, 0.03))
    t = watch(ledger, t, 1.0, someone("visitor", 2.4, 0.03))
    watch(ledger, t, 0.3, someone("person_9", 0.3, 0.95), someone("person_7", 3.0, 0.95))
    assert {id: s.story for id, s in ledger.stains.items()} == {"person_9": "visitor > person_9"}


def test_an_old_acquaintance_in_that_place_takes_nothing_over(ledger):
    both = someone("person_2", 0.0, 0.95), someone("person_5", 0.9, 0.95)
    t = watch(ledger, 10.0, 1.0, *both, someone("visitor", -0.4, 0.03))
    watch(ledger, t, 1.0, replace(both[1], center_m=(0.1, 0.0, 0.85)))
    assert set(ledger.stains) == {"person_2"}


def test_two_who_contaminate_each_other_in_turn_make_no_circle(ledger):
    """Each is gowned anew and touched by the other again, six times: chains stay short and the story finite."""
    t = watch(ledger, 10.0, 1.0, someone("a", 0.0, 0.95), someone("visitor", 0.4, 0.03))
    for _ in range(6):
        for bare, other in (("b", "a"), ("a", "b")):
            t = watch(ledger, t, 5.2, someone(bare, 3.0, 0.05), someone(other, 0.0, 0.95))
            t = watch(ledger, t, 1.0, someone(bare, 0.4, 0.95), someone(other, 0.0, 0.95))
    assert set(ledger.stains) == {"a", "b"}
    for stain in ledger.stains.values():
        assert stain.chain[0] == "visitor" and len(stain.chain) <= 8


people = st.lists(
    st.tuples(st.sampled_from("abcd"), st.floats(0.0, 1.2), st.sampled_from([0.02, 0.97, 0.97, math.nan])),
    max_size=4,
    unique_by=lambda p: p[0],
)


@settings(max_examples=20)
@given(st.lists(people, max_size=6))
def test_whatever_happens_chains_begin_unsterile_and_end_with_their_bearer(scenes):
    ledger, t = Ledger(RULE), 10.0
    for scene in scenes:
        for _ in range(7):
            ledger.follow(graph(t, *(someone(id, x, sterile) for id, x, sterile in scene)))
            t += 0.1
        for id, stain in ledger.stains.items():
            assert stain.chain[-1] == id and 2 <= len(stain.chain) <= 8
            assert 0.0 <= stain.probability <= stain.contact <= 1.0


# -- in the engine: the shipped rules ---------------------------------------------------------------------------------

TABLE = replace(someone("instrument_table_1", 3.0, 0.95, label="instrument_table"), size_m=(0.7, 1.5, 0.9))
NURSE, VISITOR = someone("person_2", 0.0, 0.95), someone("person_5", 0.2, 0.03)


def play(engine, start_s, seconds, *objects):
    told = []
    for i in range(round(seconds * 10)):
        told += engine.update(graph(start_s + 0.1 * i, *objects))
    return told


def contaminated_engine():
    engine = HazardEngine.from_yaml()
    (alert,) = play(engine, 10.0, 1.5, NURSE, VISITOR, TABLE)
    assert alert.rule_id == "contamination"
    return engine, alert


def test_a_contamination_is_told_in_one_sentence_with_its_evidence():
    _, alert = contaminated_engine()
    assert alert.message == (
        "person_2 counts as contaminated (confirmed), by touch: person_5 > person_2; "
        "not sterile until gowned or draped anew"
    )
    assert [r.triplet for r in alert.evidence] == [("person_5", "touching", "person_2")]
    assert 0.8 <= alert.confidence <= 0.94 * 0.97  # both attires; surfaces that overlap so far touch almost certainly


def test_a_scrubbed_nurse_who_was_touched_breaches_the_sterile_table():
    engine, _ = contaminated_engine()
    at_table = replace(NURSE, center_m=(3.0 - 0.35 - 0.1 + 0.14 - 0.25, 0.0, 0.85))  # surfaces are 0.14 m inside boxes
    told = play(engine, 11.5, 2.0, at_table, TABLE)
    breach = next(a for a in told if a.rule_id == "sterile_breach")
    assert "touched: person_5 > person_2), is 0.10 m from the sterile instrument_table_1" in breach.message


def test_a_restarted_engine_still_knows_who_is_contaminated(tmp_path):
    engine, alert = contaminated_engine()
    engine.save(tmp_path / "hazards.json")
    again = HazardEngine.from_yaml()
    assert again.load(tmp_path / "hazards.json").endswith("hazards.json; 1 count as contaminated")
    assert [a.id for a in again.active()] == [alert.id]
    assert play(again, 13.0, 2.0, NURSE) == []
    cleared = play(again, 15.0, 7.0, replace(NURSE, sterile=0.05))
    assert [(a.id, a.state.name) for a in cleared] == [(alert.id, "CLEARED")]


def test_contamination_of_long_ago_outlives_a_restart_when_it_was_saved_lately(tmp_path):
    engine, _ = contaminated_engine()
    for t in (60.0, 110.0, 160.0):
        engine.update(graph(t, NURSE))
    assert engine.contaminated == ("person_2",)
    engine.save(tmp_path / "hazards.json")
    again = HazardEngine.from_yaml()
    again.load(tmp_path / "hazards.json")
    again.update(graph(164.0, NURSE))
    assert again.contaminated == ("person_2",)
    again.update(graph(300.0, NURSE))  # another day, perhaps another person_2: ids say nothing any more
    assert again.contaminated == ()


def test_a_state_file_of_before_contamination_is_taken_up(tmp_path):
    engine, alert = contaminated_engine()
    path = tmp_path / "hazards.json"
    engine.save(path)
    old = json.loads(path.read_text())
    del old["contamination"]
    path.write_text(json.dumps(old))
    again = HazardEngine.from_yaml()
    assert again.load(path).endswith("hazards.json")
    assert [a.id for a in again.active()] == [alert.id]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a chain of one", {"chain": ["person_2"]}),
        ("no place", {"place": [1.0, 2.0]}),
        ("a key too many", {"colour": "red"}),
        ("no row", None),
    ],
)
def test_damaged_contamination_starts_clean_and_says_so(tmp_path, what, change):
    engine, _ = contaminated_engine()
    path = tmp_path / "hazards.json"
    engine.save(path)
    data = json.loads(path.read_text())
    row = data["contamination"]["contamination"]["person_2"]
    data["contamination"]["contamination"]["person_2"] = None if change is None else row | change
    path.write_text(json.dumps(data))
    again = HazardEngine.from_yaml()
    note = again.load(path)
    assert "is damaged" in note and note.endswith("starting clean"), what
    assert again.active() == ()


def test_time_that_runs_back_forgets_contamination():
    engine, _ = contaminated_engine()
    assert [a.state.name for a in play(engine, 2.0, 3.0, NURSE)] == ["CLEARED"]


def test_rules_without_contamination_leave_graphs_as_they_are():
    rules = {i: r for i, r in load_rules().items() if i == "sterile_breach"}
    engine = HazardEngine(rules)
    assert play(engine, 10.0, 3.0, NURSE, VISITOR, TABLE) == []


def test_who_leans_on_a_table_is_told_for_as_long_as_he_leans_though_it_counts_as_contaminated():
    engine = HazardEngine.from_yaml()
    table = someone("t", 0.0, 0.98, label="instrument_table")
    leaning, away = [someone("p", 0.3, 0.02), table], [someone("p", 2.0, 0.02), table]
    for k in range(30):
        engine.update(SceneGraph(stamp_ns=(10 + k) * NS // 5, scale=Scale.METRIC, objects=tuple(leaning)))
    assert {a.rule_id for a in engine.active()} == {"sterile_breach", "contamination"}
    for k in range(30, 36):
        engine.update(SceneGraph(stamp_ns=(10 + k) * NS // 5, scale=Scale.METRIC, objects=tuple(away)))
    assert {a.rule_id for a in engine.active()} == {"contamination"}


def test_somebody_unscrubbed_contaminates_whatever_little_is_suspected_of_their_own_gown(ledger):
    """A faint suspicion that they were touched themselves must not hide that they were never scrubbed."""
    unscrubbed = someone("visitor", 0.4, 0.40)
    watch(ledger, 10.0, 1.0, unscrubbed, someone("table", 0.0, 0.95, label="instrument_table"))
    suspected = Ledger(RULE)
    suspected.stains["visitor"] = replace(ledger.stains["table"], label="person", probability=0.3)
    watch(suspected, 10.0, 1.0, unscrubbed, someone("table", 0.0, 0.95, label="instrument_table"))
    assert suspected.stains["table"].probability == pytest.approx(ledger.stains["table"].probability)


def test_what_a_later_run_has_left_behind_is_forgotten_on_an_older_clock(ledger):
    watch(ledger, 1_000_000.0, 1.0, someone("nurse", 0.0, 0.95), someone("visitor", 0.4, 0.03))
    ledger.follow(graph(10.0))
    assert ledger.stains == {}


def test_after_a_trackers_restart_contamination_stays_where_it_was_and_not_with_the_id():
    engine, _ = contaminated_engine()
    elsewhere = replace(NURSE, id="person_2", center_m=(5.0, 5.0, 0.85))
    same_place = replace(NURSE, id="person_9")
    engine.update(replace(graph(11.6, NURSE, TABLE), sequence=7))
    engine.update(replace(graph(14.0, elsewhere, same_place, TABLE), sequence=1))
    assert engine.contaminated == ("person_9",)
