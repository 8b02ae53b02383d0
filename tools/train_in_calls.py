"""Train on a GPU that is there for minutes at a time, by a recipe whose frames no call has to bring along.

    python tools/train_in_calls.py call --config config/training/gpu.yaml --out OUT               # the first call
    python tools/train_in_calls.py call --config config/training/gpu.yaml --out OUT --state PARTS # the next ones
    python tools/train_in_calls.py unpack PARTS runs/gpu/last                                     # a usual checkpoint

It has never been run on a GPU. Tested is a dry run on the CPU with tiny sizes (test/training/test_train_in_calls.py).

One call renders on all cores but one, in processes of low priority, while the trainer learns from what is there
already; new shards join between epochs. Every call draws rooms of its own. After `--minutes` it writes at most eight
files of at most 15 MiB into `--out`: `state.json`, `state-0.part` and so on, `progress.jsonl`. Carry that folder into
the next call; everything else on the machine may be lost. `--calls` says how many calls make the whole run: how far the
recipe's stages have come is told by the clock (share of all calls' time) and not by steps, so that the learning rate is
down at the end however fast the machine is. Which frames are there at a given step depends on the clock too: such a run
is the same by seed only in what it starts from.

Between calls the averaged weights travel as half precision, the plain weights as their distance from these, and Adam's
moments as 8 bits, whose memory is some fifty steps long anyway: 24 MB for 5 million parameters (measured), so that they
still fit beside the sources and the packages below where 64 MiB may be brought. The last call leaves full precision.

Beside torch, transformers, safetensors, numpy, scipy, OpenCV, PyYAML, rich and TensorBoard (which it can do without) it
imports pydantic, pydantic-core, annotated-types, typing-inspection, typing-extensions and embreex (18 MB as wheels; no
trimesh, no ROS). Put wheels of what the machine lacks into a folder, unpack them there with
`pip install --no-index --no-deps --target SITE WHEELS/*.whl` and set PYTHONPATH=SITE.
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# torch is imported in functions: this file is imported again by each process that renders.
from or_spatial.datasets.packed import shard_paths
from or_spatial.errors import BundleError, DatasetError, OrSpatialError
from or_spatial.training import cache
from or_spatial.world.splits import in_version

if TYPE_CHECKING:
    from torch import Tensor

    from or_spatial.training.config import TrainConfig
    from or_spatial.training.train import Trainer

PART_BYTES = 15 * 2**20
MOST_PARTS = 6
_SMALL = 4096  # tensors below this travel as they are: norms, biases, running statistics
_TALK_S = 20.0
_INVENTORY = "state.json"
_NICE = 10


@dataclass(frozen=True)
class Call:
    """One of the calls that make a run, number `index` from 0 on, learning between two times of `time.monotonic`."""

    index: int
    calls: int
    begins: float
    ends: float
    most_steps: int | None = None

    @property
    def last(self) -> bool:
        """Whether the run is over after it."""
        return self.index + 1 >= self.calls

    def share(self) -> float:
        """How much of the whole run is over by now, 0 to 1."""
        within = (time.monotonic() - self.begins) / max(self.ends - self.begins, 1e-9)
        return (self.index + min(max(within, 0.0), 1.0)) / self.calls


# --- rendering ---


@dataclass(frozen=True)
class Rendering:
    """What the processes render: validation frames first, then training frames until they are stopped."""

    train: Path
    train_recipe: cache.Recipe
    val: Path
    val_recipe: cache.Recipe
    workers: int

    def shards(self) -> Iterator[tuple[Path, str, cache.Recipe]]:
        """Every shard in order; counterfactual pairs come among the frames in the recipe's proportion."""
        for name in cache.shard_names(self.val_recipe):
            yield self.val, name, self.val_recipe
        pairs = 2 * self.train_recipe.pairs / max(self.train_recipe.count, 1)
        for index in itertools.count():
            yield self.train, f"{index:05d}", self.train_recipe
            for pair in range(int(index * pairs), int((index + 1) * pairs)):
                yield self.train, f"pairs_{pair:05d}", self.train_recipe

    def start(self) -> list[multiprocessing.Process]:
        """Start the processes; they end with this one."""
        for folder, recipe in ((self.train, self.train_recipe), (self.val, self.val_recipe)):
            folder.mkdir(parents=True, exist_ok=True)
            cache.agree(folder, asdict(recipe), growing=("count", "pairs"))
        spawning = multiprocessing.get_context("spawn")  # a fork would inherit the GPU and torch's threads
        started = [
            spawning.Process(target=render, args=(self, number), daemon=True, name=f"renderer {number}")
            for number in range(self.workers)
        ]
        for process in started:
            process.start()
        return started

    def ready(self, frames: int) -> bool:
        """Whether all validation frames are there, and this many training frames at least."""
        validation = all(cache.shard_path(self.val, name).exists() for name in cache.shard_names(self.val_recipe))
        return validation and cache.SHARD * len(shard_paths(self.train)) >= frames


def render(rendering: Rendering, number: int) -> None:
    """What a process does: every n-th shard, until it is ended from outside."""
    os.nice(_NICE)
    for folder, name, recipe in itertools.islice(rendering.shards(), number, None, rendering.workers):
        if not cache.shard_path(folder, name).exists():
            cache.render_shard(folder, name, recipe)


def await_frames(rendering: Rendering, renderers: list[multiprocessing.Process], frames: int, until: float) -> None:
    """Wait for the first frames.

    Raises:
        DatasetError: a process died, or the call's time is over before there is anything to learn from.
    """
    while not rendering.ready(frames):
        if dead := [process.name for process in renderers if not process.is_alive()]:
            raise DatasetError(f"{', '.join(dead)} ended; its last words stand above")
        if time.monotonic() > until:
            there = len(shard_paths(rendering.train))
            raise DatasetError(f"the time is over with {there} shards rendered; allow more --minutes")
        time.sleep(0.2)


# --- training ---


def trainer_of(config: "TrainConfig", runs: Path, call: Call, resume: bool) -> "Trainer":
    """A trainer whose stages go by the clock and whose frames become more."""
    import numpy as np
    import torch

    from or_spatial.training.config import Stage
    from or_spatial.training.data import Batch
    from or_spatial.training.train import Trainer

    torch.backends.cudnn.benchmark = True

    class InCalls(Trainer):
        """The usual trainer but for what `call` says."""

        def __init__(self) -> None:
            super().__init__(config, runs / config.name, resume)
            self.begun, self.spoken, self.pictures = self.step, time.monotonic(), 0

        def ended(self) -> bool:
            enough = call.most_steps is not None and self.step - self.begun >= call.most_steps
            return enough or time.monotonic() >= call.ends

        def stage_at(self, step: int) -> tuple[Stage, int]:
            return super().stage_at(int(call.share() * config.steps))

        def _batches(self, size: int) -> Iterator[Batch]:
            for epoch in itertools.count():
                if self.frames.grow():
                    self.action_weight = self._action_weight().to(self.device)
                order = np.random.default_rng([config.seed, call.index, epoch]).permutation(len(self.frames))
                for at in range(max(len(order) // size, 1)):
                    rows = np.sort(order[at * size : (at + 1) * size])
                    yield self.frames.batch(rows, len(self.words.geometric))

        def _learn(self, batch: Batch, stage: Stage, within: int) -> dict[str, float]:
            terms = super()._learn(batch, stage, within)
            self.pictures += len(batch.label)
            if (past := time.monotonic() - self.spoken) > _TALK_S:
                print(
                    f"step {self.step}, {call.share():.1%} of the run, {self.pictures / past:.0f} pictures/s, "
                    f"{len(self.frames)} frames, loss {terms['total']:.3f}",
                    flush=True,
                )
                self.spoken, self.pictures = time.monotonic(), 0
            return terms

    return InCalls()


# --- the state in parts ---


def pack(run: Path, out: Path, call: Call) -> None:
    """Write the run's last checkpoint into `out` as parts small enough to be handed on; the inventory comes last.

    Raises:
        BundleError: the model is too large for that.
    """
    import torch
    from safetensors.torch import save

    from or_spatial.model import SpatialORModel

    last = run / "last"
    state = torch.load(last / "state.pt", weights_only=True, map_location="cpu")
    average = SpatialORModel.from_pretrained(last).state_dict()
    tensors = {f"average/{name}": value if call.last else _halved(value) for name, value in average.items()}
    groups: list[dict[str, Any]] = []
    if not call.last:
        for name, value in state["model"].items():
            apart = value.float() - tensors[f"average/{name}"].float()
            tensors[f"apart/{name}"] = apart.bfloat16() if value.numel() >= _SMALL else apart
        for index, moments in state["optimiser"]["state"].items():
            for name, value in moments.items():
                tensors |= _squeezed(f"{name}/{index}", value)
        groups = state["optimiser"]["param_groups"]
    blob = zlib.compress(save({name: value.contiguous() for name, value in tensors.items()}), 6)
    parts = [blob[at : at + PART_BYTES] for at in range(0, len(blob), PART_BYTES)]
    if len(parts) > MOST_PARTS:
        raise BundleError(f"the state is {len(blob) / 2**20:.0f} MiB, at most {MOST_PARTS} parts of 15 MiB may be left")
    out.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        (out / f"state-{number}.part").write_bytes(part)
    (out / "progress.jsonl").write_bytes((run / "progress.jsonl").read_bytes())
    inventory = {
        "calls_done": call.index + 1,
        "calls": call.calls,
        "step": state["step"],
        "parts": len(parts),
        "sha256": hashlib.sha256(blob).hexdigest(),
        "config": json.loads((last / "config.json").read_text()),
        "progress": json.loads((last / "progress.json").read_text()),
        "groups": groups,
    }
    (out / _INVENTORY).write_text(json.dumps(inventory, indent=1))
    print(f"{len(parts)} parts, {len(blob) / 2**20:.1f} MiB, in {out}", flush=True)


def read_inventory(parts: Path) -> dict[str, Any]:
    """What the folder of parts says of itself.

    Raises:
        BundleError: there is no inventory, as when a call was ended from outside before it had written it.
    """
    path = parts / _INVENTORY
    if not path.is_file():
        raise BundleError(f"{parts} holds no {_INVENTORY}; bring the folder that the last call wrote to --out")
    return json.loads(path.read_text())


def unpack(parts: Path, checkpoint: Path) -> None:
    """Make the usual checkpoint folder of the parts, with the state to resume from unless the run is over.

    Raises:
        BundleError: parts are missing, damaged or of different calls.
    """
    import torch
    from safetensors.torch import load

    from or_spatial.model import SpatialORConfig, SpatialORModel

    told = read_inventory(parts)
    pieces = [parts / f"state-{number}.part" for number in range(told["parts"])]
    blob = b"".join(piece.read_bytes() for piece in pieces if piece.is_file())
    if hashlib.sha256(blob).hexdigest() != told["sha256"]:
        raise BundleError(f"{parts} does not hold the {told['parts']} parts of its {_INVENTORY}; bring all of one call")
    tensors = load(zlib.decompress(blob))
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "config.json").write_text(json.dumps(told["config"], indent=1))
    model = SpatialORModel(SpatialORConfig.from_pretrained(checkpoint))
    kinds = {name: value.dtype for name, value in model.state_dict().items()}
    average = {name: tensors[f"average/{name}"].to(kind) for name, kind in kinds.items()}
    model.load_state_dict(average)
    model.save_pretrained(checkpoint)
    (checkpoint / "progress.json").write_text(json.dumps(told["progress"], indent=1))
    (checkpoint.parent / "progress.jsonl").write_bytes((parts / "progress.jsonl").read_bytes())
    if told["groups"]:
        plain = {name: (average[name].float() + tensors[f"apart/{name}"].float()).to(kinds[name]) for name in kinds}
        optimiser = {"state": _moments(tensors), "param_groups": told["groups"]}
        torch.save({"step": told["step"], "model": plain, "optimiser": optimiser}, checkpoint / "state.pt")
    print(f"{checkpoint}: step {told['step']}, {told['calls_done']} of {told['calls']} calls", flush=True)


def _halved(value: "Tensor") -> "Tensor":
    return value.half() if value.numel() >= _SMALL and value.dtype.is_floating_point else value


def _squeezed(name: str, value: "Tensor") -> dict[str, "Tensor"]:
    """A moment of Adam in 8 bits with a scale, small ones as they are; of a mean square, its root."""
    import torch

    if value.numel() < _SMALL:
        return {name: value}
    value = value.sqrt() if name.startswith("exp_avg_sq") else value
    scale = value.abs().amax().clamp(min=1e-30) / torch.finfo(torch.float8_e5m2).max
    return {name: (value / scale).to(torch.float8_e5m2), f"scale/{name}": scale}


def _moments(tensors: dict[str, "Tensor"]) -> dict[int, dict[str, "Tensor"]]:
    """Adam's state by parameter. No mean square below what its mean allows: zero there would be a leap."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, index = name.partition("/")
        if kind not in ("step", "exp_avg", "exp_avg_sq"):
            continue
        if (scale := tensors.get(f"scale/{name}")) is not None:
            value = value.float() * scale
            value = value.square() if kind == "exp_avg_sq" else value
        found.setdefault(int(index), {})[kind] = value
    for moments in found.values():
        # With betas 0.9 and 0.98 a mean is at most 1.7 times the root of the mean square (Cauchy and Schwarz).
        moments["exp_avg_sq"] = moments["exp_avg_sq"].maximum((moments["exp_avg"] / 1.7).square())
    return found


# --- commands ---


def run_call(options: argparse.Namespace) -> None:
    """Render and train until the time is over, then leave the state."""
    started = time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from or_spatial.training.config import load

    config = load(options.config)
    done = read_inventory(options.state)["calls_done"] if options.state else 0
    if done >= options.calls:
        raise BundleError(f"{options.state} is the end of a run of {done} calls; unpack it")
    run = options.runs / config.name
    if run.exists() and not options.state:
        raise BundleError(f"{run} exists already; bring its --state to go on, or delete it to start anew")
    data = config.data.model_copy(update={"folder": config.data.folder / f"call-{done}"})
    config = config.model_copy(update={"data": data})
    size = config.picture
    rendering = Rendering(
        data.folder,
        cache.Recipe(in_version("train", data.world), data.frames, *size, data.seed + done, data.pairs),
        data.val_folder,
        cache.Recipe(in_version("val", data.world), data.val_frames, *size, data.seed),
        options.workers,
    )
    renderers = rendering.start()
    try:
        if options.state:
            unpack(options.state, run / "last")
        call = Call(done, options.calls, started, started + 60 * options.minutes, options.steps)
        await_frames(rendering, renderers, options.begin, call.ends)
        print(f"call {done + 1} of {call.calls}: first frames after {time.monotonic() - started:.0f} s", flush=True)
        trainer = trainer_of(config, options.runs, replace(call, begins=time.monotonic()), bool(options.state))
        trainer.run(None)
        alive = sum(process.is_alive() for process in renderers)
    finally:
        for process in renderers:
            process.terminate()
    rendered = cache.SHARD * len(shard_paths(data.folder))
    print(
        f"step {trainer.step}; {rendered} frames rendered, {len(trainer.frames)} of them learnt from; "
        f"{alive} of {len(renderers)} renderers were alive at the end",
        flush=True,
    )
    pack(run, options.out, call)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    call = commands.add_parser("call", help="render and train for a while")
    call.add_argument("--config", type=Path, required=True, help="the recipe")
    call.add_argument("--out", type=Path, required=True, help="folder for the state and the curves")
    call.add_argument("--state", type=Path, help="folder of the parts that the call before wrote")
    call.add_argument("--calls", type=int, default=3, help="how many calls make the run")
    call.add_argument("--minutes", type=float, default=9.0, help="learning ends then; saving takes seconds more")
    call.add_argument("--steps", type=int, help="end after so many steps: for a dry run")
    call.add_argument("--begin", type=int, default=960, help="frames to wait for before learning begins")
    call.add_argument("--workers", type=int, default=max((os.cpu_count() or 2) - 1, 1), help="processes that render")
    call.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the checkpoints on this machine")
    call.set_defaults(command=run_call)
    whole = commands.add_parser("unpack", help="make a usual checkpoint of the parts")
    whole.add_argument("parts", type=Path)
    whole.add_argument("checkpoint", type=Path)
    whole.set_defaults(command=lambda options: unpack(options.parts, options.checkpoint))
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except OrSpatialError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
