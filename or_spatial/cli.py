"""The `or_spatial` command: names, options and help. What a command does lives in `or_spatial/commands/`.

Every heavy import is inside the command that needs it, so that `--help` and `doctor` answer at once.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from or_spatial.commands.console import PlainErrors, err, one_thread_for_blas, out

app = typer.Typer(
    name="or_spatial",
    cls=PlainErrors,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ordinary RGB cameras of an operating room in, a live metric 3D scene graph out.\n\n"
    "An awareness aid for research, not a medical device.\n\n"
    "Begin with [bold]or_spatial demo[/]; if something is missing, [bold]or_spatial doctor[/] says what.",
)
hazards_app = typer.Typer(no_args_is_help=True, cls=PlainErrors, help="Look at hazard rules.")
app.add_typer(hazards_app, name="hazards")
clinical_app = typer.Typer(no_args_is_help=True, cls=PlainErrors, help="Fit and score what reads roles and phases.")
app.add_typer(clinical_app, name="clinical")


class PerceiverChoice(str, Enum):
    """Who looks at the images."""

    MODEL = "model"
    RULES = "rules"


class IcpChoice(str, Enum):
    """Who moves point clouds onto each other."""

    NONE = "none"
    NUMPY = "numpy"
    OPEN3D = "open3d"


class BenchmarkChoice(str, Enum):
    """What is timed."""

    PERCEIVE = "perceive"
    LIVE = "live"
    TRACKING = "tracking"
    SOAK = "soak"


def _version(wanted: bool) -> None:
    if wanted:
        from or_spatial import __version__

        out.print(f"or_spatial {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Shared options; the commands do the work."""


@app.command()
def demo(
    out_folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where the results go; replaced.")] = Path(
        "demo_output"
    ),
    bag: Annotated[Path | None, typer.Option(help="Another recording than resource/demo.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Another model bundle than the shipped one.")] = None,
    perceiver: Annotated[
        PerceiverChoice, typer.Option(help="`rules` is the labelled baseline that reads the truth.")
    ] = PerceiverChoice.MODEL,
    rate: Annotated[float, typer.Option(min=0.1, max=5.0, help="Replay speed; 1 is real time.")] = 1.0,
    seconds: Annotated[float | None, typer.Option(min=1.0, help="Replay only the first seconds.")] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Also write room.rrd for the Rerun viewer.")] = False,
) -> None:
    """Real nodes, a recorded operation, and a report with figures against the truth; about a minute, no GPU.

    Examples:
      or_spatial demo
      or_spatial demo --perceiver rules --out demo_rules
      or_spatial demo --bag room/ --out demo_room
    """
    one_thread_for_blas()
    from or_spatial.commands.demo import DemoOptions, run_demo

    options = DemoOptions(
        out=out_folder, bag=bag, bundle=bundle, perceiver=perceiver.value, rate=rate, seconds=seconds, rerun=rerun
    )
    raise typer.Exit(run_demo(options))


@app.command()
def run(
    nodes: Annotated[list[str] | None, typer.Argument(help="Nodes to start; none means all but the simulator.")] = None,
    simulation: Annotated[bool, typer.Option("--simulation", help="The synthetic room as cameras, too.")] = False,
    parameters: Annotated[list[Path] | None, typer.Option(help="ROS parameter file; later ones win.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="node.parameter=value")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of all topics and services.")] = "",
    domain: Annotated[int | None, typer.Option(min=0, max=101, help="DDS domain; else ROS_DOMAIN_ID.")] = None,
    loopback: Annotated[bool, typer.Option("--loopback", help="Keep all DDS traffic on this machine.")] = False,
    log_folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="One log file per node instead of the terminal.")
    ] = None,
) -> None:
    """Start the nodes, each in its own process, until Ctrl-C; a node that dies is started again.

    Examples:
      or_spatial run
      or_spatial run --simulation
      or_spatial run perception hazard -p perception.cameras="\\[ceiling, wall]" -p perception.transport=compressed
    """
    one_thread_for_blas()
    from or_spatial.commands.live import run_nodes

    code = run_nodes(nodes, simulation, parameters or [], param or [], namespace, domain, loopback, log_folder)
    raise typer.Exit(code)


@app.command()
def replay(
    bag: Annotated[Path, typer.Argument(help="A rosbag2 folder (MCAP or SQLite).")],
    rate: Annotated[float, typer.Option(min=0.01, max=100.0, help="Speed; 1 is real time.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Start the nodes too and compare with the truth.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="With --evaluate: the figures as JSON.")
    ] = None,
    domain: Annotated[int | None, typer.Option(min=0, max=101, help="DDS domain; else ROS_DOMAIN_ID.")] = None,
    loopback: Annotated[bool, typer.Option("--loopback", help="Keep all DDS traffic on this machine.")] = False,
) -> None:
    """Publish a recording with its original stamps; with --evaluate, hand it to the nodes and score them.

    Examples:
      or_spatial replay room/
      or_spatial replay room/ --evaluate --json room.json
    """
    one_thread_for_blas()
    from or_spatial.commands.live import replay_bag, score_bag

    if evaluate:
        score_bag(bag, json_file)
    else:
        replay_bag(bag, rate, loop, domain, loopback)


@app.command()
def world(
    out_folder: Annotated[
        Path | None, typer.Option("--out", file_okay=False, help="Folder of the new bag; must not exist.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, val or test: their rooms never meet. test@2 is test in version 2 of the world.")
    ] = "test",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pixels.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.2, help="Length of the recording.")] = 20.0,
    rate: Annotated[float, typer.Option(min=0.1, max=30.0, help="Frames per second of each camera.")] = 5.0,
    cameras: Annotated[int, typer.Option(min=1, max=4, help="How many cameras.")] = 2,
    width: Annotated[int, typer.Option(min=64, max=1920, help="Image width, px.")] = 640,
    height: Annotated[int, typer.Option(min=36, max=1080, help="Image height, px.")] = 360,
    contact_sheet: Annotated[Path | None, typer.Option(dir_okay=False, help="A picture of many rooms, as PNG.")] = None,
    counterfactual: Annotated[
        Path | None, typer.Option(help="Folder for pairs of pictures that differ in one spatial fact.")
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Print the difficulty gates of the split.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Publish as camera topics instead of recording.")] = False,
) -> None:
    """The synthetic operating room: record a bag, draw a contact sheet, audit its difficulty, or run it live.

    Examples:
      or_spatial world --split test --seed 7 --seconds 20 --rate 5 --cameras 2 --out room/
      or_spatial world --contact-sheet rooms.png
      or_spatial world --split val --seed 0 --counterfactual pairs/
      or_spatial world --audit
    """
    from or_spatial.commands.simulate import WorldOptions, run_world

    options = WorldOptions(split, seed, seconds, rate, cameras, width, height)
    raise typer.Exit(run_world(options, out_folder, contact_sheet, audit, live, counterfactual))


@app.command()
def calibrate(
    bag: Annotated[Path, typer.Argument(help="A recording with image_raw and camera_info of two cameras or more.")],
    out_file: Annotated[Path, typer.Option("--out", help="The cameras file to write; must not exist.")] = Path(
        "cameras.yaml"
    ),
    fix: Annotated[
        list[str] | None, typer.Option("--fix", help="Cameras whose pose is right; none means the first with a pose.")
    ] = None,
    cameras_file: Annotated[
        Path | None, typer.Option(help="Poses as in config/cameras.yaml; they win over <camera>/pose in the bag.")
    ] = None,
    free_tilt: Annotated[
        bool, typer.Option("--free-tilt", help="Estimate tilts too; else those of given poses are kept to a degree.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, max=60.0, help="Seconds between looks.")] = 1.0,
    worst_m: Annotated[float, typer.Option(min=0.0, help="Refuse a place less sure than this, one sigma.")] = 0.25,
    worst_deg: Annotated[float, typer.Option(min=0.0, help="The same for where a camera looks.")] = 6.0,
    icp: Annotated[IcpChoice, typer.Option(help="Refine on depth: `open3d` needs Open3D installed.")] = IcpChoice.NUMPY,
    perceiver: Annotated[
        PerceiverChoice, typer.Option(help="`rules` is the labelled baseline that reads the truth.")
    ] = PerceiverChoice.MODEL,
    bundle: Annotated[Path | None, typer.Option(help="Another model bundle than the shipped one.")] = None,
) -> None:
    """Estimate where cameras stand from a recording: what several see at once must lie in one place.

    Record one to three minutes of ordinary work in which people walk through what the cameras share. One camera must
    have a pose (measured by hand, from TF or a file): the room is where it says. Depth topics of a sensor
    (<camera>/depth/image, aligned with the pictures) sharpen the result by ICP. Each pose is printed with its doubt;
    where too little is shared, nothing is written.

    Examples:
      or_spatial calibrate room/ --out cameras.yaml
      or_spatial calibrate room/ --cameras-file measured.yaml --fix ceiling --free-tilt
      or_spatial run -p perception.extrinsics=file -p perception.cameras_file=cameras.yaml
    """
    one_thread_for_blas()
    from or_spatial.commands.calibrate import CalibrateOptions
    from or_spatial.commands.calibrate import calibrate as run_calibrate

    options = CalibrateOptions(
        bag=bag,
        out=out_file,
        fix=tuple(fix or ()),
        cameras_file=cameras_file,
        bundle=bundle,
        perceiver=perceiver.value,
        every_s=every,
        icp=icp.value,
        keep_tilt=not free_tilt,
        worst_m=worst_m,
        worst_deg=worst_deg,
    )
    run_calibrate(options, out)


@app.command()
def train(
    config: Annotated[Path | None, typer.Option(help="The recipe; none means config/training/tiny.yaml.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Stop after this time, with a checkpoint.")] = None,
    runs: Annotated[Path, typer.Option(file_okay=False, help="Folder of the checkpoints.")] = Path("runs"),
) -> None:
    """Train by a recipe, on the synthetic world or on folders of 4D-OR or MM-OR: CPU or GPU, resumable.

    A recipe (YAML) names the data (`data.dataset`, `data.root`), where to start (`backbones.depth`: a Depth Anything
    V2, `backbones.vision`: a SigLIP 2 or DINOv3, both in the hub's format; or `warm_start`: a checkpoint, a bundle
    or `shipped`) and the steps.
    A missing or damaged file of a data set is named; `data.on_damage` says whether to stop there.
    Every key: docs/backbones.md.

    Examples:
      or_spatial train --config config/training/tiny.yaml
      or_spatial train --config config/training/tiny.yaml --resume --minutes 30
      or_spatial train --config config/training/room.yaml
      torchrun --standalone --nproc-per-node 4 -m or_spatial.cli train --config config/training/tiny.yaml
    """
    from or_spatial.commands.learning import run_train

    run_train(config, resume, minutes, runs)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint folder, such as runs/tiny/last.")],
    out_folder: Annotated[Path, typer.Argument(help="Folder of the new bundle.")],
    val: Annotated[
        Path, typer.Option(help="Packed validation frames that thresholds are fitted on; train renders them.")
    ] = Path("cache/val"),
    weights: Annotated[str, typer.Option(help="fp16, or int8 with scales: half the file.")] = "fp16",
    version: Annotated[str, typer.Option(help="What the bundle calls itself, before its hash.")] = "1",
    mean_with: Annotated[
        Path | None, typer.Option(help="Another checkpoint of this run's line: their mean is exported.")
    ] = None,
    share: Annotated[float, typer.Option(help="How much of the mean is that other one's.", min=0.0, max=1.0)] = 0.5,
) -> None:
    """Turn a checkpoint into a bundle (ONNX graphs, manifest with hashes); torch and ONNX must agree within 1e-3.

    Thresholds are fitted on frames of the world in the model's own words; a model of a real data set keeps defaults.

    Example:
      or_spatial export runs/tiny/last bundles/tiny
      or_spatial export runs/onward/last bundles/onward --weights int8 --mean-with runs/before/last --share 0.35
    """
    from or_spatial.commands.learning import run_export

    run_export(checkpoint, out_folder, val, weights, version, mean_with, share)


@app.command()
def evaluate(
    split: Annotated[str | None, typer.Option(help="A split of the synthetic world: val or test.")] = None,
    bag: Annotated[Path | None, typer.Option(help="A recording with truth topics.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Real annotations, with --data: 4d-or or mvor.")] = None,
    data: Annotated[Path | None, typer.Option("--data", "--root", help="Folder of the annotation files.")] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="One part: hazards, tracking, cameras, calibration, counterfactual, robustness, domain, ablation."
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="How many single frames of the split (400; robustness, ablation: 200; domain: 300)."),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=0, help="How many clips for hazards, tracking or cameras (20); 0 leaves them out.")
    ] = None,
    scenes: Annotated[
        int | None, typer.Option(min=1, help="How many scenes for calibration (1000); about a second each on one core.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes that render (2).")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Another model bundle than the shipped one.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the figures as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for an HTML report.")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the figures of a split in the bundle's manifest and model card.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="ablation: the recipe of its runs; else config/training/ablation.yaml.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="ablation: folder of its runs (runs/); finished ones are taken, begun ones go on."),
    ] = None,
) -> None:
    """Score a model against exact truth: relations, places, depth, hazards.

    --task ablation asks what the fusion of depth is worth: it trains the model, its RGB-only twin and one that is told
    the true depth, three seeds each, and lets the first read wrong depth too. The shipped recipe takes about two hours
    on two free cores with bf16 (twice that without); stop it when you like, the same command goes on.
    --task domain draws every frame a second time by path tracing, for which it needs Mitsuba (pip install mitsuba).

    Examples:
      or_spatial evaluate --split test --json figures.json --report evaluation/
      or_spatial evaluate --bag room/ --json room.json
      or_spatial evaluate --task hazards --clips 3 --json hazards.json
      or_spatial evaluate --task tracking --clips 3 --json tracking.json
      or_spatial evaluate --task calibration --split test --json calibration.json --report calibration/
      or_spatial evaluate --task counterfactual --split test --json pairs.json --report pairs/
      or_spatial evaluate --task robustness --split test --json robustness.json --report robustness/
      or_spatial evaluate --task domain --split test --json domain.json --report domain/
      or_spatial evaluate --task ablation --split test --json ablation.json --report ablation/
      or_spatial evaluate --dataset mvor --data DIR --json mvor.json
    """
    from or_spatial.commands.evaluate_options import EvaluateOptions

    options = EvaluateOptions(
        split=split, bag=bag, dataset=dataset, task=task, data=data, frames=frames, clips=clips, scenes=scenes,
        workers=workers, bundle=bundle, json=json_file, report=report, record=record, config=config, runs=runs,
    )  # fmt: skip
    if task is not None:
        one_thread_for_blas()
        from or_spatial.commands.tasks import run_task

        return run_task(task, options)
    from or_spatial.commands.learning import run_evaluate

    run_evaluate(options)


@app.command()
def benchmark(
    what: Annotated[
        BenchmarkChoice,
        typer.Argument(
            help="`perceive`: one forward pass; `live`: all nodes under images; `tracking`: the tracker under "
            "detections; `soak`: a simulated day through everything that remembers."
        ),
    ] = BenchmarkChoice.PERCEIVE,
    bundle: Annotated[Path | None, typer.Option(help="Another model bundle than the shipped one.")] = None,
    runs: Annotated[int, typer.Option(min=3, help="perceive: timed passes after warm-up.")] = 60,
    threads: Annotated[int, typer.Option(min=1, max=64, help="perceive: threads of the inference runtime.")] = 2,
    cameras: Annotated[
        int | None, typer.Option(min=1, max=6, help="Cameras: live 1 (at most 2), tracking 6, soak 2.")
    ] = None,
    size: Annotated[str, typer.Option(help="live: size of the images, px.")] = "640x360",
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, max=60.0, help="Images per second and camera: live 5, tracking 30, soak 1."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=2.0, help="For how long: live 300, tracking 20.")] = None,
    hours: Annotated[float, typer.Option(min=0.002, help="soak: simulated hours.")] = 12.0,
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the figures as JSON.")] = None,
) -> None:
    """Time one forward pass, the tracker or the whole running suite, or watch the memory over a simulated day.

    Examples:
      or_spatial benchmark --threads 2 --json speed.json
      or_spatial benchmark live --size 1280x720 --rate 10 --seconds 60
      or_spatial benchmark tracking --json tracking_speed.json
      or_spatial benchmark soak --hours 12 --json soak.json
    """
    one_thread_for_blas()
    from or_spatial.commands.benchmarks import BenchmarkOptions, run_benchmark

    options = BenchmarkOptions(bundle, runs, threads, cameras, size, rate, seconds, hours, json_file)
    run_benchmark(what.value, options)


@app.command()
def doctor(
    markdown: Annotated[bool, typer.Option("--markdown", help="A table to paste into an issue.")] = False,
    as_json: Annotated[bool, typer.Option("--json", dir_okay=False, help="For scripts.")] = False,
) -> None:
    """What is present, what is missing, what that costs and how to cure it. Exit code 1 when something is missing.

    Examples:
      or_spatial doctor
      or_spatial doctor --markdown
    """
    from or_spatial.commands import doctor as rooms

    findings = rooms.examine()
    if markdown or as_json:
        print(rooms.render_markdown(findings) if markdown else rooms.to_json(findings))
    else:
        from or_spatial.commands.doctor_table import show

        show(findings, out)
    raise typer.Exit(int(any(f.status is rooms.Status.MISSING for f in findings)))


@hazards_app.command("check")
def hazards_check(
    file: Annotated[Path | None, typer.Argument(help="A rules file; none means config/hazards.yaml.")] = None,
    bag: Annotated[Path | None, typer.Option(help="A recording with scene graphs to play the rules on.")] = None,
    topic: Annotated[str, typer.Option(help="With --bag: its topic of graphs; else the nodes' or the truth's.")] = "",
) -> None:
    """Read a rules file as the hazard node would: its rules or its mistakes; with --bag, what it would have raised.

    Examples:
      or_spatial hazards check config/hazards.yaml
      or_spatial hazards check my_rules.yaml --bag demo_output/bag
    """
    one_thread_for_blas()
    from or_spatial.commands.hazard_rules import check_rules

    check_rules(file, out, bag, topic)


@clinical_app.command("fit")
def clinical_fit(
    out_file: Annotated[Path, typer.Option("--out", dir_okay=False, help="The new model, one JSON file.")],
    seeds: Annotated[int, typer.Option(min=1, help="Operations per procedure of the world's train split.")] = 10,
    data: Annotated[
        Path | None, typer.Option("--data", "--root", help="Fit on 4D-OR's annotated takes in this folder instead.")
    ] = None,
) -> None:
    """Fit a clinical reader by counting: on whole operations of the world (no pictures), or on 4D-OR's annotations.

    Examples:
      or_spatial clinical fit --out config/clinical/or_world.json
      or_spatial clinical fit --data DIR --out my_room.json
    """
    one_thread_for_blas()
    from or_spatial.commands.clinical import fit_clinical

    fit_clinical(out_file, seeds, data)


@clinical_app.command("score")
def clinical_score(
    model: Annotated[Path | None, typer.Argument(help="A fitted model; none means the shipped one.")] = None,
    split: Annotated[str, typer.Option(help="val or test; test has a procedure that nobody was fitted on.")] = "test",
    seeds: Annotated[int, typer.Option(min=1, help="Operations per procedure.")] = 4,
    exact: Annotated[
        bool, typer.Option("--exact", help="Measure who is close to what on meshes; a hundred times as long.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the figures as JSON.")] = None,
) -> None:
    """Read operations of the world step by step and compare with the script: roles, phases, procedure, next action.

    Example:
      or_spatial clinical score --split test --json clinical.json
    """
    one_thread_for_blas()
    from or_spatial.commands.clinical import Played, score_clinical

    score_clinical(model, Played(split, seeds, exact), json_file)


@app.command(hidden=True)
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when something is out of date.")
    ] = False,
    metrics: Annotated[Path | None, typer.Option(help="metrics.json whose figures go into README.md.")] = None,
) -> None:
    """Bring the generated parts of README.md and docs/ up to date."""
    from or_spatial.commands.docs import update_documents

    stale = update_documents(write=not check, metrics=metrics)
    for path in stale:
        err.print(f"{path} {'is out of date; run: or_spatial docs' if check else 'updated'}", markup=False)
    raise typer.Exit(int(check and bool(stale)))


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
