"""`or_spatial benchmark`: one forward pass, the tracker or the whole suite timed, or a simulated day watched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from or_spatial.commands.console import err
from or_spatial.commands.learning import pss_mb, show_figures, write_json


@dataclass(frozen=True)
class BenchmarkOptions:
    """What was asked for; a number that is None is left to what is timed, and each takes the options that it knows."""

    bundle: Path | None
    runs: int
    threads: int
    cameras: int | None
    size: str
    rate_hz: float | None
    seconds: float | None
    hours: float
    json: Path | None

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these numbers that were asked for, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def run_benchmark(what: str, options: BenchmarkOptions) -> None:
    """Time `perceive`, `live`, `tracking` or `soak`, and show the figures; keys are those of the project's limits."""
    _RUNNERS[what](options)


def _perceive(options: BenchmarkOptions) -> None:
    """The perceive graph of a bundle on the CPU."""
    from or_spatial.evaluation.latency import perceive_latency
    from or_spatial.inference.bundle import Bundle

    loaded = Bundle.load(options.bundle)
    with err.status(f"{options.runs} passes on {options.threads} threads"):
        found = perceive_latency(loaded, runs=options.runs, threads=options.threads)
    size = f"{loaded.image_width}x{loaded.image_height}"
    figures = {
        "latency": {"perceive_p50_ms": round(found.p50_ms, 2), "perceive_p95_ms": round(found.p95_ms, 2)},
        "memory": {"pss_mb": round(pss_mb(), 1)},
        "made_with": {"model": loaded.model_id, "size": size, "threads": options.threads, "runs": options.runs},
    }
    show_figures(figures)
    write_json(figures, options.json)


def _live(options: BenchmarkOptions) -> None:
    from or_spatial.commands.load import Load, benchmark_live, parse_size

    width, height = parse_size(options.size)
    load = Load(width=width, height=height, **options.given("cameras", "rate_hz", "seconds"))
    figures = benchmark_live(load, options.bundle)
    show_figures(figures)
    write_json(figures, options.json)


def _tracking(options: BenchmarkOptions) -> None:
    from or_spatial.commands.tracking_load import run_tracking_benchmark
    from or_spatial.evaluation.tracking_latency import TrackingLoad

    run_tracking_benchmark(TrackingLoad(**options.given("cameras", "rate_hz", "seconds")), options.json)


def _soak(options: BenchmarkOptions) -> None:
    from or_spatial.commands.soak import SoakPlan, run_soak

    run_soak(SoakPlan(hours=options.hours, **options.given("cameras", "rate_hz")), options.json)


_RUNNERS = {"perceive": _perceive, "live": _live, "tracking": _tracking, "soak": _soak}
