"""Relations and hazards over time, truth above prediction, so that a late start or an early end can be seen.

Rows are relations between labels ("person holding drill"): truth and prediction number their objects differently, and
which of two nurses it was is not the question here. Time is seconds from the first graph.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from or_spatial.scene.alerts import AlertState, HazardAlert
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.visual.palette import SEVERITY, TRUTH, unit_rgb

Interval = tuple[float, float]
_PREDICTED = unit_rgb((0, 114, 178))
_TRUE = unit_rgb(TRUTH)


@dataclass(frozen=True)
class Row:
    """One line of a timeline: when it was true and when it was said, in seconds."""

    name: str
    truth: tuple[Interval, ...] = ()
    predicted: tuple[Interval, ...] = ()

    @property
    def length_s(self) -> float:
        """How long it was true, plus how long it was said."""
        return sum(end - start for start, end in (*self.truth, *self.predicted))


def relation_intervals(
    graphs: Sequence[SceneGraph],
    start_ns: int,
    family: Family = Family.ACTION,
    min_confidence: float = 0.4,
    skip: Iterable[str] = ("closeTo",),
) -> dict[str, tuple[Interval, ...]]:
    """When "subject predicate object" (labels) held, as intervals in seconds after `start_ns`.

    A gap of less than three graph periods does not end an interval: one missed frame is not an end.
    """
    stamps: dict[str, list[float]] = {}
    for graph in graphs:
        names = {o.id: o.label for o in graph.objects}
        held = {
            f"{names.get(r.subject_id, '?')} {r.predicate} {names.get(r.object_id, '?')}"
            for r in graph.relations
            if r.family == family and r.predicate not in skip and not r.confidence < min_confidence
        }
        for name in held:
            stamps.setdefault(name, []).append((graph.stamp_ns - start_ns) * 1e-9)
    period = median_period_s(graphs)
    return {name: join_times(times, period) for name, times in stamps.items()}


def join_times(times_s: Sequence[float], period_s: float) -> tuple[Interval, ...]:
    """Runs of times as intervals; each lasts until its last time plus one period."""
    runs: list[list[float]] = []
    for time in sorted(times_s):
        if runs and time - runs[-1][1] <= 3.0 * period_s:
            runs[-1][1] = time
        else:
            runs.append([time, time])
    return tuple((start, end + period_s) for start, end in runs)


def median_period_s(graphs: Sequence[SceneGraph]) -> float:
    """Typical time between two graphs in seconds; 0.2 when there are fewer than two."""
    steps = np.diff(sorted(g.stamp_ns for g in graphs)) * 1e-9
    steps = steps[steps > 0]
    return float(np.median(steps)) if steps.size else 0.2


def hazard_intervals(alerts: Sequence[HazardAlert], start_ns: int, end_ns: int) -> dict[str, tuple[Interval, ...]]:
    """When each hazard type was active, from the transitions: raised (or first heard of) until cleared."""
    by_id: dict[str, list[HazardAlert]] = {}
    for alert in sorted(alerts, key=lambda a: a.stamp_ns):
        by_id.setdefault(alert.id, []).append(alert)
    found: dict[str, list[Interval]] = {}
    for life in by_id.values():
        if life[0].state == AlertState.CLEARED:  # it began before anybody listened: since when is unknown
            continue
        cleared = next((a.stamp_ns for a in life if a.state == AlertState.CLEARED), end_ns)
        span = (life[0].stamp_ns - start_ns) * 1e-9, (cleared - start_ns) * 1e-9
        found.setdefault(life[0].hazard_type, []).append(span)
    return {name: tuple(spans) for name, spans in found.items()}


def rows(
    truth: dict[str, tuple[Interval, ...]], predicted: dict[str, tuple[Interval, ...]], most: int = 24
) -> list[Row]:
    """One row per name of either side, the longest `most` of them, in order of their first start."""
    every = [Row(n, truth.get(n, ()), predicted.get(n, ())) for n in {*truth, *predicted}]
    kept = sorted(every, key=lambda r: (-r.length_s, r.name))[:most]
    return sorted(kept, key=lambda r: (min(s for s, _ in (*r.truth, *r.predicted)), r.name))


def timeline_figure(
    relations: Sequence[Row],
    hazards: Sequence[Row] = (),
    duration_s: float | None = None,
    colors: dict[str, tuple[float, float, float]] | None = None,
) -> Figure:
    """Both tables of rows as a figure: hazards on top, relations below, truth dark above prediction blue."""
    ends = [end for r in (*relations, *hazards) for _, end in (*r.truth, *r.predicted)]
    duration = duration_s or max(ends, default=1.0)
    heights = [max(1, len(hazards)), max(1, len(relations))]
    figure = Figure(figsize=(11.0, 1.5 + 0.34 * sum(heights)), dpi=100, layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [h + 0.6 for h in heights]})
    _bars(top, hazards, "hazards", colors or {})
    _bars(bottom, relations, "relations", {})
    bottom.set(xlim=(0.0, duration), xlabel="time (s)")
    return figure


def draw_timeline(relations: Sequence[Row], hazards: Sequence[Row] = (), **more) -> NDArray[np.uint8]:
    """`timeline_figure` as an image (h, w, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(timeline_figure(relations, hazards, **more))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def severity_colors(alerts: Iterable[HazardAlert]) -> dict[str, tuple[float, float, float]]:
    """Colour of each hazard type: that of its most urgent alert."""
    worst: dict[str, HazardAlert] = {}
    for alert in alerts:
        if alert.hazard_type not in worst or alert.severity > worst[alert.hazard_type].severity:
            worst[alert.hazard_type] = alert
    return {name: unit_rgb(SEVERITY[a.severity]) for name, a in worst.items()}


def _bars(axes: Axes, table: Sequence[Row], title: str, colors: dict[str, tuple[float, float, float]]) -> None:
    for i, row in enumerate(table):
        truth = [(s, e - s) for s, e in row.truth]
        said = [(s, e - s) for s, e in row.predicted]
        axes.broken_barh(truth, (i - 0.40, 0.38), facecolor=_TRUE, label=None if i else "truth")
        axes.broken_barh(said, (i + 0.02, 0.38), facecolor=colors.get(row.name, _PREDICTED))
    axes.set_yticks(range(len(table)), [r.name.replace("_", " ") for r in table], fontsize=9)
    axes.set_ylim(max(len(table), 1) - 0.4, -0.6)
    axes.set_title(f"{title}: truth (dark, above), published (coloured, below)", loc="left", fontsize=10)
    axes.grid(axis="x", color="#e2e4e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    if not table:
        axes.text(0.01, 0.5, "none", transform=axes.transAxes, va="center", color="#8a8f94")
