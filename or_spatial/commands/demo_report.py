"""The demo's page: what the cameras saw, the floor, what happened when, figures, answers, and what made it all."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.commands.console import command_line
from or_spatial.commands.demo_score import TOGETHER_NS, lines, paired
from or_spatial.commands.docs import dig
from or_spatial.commands.recordings import Recording, images_at
from or_spatial.evaluation.report import Picture, Report, Section, Table, number, provenance
from or_spatial.scene import AlertState, Family, HazardAlert, SceneGraph, SpatialRelation
from or_spatial.visual import overlay, timeline, topdown
from or_spatial.visual.palette import CATEGORY, FAMILY, INK, SEVERITY

FRAMES = 6
_HEADLINE = (
    ("relations.action_macro_f1", "actions, macro F1", "{:.2f}"),
    ("relations.geometric_macro_f1", "geometric relations, macro F1", "{:.2f}"),
    ("objects.center_error_median_m", "centre error, median", "{:.2f} m"),
    ("hazards.recall", "hazards noticed", "{:.0%}"),
    ("latency.graph_p95_ms", "image to graph, p95", "{:.0f} ms"),
    ("memory.pss_mb", "memory of all nodes", "{:.0f} MB"),
)


def made_with(choice: Any, heard: Recording) -> dict[str, str]:
    """Command, model, recording and machine, for the page and for metrics.json."""
    model = heard.graphs[-1].graph.model_id if heard.graphs else choice.perceiver
    bag = choice.bag.name if choice.bag.name != "demo" else "resource/demo"
    return provenance(command_line("or_spatial demo"), perceiver=choice.perceiver, model=model, recording=bag)


def write(folder: Path, choice: Any, source: Recording, heard: Recording, live: Any, figures: dict[str, Any]) -> Path:
    """Write `report.html`, `picture.png` and the annotated frames; returns the page's path."""
    shown = annotated_frames(source, heard)
    floor = floor_map(source, heard)
    (folder / "frames").mkdir(exist_ok=True)
    for name, picture in shown:
        save_rgb(folder / "frames" / f"{name}.jpg", picture.pixels)
    if (picture := title_picture(source, heard)) is not None:
        save_rgb(folder / "picture.png", picture)
    made, seconds = len(heard.graphs), figures["recording"]["seconds"]
    page = Report(
        title="or_spatial: what the nodes made of a recorded operation",
        subtitle=f"{seconds:.0f} s, {len(source.image_stamps)} cameras, {made} graphs",
        provenance=figures["made_with"],
        headline=headline(figures),
        warning=choice.notice,
    )
    page.add(Section("What the cameras saw", (_FRAME_TEXT,), [picture for _, picture in shown]))
    page.add(Section("The room from above", (_MAP_TEXT,), depth_pictures(live) + [Picture(floor)]))
    page.add(Section("What happened when", (_TIME_TEXT,), [Picture(time_picture(source, heard), wide=True)]))
    page.add(Section("Figures against the truth", (_FIGURES_TEXT,), figure_tables(figures)))
    page.add(Section("What the services said", (), [answers_table(live)]))
    page.add(Section("The nodes", (), [Picture(latency_picture(live)), nodes_table(live)]))
    return page.write(folder / "report.html")


_FRAME_TEXT = (
    "Boxes are the published 3D estimates projected through the camera: a box that does not sit on its object is an "
    "error one can see. Solid arrows are actions, dashed ones contacts; percentages are the stated confidences."
)
_MAP_TEXT = (
    "Filled: what was published. Dashed outlines: the truth. Dotted ellipses: two standard deviations of the stated "
    "doubt. Hatched: sterile furniture with a margin."
)
_TIME_TEXT = "Rows are between labels, for truth and prediction number their objects differently; closeTo is left out."
_FIGURES_TEXT = (
    "From one short recording, so single figures move by chance; `or_spatial evaluate` measures over a whole split. "
    "Geometric relations are scored as GetSceneGraph gives them on request; the published graph leaves out pairs that "
    "are far apart, and its own figures stand in metrics.json under published_relations."
)


def headline(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value, key) of the few figures that the reader came for; a missing one is a dash."""
    found = []
    for key, name, form in _HEADLINE:
        value = dig(figures, key)
        known = isinstance(value, (int, float)) and math.isfinite(value)
        found.append((name, form.format(value) if known else "–", key))
    return found


def annotated_frames(source: Recording, heard: Recording) -> list[tuple[str, Picture]]:
    """Some moments, spread over the recording and over the cameras, with the hazards among them."""
    graphs = {r.graph.stamp_ns: r.graph for r in heard.graphs}
    stamps = chosen_moments(sorted(graphs), heard.alerts, FRAMES)
    names = sorted(source.cameras)
    wanted = {name: set(stamps[i :: len(names)]) for i, name in enumerate(names)}
    pictures = images_at(source.path, wanted)
    shown = []
    for name, stamp in sorted(pictures, key=lambda k: k[1]):
        camera, pose = source.cameras[name]
        time_s = (stamp - source.start_ns) * 1e-9
        active = active_at(heard.alerts, stamp)
        style = overlay.OverlayStyle(caption=f"{name}, {time_s:.1f} s, {graphs[stamp].model_id}")
        drawn = overlay.draw_graph(pictures[name, stamp], graphs[stamp], camera, pose, active, name, style)
        shown.append((f"{name}_{time_s:05.1f}s", Picture(drawn, f"{name} at {time_s:.1f} s", photo=True)))
    return shown


def chosen_moments(stamps: Sequence[int], alerts: Sequence[HazardAlert], most: int) -> list[int]:
    """Stamps to show: those nearest after each hazard's raise, then evenly spread ones, in order."""
    if len(stamps) <= most:
        return list(stamps)
    raised = [a.stamp_ns for a in alerts if a.state == AlertState.RAISED]
    chosen = {min(stamps, key=lambda s: abs(s - at)) for at in raised[: most // 2]}
    for i in np.linspace(0, len(stamps) - 1, most + 2)[1:-1].round().astype(int):
        if len(chosen) < most:
            chosen.add(stamps[i])
    return sorted(chosen)


def active_at(alerts: Sequence[HazardAlert], stamp_ns: int) -> list[HazardAlert]:
    """The newest state of each alert that is active at a moment."""
    newest: dict[str, HazardAlert] = {}
    for alert in sorted(alerts, key=lambda a: a.stamp_ns):
        if alert.stamp_ns <= stamp_ns:
            newest[alert.id] = alert
    return [a for a in newest.values() if a.state != AlertState.CLEARED]


def floor_map(source: Recording, heard: Recording) -> NDArray[np.uint8]:
    """The moment with the most to see, from above, with the truth dashed."""
    pairs = paired(source.truth, [r.graph for r in heard.graphs])
    cameras = {name: (camera, pose) for name, (camera, pose) in source.cameras.items() if pose is not None}
    if not pairs:
        graph = heard.graphs[-1].graph if heard.graphs else SceneGraph(stamp_ns=0)
        return topdown.draw_map(graph, cameras)
    truth, graph = max(
        pairs[len(pairs) // 3 :], key=lambda p: (len(active_at(heard.alerts, p[1].stamp_ns)), len(p[1].objects))
    )
    time_s = (graph.stamp_ns - source.start_ns) * 1e-9
    active = active_at(heard.alerts, graph.stamp_ns)
    return topdown.draw_map(graph, cameras, active, truth=truth, title=f"{time_s:.1f} s")


def time_picture(source: Recording, heard: Recording) -> NDArray[np.uint8]:
    """Relations and hazards over time, truth above what was published."""
    start, end = source.start_ns, source.end_ns
    played = [r.graph for r in heard.graphs]
    last = max((g.stamp_ns for g in played), default=end) + TOGETHER_NS
    truth = [t for t in source.truth if t.stamp_ns <= last]
    relations = timeline.rows(timeline.relation_intervals(truth, start), timeline.relation_intervals(played, start))
    scripted = truth_hazards([(s, a) for s, a in source.truth_alerts if s <= last], start)
    said = timeline.hazard_intervals([a for a in heard.alerts if a.stamp_ns <= last], start, last)
    hazards = timeline.rows(scripted, said)
    colors = timeline.severity_colors(heard.alerts)
    return timeline.draw_timeline(relations, hazards, duration_s=(last - start) * 1e-9, colors=colors)


def truth_hazards(active: Sequence[tuple[int, Sequence[HazardAlert]]], start_ns: int) -> dict[str, tuple]:
    """When each hazard of the script was true, from the repeated active sets."""
    times: dict[str, list[float]] = {}
    for stamp, alerts in active:
        for name in {a.hazard_type for a in alerts}:
            times.setdefault(name, []).append((stamp - start_ns) * 1e-9)
    steps = np.diff([stamp for stamp, _ in active]) * 1e-9
    period = float(np.median(steps)) if len(steps) else 0.2
    return {name: timeline.join_times(some, period) for name, some in times.items()}


def depth_pictures(live: Any) -> list[Picture]:
    """The depth image that was fetched on demand, where the perceiver makes one."""
    if live.depth is None:
        return []
    from or_spatial.visual.depth import depth_picture

    name, depth_m = live.depth
    return [Picture(depth_picture(depth_m), f"depth of {name} as published, metres along its optical axis")]


def figure_tables(figures: dict[str, Any]) -> list[Table]:
    """The headline figures, then relations and objects one by one."""
    tables = [Table(("what", "#value", "key"), lines(figures))]
    for family in ("actions", "geometric"):
        rows = [
            (s["name"], f"{s['precision']:.2f}", f"{s['recall']:.2f}", f"{s['f1']:.2f}", str(s["support"]))
            for s in figures["relations"][family]
            if s["support"] or s["f1"]
        ]
        tables.append(Table((family, "#precision", "#recall", "#F1", "#in the truth"), rows))
    rows = [
        (o["label"].replace("_", " "), number(o["recall"]), number(o["precision"]), number(o["center_error_median_m"]))
        for o in figures["objects"]["by_label"]
    ]
    by_rule = [
        (h["rule_id"].replace("_", " "), str(h["true"]), number(h["recall"]), number(h["delay_p50_s"]), str(h["false"]))
        for h in figures["hazards"]["by_rule"]
    ]
    tables.append(Table(("hazard", "#in the truth", "#noticed", "#after, s", "#false"), by_rule))
    tables.append(Table(("object", "#found", "#of those said, true", "#centre error, m"), rows))
    return tables


def answers_table(live: Any) -> Table:
    """Each service, what it was asked and what it said."""
    rows = [(e.service, e.asked, e.status, e.answer, f"{e.took_ms:.0f}") for e in live.exchanges]
    return Table(("service", "asked", "status", "answer", "#ms"), rows)


def nodes_table(live: Any) -> Table:
    """Memory of each node and how often it had to be started again."""
    rows = [(name, f"{mb:.0f}", str(live.restarts.get(name, 0))) for name, mb in live.pss_mb.items()]
    rows.append(("all", f"{sum(live.pss_mb.values()):.0f}", str(sum(live.restarts.values()))))
    return Table(("node", "#PSS, MB", "#restarts"), rows, f"ready {live.ready_s:.1f} s after the start")


def latency_picture(live: Any) -> NDArray[np.uint8]:
    """Histogram of image published to graph received."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    times_ms = 1e3 * np.asarray(live.latencies_s)
    axes.hist(times_ms, bins=24, color="#0072b2")
    for q, style in ((50, "-"), (95, "--")):
        if times_ms.size:
            at = float(np.percentile(times_ms, q))
            axes.axvline(at, color="#d55e00", linestyle=style, label=f"p{q} = {at:.0f} ms")
            axes.legend(frameon=False)
    axes.set(xlabel="image published to graph received (ms)", ylabel="graphs", xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def title_picture(source: Recording, heard: Recording) -> NDArray[np.uint8] | None:
    """One frame for the README: the moment with a hazard, else with most actions, from the camera that sees most."""
    graphs = {r.graph.stamp_ns: r.graph for r in heard.graphs}
    if not graphs:
        return None
    telling = {s: (bool(active_at(heard.alerts, s)), len(acts(g)), len(g.objects)) for s, g in graphs.items()}
    stamp = max(telling, key=telling.__getitem__)
    pictures = images_at(source.path, {name: {stamp} for name in source.cameras})
    if not pictures:
        return None
    name, _ = max(pictures, key=lambda key: sum(b.camera == key[0] for o in graphs[stamp].objects for b in o.boxes))
    camera, pose = source.cameras[name]
    active = active_at(heard.alerts, stamp)
    style = overlay.OverlayStyle(width_px=960, text_scale=1.25, max_relations=6)
    return overlay.draw_graph(pictures[name, stamp], graphs[stamp], camera, pose, active, name, style)


def acts(graph: SceneGraph) -> list[SpatialRelation]:
    """The actions of a graph that say more than closeTo."""
    return [r for r in graph.relations if r.family == Family.ACTION and r.predicate != "closeTo"]


def save_rgb(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image; a PNG gets a palette of 256 colours, so that it is small enough for a repository."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    if path.suffix != ".png":
        picture.save(path, quality=88)
        return
    # Our own few colours would drown among those of the photo, and yellow come out as orange.
    ours = [*CATEGORY.values(), *SEVERITY.values(), *FAMILY.values(), INK]
    photo = picture.quantize(256 - len(ours), method=Image.Quantize.MEDIANCUT).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(photo or [])[: 3 * (256 - len(ours))], *(channel for rgb in ours for channel in rgb)])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
