"""Hazards that are only played when asked for by name, and their truth from geometry."""

import numpy as np
import pytest

from or_spatial.world.hazard_truth import contaminated, fallen, too_close, touching
from or_spatial.world.hazards_on_demand import BY_NAME, NEAR_MISSES, SCRIPTS, draw_hazards
from or_spatial.world.simulation import Simulation
from or_spatial.world.truth import oriented_box

TIMES = np.arange(0.0, 20.0, 0.5)


def test_chance_never_draws_what_is_played_by_name():
    rng = np.random.default_rng(1)
    drawn = {name for _ in range(300) for name in draw_hazards(rng)}
    assert drawn == {*SCRIPTS, *NEAR_MISSES}
    assert not drawn & set(BY_NAME)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_dropped_instrument_lies_on_the_floor_for_a_while(seed):
    clip = Simulation("train", seed, hazards=("dropped_instrument",))
    times = [t for t in TIMES if fallen(clip, t)]
    assert 5.0 <= times[-1] - times[0] <= 9.5 and times == list(np.arange(times[0], times[-1] + 0.1, 0.5))
    (tool,) = fallen(clip, times[0])
    before, during = (clip.state(t) for t in (times[0] - 1.0, times[0] + 1.0))
    box = oriented_box(during.entity(tool))
    assert box.bottom == pytest.approx(0.0, abs=0.03) and box.center[2] < 0.25
    assert oriented_box(before.entity(tool)).center[2] > 0.6
    assert during.entity(tool).sterile == 0.0 and tool not in during.lying


def test_a_touch_on_demand_contaminates_the_scrub_nurse():
    clip = Simulation("train", 2, hazards=("contaminating_touch",))
    (nurse,) = (m.id for m in clip.script.cast.values() if m.role == "nurse")
    found = contaminated(clip, TIMES)
    assert nurse in found
    unsterile = [m.id for m in clip.script.cast.values() if not m.sterile]
    assert touching(clip, found[nurse], [nurse], unsterile)
    assert not touching(clip, found[nurse] - 1.0, [nurse], unsterile)


def test_without_being_asked_nobody_touches_the_sterile():
    clip = Simulation("train", 2, hazards=())
    assert contaminated(clip, TIMES[::4]) == {}
    assert not any(fallen(clip, t) for t in TIMES)


def test_nearness_without_patience_begins_before_the_breach():
    clip = Simulation("train", 2, hazards=("sterile_breach",))
    times = [t for t in TIMES if too_close(clip, float(t))]
    assert times and all(len(pair) == 2 for t in times for pair in too_close(clip, float(t)))
