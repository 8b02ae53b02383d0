"""`or_spatial hazards check`: a rules file read as the hazard node reads it, and played on a recording."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from or_spatial.errors import DatasetError
from or_spatial.hazards.engine import HazardEngine
from or_spatial.scene import AlertState, HazardAlert, SceneGraph

_GRAPH = "or_spatial/msg/SceneGraph"
_NS = 1_000_000_000
_TICK_NS = _NS // 2  # as often as silence is looked at while no graph comes


def check_rules(file: Path | None, console: Console, bag: Path | None = None, topic: str = "") -> None:
    """Print the rules of a file; with a recording, also when each would have been raised and cleared on it.

    Raises:
        ConfigError: what the hazard node would refuse; all faults of the file, one per line.
        DatasetError: no recording, none with scene graphs, or not that topic; the message says what there is.
    """
    from or_spatial.hazards.rule_file import load_rules

    rules = load_rules(file)
    table = Table(box=None, pad_edge=False)
    for heading in ("rule", "kind", "severity"):
        table.add_column(heading)
    for name, rule in rules.items():
        table.add_row(name, rule.condition.kind, rule.severity.lower())
    console.print(table)
    console.print(f"{file or 'config/hazards.yaml'}: {len(rules)} rules, no mistake", markup=False)
    if bag is not None:
        play(HazardEngine(rules), bag, topic, console)


def play(engine: HazardEngine, bag: Path, topic: str, console: Console) -> None:
    """Judge the graphs of a recording one after the other and print what is raised and cleared, with its second."""
    topic = graph_topic(bag, topic)
    console.print(f"{bag}: graphs of {topic}; seconds since the first", markup=False, soft_wrap=True)
    told: Counter[str] = Counter()
    first_ns = last_ns = count = 0
    for graph in graphs_of(bag, topic):
        first_ns, last_ns, count = first_ns or graph.stamp_ns, graph.stamp_ns, count + 1
        for alert in judge(engine, graph):
            if alert.state in (AlertState.RAISED, AlertState.CLEARED):
                told[alert.state.name] += 1
                console.print(_line(alert, first_ns), markup=False, soft_wrap=True)
    seconds = (last_ns - first_ns) / _NS
    standing = ", ".join(a.id for a in engine.active()) or "none"
    summary = f"{count} graphs in {seconds:.1f} s: {told['RAISED']} raised, {told['CLEARED']} cleared"
    console.print(f"{summary}, standing at the end: {standing}", markup=False, soft_wrap=True)


def judge(engine: HazardEngine, graph: SceneGraph) -> Iterator[HazardAlert]:
    """What one graph changes, and before it what the silence since the last one did."""
    if engine.graph_ns is not None:
        for now_ns in range(engine.graph_ns + _TICK_NS, graph.stamp_ns, _TICK_NS):
            yield from engine.tick(now_ns)
    yield from engine.update(graph)


def graph_topic(bag: Path, wanted: str = "") -> str:
    """The topic to read: the wanted one, else what the nodes published, else the truth.

    Raises:
        DatasetError: the recording has no such topic, or none with scene graphs.
    """
    from or_spatial.nodes.bags import Bag

    with Bag(bag) as opened:
        found = sorted(
            (name for name, t in opened.topics.items() if t.kind == _GRAPH and t.count), key=lambda n: ("truth" in n, n)
        )
        there = ", ".join(sorted(opened.topics)) or "nothing"
    if not found:
        raise DatasetError(f"{bag} holds no scene graphs; its topics are: {there}; or_spatial demo records some")
    if wanted and wanted not in found:
        raise DatasetError(f"{bag} holds no scene graphs on {wanted!r}; --topic may be {', '.join(found)}")
    return wanted or found[0]


def graphs_of(bag: Path, topic: str) -> Iterator[SceneGraph]:
    """The graphs of one topic in order of receipt."""
    from or_spatial.commands.recordings import messages
    from or_spatial.nodes import conversions

    for _, _, _, message in messages(bag, lambda name, _: name == topic):
        yield conversions.scene_graph_from_message(message)


def _line(alert: HazardAlert, first_ns: int) -> str:
    seconds = (alert.stamp_ns - first_ns) / _NS
    return f"{seconds:8.2f}  {alert.state.name:<8}{alert.severity.name.lower():<8}{alert.id}: {alert.message}"
