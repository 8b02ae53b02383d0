"""Starts nodes of the table as separate processes, brings back those that die, and ends them cleanly. No rclpy here.

    with Suite(LIVE, transport=Transport(domain=42, loopback=True)) as suite:
        ...                                   # nodes run; suite.pids, suite.restarts
    run(SIMULATION)                           # the same in the foreground until Ctrl-C

Parameters come from `config/or_spatial.yaml`, then from `parameter_files` in order, then from `parameters`; all of it
is checked before anything starts.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from or_spatial.nodes.launching import effective_parameters
from or_spatial.nodes.names import check_namespace
from or_spatial.nodes.parameter_table import PARAMETERS
from or_spatial.nodes.parameters import belongs_to_ros
from or_spatial.nodes.table import LIVE, NodeEntry, entry
from or_spatial.nodes.transport import Transport

_REFUSED = 2  # exit code of a node that refuses its parameters (nodes/base.py)
_POLL_S = 0.1
_PATIENCE_S = 10.0  # between SIGINT and SIGKILL; ros2 launch waits as long
_LAST_WORDS_S = 0.5  # for a node that hangs to write where its threads stand
_CALM_S = 60.0  # a node that has run this long starts again at once


@dataclass
class _Running:
    """One node's process and its history of deaths."""

    entry: NodeEntry
    command: list[str]
    environment: dict[str, str]
    log: IO[bytes] | None
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_again_s: float | None = None
    deaths: int = 0


@dataclass
class Suite:
    """A set of nodes, each in a process of its own.

    Args:
        nodes: names of the table, `perception` or `perception_node`.
        parameters: node -> {parameter: value}; the key "" means every node (such as `use_sim_time`).
        parameter_files: ROS parameter files, later ones win.
        defaults: node -> {parameter: value}, which parameter files beat.
        remappings: (from, to) pairs for every node.
        log_folder: one `<node>.log` per node goes here; None leaves the output on the terminal.
        restart: bring back nodes that die, after 0.5 s, then ever later up to 10 s.
        say: called with one line for each event worth telling.

    Raises:
        ConfigError: an unknown node, or a parameter that its node would refuse.
    """

    nodes: Iterable[str] = LIVE
    transport: Transport = field(default_factory=Transport)
    namespace: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parameter_files: Iterable[str | Path] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remappings: Iterable[tuple[str, str]] = ()
    log_folder: Path | None = None
    restart: bool = True
    say: Callable[[str], None] = print

    def __post_init__(self) -> None:
        check_namespace(self.namespace)
        self._entries = [entry(name) for name in self.nodes]
        for name in self.parameters:
            if name:
                entry(name)
        self._values = {e.name: self._values_of(e) for e in self._entries}
        self._running: dict[str, _Running] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._stopping = threading.Event()
        self._monitor: threading.Thread | None = None
        self.restarts: Counter[str] = Counter()
        self.failed: dict[str, int] = {}

    def start(self) -> "Suite":
        """Start every node; returns at once, before they are ready."""
        self._folder = tempfile.TemporaryDirectory(prefix="or_spatial_run_")
        if self.log_folder is not None:
            Path(self.log_folder).mkdir(parents=True, exist_ok=True)
        for node in self._entries:
            self._running[node.name] = self._prepared(node)
            self._launch(self._running[node.name])
        self._monitor = threading.Thread(target=self._watch, name="suite-monitor", daemon=True)
        self._monitor.start()
        return self

    def stop(self) -> None:
        """SIGINT to all, SIGKILL to who does not listen (its log then tells where it stood); safe to call twice."""
        self._stopping.set()
        if self._monitor is not None:
            self._monitor.join()
        living = [r for r in self._running.values() if r.process is not None and r.process.poll() is None]
        for running in living:
            running.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _PATIENCE_S
        for running in living:
            self._end(running, deadline)
        for running in self._running.values():
            if running.log is not None:
                running.log.close()
        self._running.clear()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the nodes that run now."""
        living = {name: r.process for name, r in self._running.items() if r.process is not None}
        return {name: process.pid for name, process in living.items() if process.poll() is None}

    @property
    def alive(self) -> bool:
        """Whether every node runs, or is about to be started again."""
        return not self.failed

    def __enter__(self) -> "Suite":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _values_of(self, node: NodeEntry) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, values in self.parameters.items():
            if not name:
                known = {spec.name for spec in PARAMETERS[node.name]}
                given |= {k: v for k, v in values.items() if k in known or belongs_to_ros(k)}
            elif entry(name).name == node.name:
                given |= values
        defaults = self.defaults.get(node.name)
        return effective_parameters(node, self.parameter_files, given, defaults, self.namespace)

    def _end(self, running: _Running, deadline_s: float) -> None:
        try:
            running.process.wait(max(0.1, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            running.process.send_signal(signal.SIGUSR1)  # nodes/base.py
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(_LAST_WORDS_S)
            running.process.kill()
            running.process.wait()
            name = running.entry.name
            self.say(f"{name} did not end within {_PATIENCE_S:g} s and was killed{self._see_log(name)}")

    def _prepared(self, node: NodeEntry) -> _Running:
        assert self._folder is not None
        file = Path(self._folder.name) / f"{node.name}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": self._values[node.name]}}))
        command = [sys.executable, "-m", node.module, "--ros-args", "--params-file", str(file)]
        if space := (self.namespace or node.namespace):
            command += ["-r", f"__ns:=/{space.strip('/')}"]
        for source, target in (*node.remappings, *self.remappings):
            command += ["-r", f"{source}:={target}"]
        environment = os.environ | self.transport.environment(publishes_images=node.publishes_images)
        environment["OR_SPATIAL_RUNNER"] = str(os.getpid())
        log = None
        if self.log_folder is not None:
            environment["ROS_LOG_DIR"] = str(self.log_folder)
            log = open(Path(self.log_folder) / f"{node.name}.log", "ab")  # noqa: SIM115 (closed by stop)
        return _Running(node, command, environment, log)

    def _launch(self, running: _Running) -> None:
        running.start_again_s, running.started_s = None, time.monotonic()
        running.process = subprocess.Popen(
            running.command,
            env=running.environment,
            stdin=subprocess.DEVNULL,
            stdout=running.log,
            stderr=subprocess.STDOUT if running.log else None,
            start_new_session=True,  # Ctrl-C comes to us first, and we end the nodes in order
        )

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_S):
            for running in self._running.values():
                if running.entry.name not in self.failed:
                    self._look_after(running)

    def _look_after(self, running: _Running) -> None:
        name, now = running.entry.name, time.monotonic()
        if running.start_again_s is not None:
            if now >= running.start_again_s:
                self.restarts[name] += 1
                self._launch(running)
            return
        code = running.process.poll() if running.process else None
        if code is None:
            return
        if code == _REFUSED or not self.restart:
            self.failed[name] = code
            self.say(f"{name} ended with code {code}{self._see_log(name)}")
            return
        running.deaths = 1 if now - running.started_s > _CALM_S else running.deaths + 1
        delay_s = min(0.5 * 2 ** (running.deaths - 1), 10.0)
        running.start_again_s = now + delay_s
        self.say(f"{name} died ({_cause(code)}); starting it again in {delay_s:g} s{self._see_log(name)}")

    def _see_log(self, name: str) -> str:
        return f"; see {Path(self.log_folder) / f'{name}.log'}" if self.log_folder is not None else ""


def run(nodes: Iterable[str] = LIVE, **options: Any) -> int:
    """Run nodes in the foreground until SIGINT or SIGTERM, or until all have ended; exit code for the shell.

    Options are those of `Suite`.
    """
    suite = Suite(nodes, **options)
    ended = threading.Event()
    previous = {s: signal.signal(s, lambda *_: ended.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suite:
            while not ended.wait(_POLL_S):
                if len(suite.failed) == len(suite._entries):
                    break
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return max(suite.failed.values(), default=0)


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
