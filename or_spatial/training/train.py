"""The training loop: a curriculum of picture sizes, resumable at any checkpoint, the same by seed.

On the CPU a run that was interrupted ends with the weights of one that was not, for every step draws its light, its
windows and its jitter from the recipe's seed and its own number; a GPU adds up in an order of its own.

    or_spatial train --config config/training/tiny.yaml            # renders what is missing, trains, checkpoints
    or_spatial train --config config/training/tiny.yaml --resume   # goes on from runs/tiny/last

A checkpoint folder holds `config.json` and `model.safetensors` (averaged weights, Hugging Face form) and `state.pt`
(optimiser, plain weights, step), which only resuming needs.
"""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from or_spatial.datasets.room_folders import CAMERAS, RoomFolder
from or_spatial.errors import BundleError, OrSpatialError
from or_spatial.files import write_whole
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.modeling import SpatialORModel
from or_spatial.model.readings import true_depth
from or_spatial.scene.vocabulary import Vocabulary, load_vocabulary
from or_spatial.training import cache
from or_spatial.training.augment import augment, covered, random_window, resized
from or_spatial.training.bundle_weights import is_bundle, settle
from or_spatial.training.config import Stage, TrainConfig, load
from or_spatial.training.data import Batch, Frames, epochs, roomy, seeded
from or_spatial.training.journal import Journal
from or_spatial.training.losses import compute
from or_spatial.training.origin import Origin
from or_spatial.training.processes import Processes, joined, rank
from or_spatial.training.room_cache import Account, Packing, build_rooms
from or_spatial.training.warm_start import differing, same_words, warm_started
from or_spatial.world.splits import in_version

# Alike after half a turn about the vertical, as far as a camera can tell.
SYMMETRIC = ("operating_table", "instrument_table", "secondary_table", "lamp", "hammer", "instrument")

_LAST_WRITTEN = "progress.json"  # of a checkpoint: what has it is whole
_SETTLING = 32  # pictures that tell the norms of a bundle their statistics


class TrainingDiverged(OrSpatialError):
    """The loss is no number any more; the batch that did it is saved beside the checkpoint."""


def train(config_path: Path, resume: bool = False, minutes: float | None = None, runs: Path = Path("runs")) -> Path:
    """Train by a recipe, with all processes that torchrun started, and return the folder of the last checkpoint."""
    config = load(config_path)
    folder = runs / config.name
    if recovered(folder) and not resume:
        raise BundleError(f"{folder} exists already; pass --resume to go on, or delete it to start anew")
    accounts = prepare(config) if rank() == 0 else {}
    with joined() as processes:
        trainer = Trainer(config, folder, resume, processes)
        processes.wait()
        trainer.run(minutes or config.minutes)
    for split, account in accounts.items():
        Console(stderr=True).print(f"{split}: {account.summary()}", markup=False)
    return trainer.last


def prepare(config: TrainConfig) -> dict[str, Account]:
    """See that both sets of packed frames are there; of a real data set, an account of each by split."""
    data = config.data
    width, height = config.picture
    if data.dataset == "world":
        size = (width, height, data.seed)
        train, val = (in_version(split, data.world) for split in ("train", "val"))
        cache.build(data.folder, cache.Recipe(train, data.frames, *size, data.pairs), data.workers)
        cache.build(data.val_folder, cache.Recipe(val, data.val_frames, *size), data.workers)
        return {}
    source = RoomFolder(data.dataset, data.root, data.annotations or data.root, data.cameras or CAMERAS[data.dataset])

    def packing(count: int) -> Packing:
        return Packing(count, height, width, data.seed, data.on_damage == "stop", data.workers)

    return {
        "train": build_rooms(data.folder, source, "train", packing(data.frames)),
        "val": build_rooms(data.val_folder, source, "val", packing(data.val_frames)),
    }


def recovered(folder: Path) -> bool:
    """Whether a run has a checkpoint to go on from, put back in its place where writing the next one was cut short."""
    last = folder / "last"
    for name in ("next", "previous"):
        if not last.exists() and (folder / name / _LAST_WRITTEN).is_file():
            (folder / name).rename(last)
    return last.exists()


class Trainer:
    """One run: model, averaged model, optimiser and where it stands."""

    def __init__(self, config: TrainConfig, folder: Path, resume: bool, processes: Processes | None = None) -> None:
        self.processes = processes or Processes()
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.folder, self.last = config, folder, folder / "last"
        self.words: Vocabulary = load_vocabulary(config.data.vocabulary)
        self.device = self.processes.device
        beginning = self._resumed_model() if resume else self._fresh_model()
        self.model = beginning.to(self.device, memory_format=torch.channels_last)
        self.frames = Frames(config.data.folder, roomy(self.device, config.data.folder))
        if not resume and config.warm_start and is_bundle(config.warm_start):
            settle(self.model, self._spread(_SETTLING))
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.optimiser = torch.optim.AdamW(_groups(self.model, config), lr=1e-3, betas=(0.9, 0.98))
        self.step = 0
        if resume:
            self._resume()
        self.validation = Frames(config.data.val_folder, roomy(self.device, config.data.val_folder))
        self.processes.require_shares([stage.batch for stage in config.stages], len(self.frames))
        self.action_weight = self._action_weight().to(self.device)
        alike = [self.words.to_canonical(label) in SYMMETRIC for label in self.words.objects]
        self.symmetric = torch.tensor(alike, device=self.device)
        self.origin = Origin.of_checkpoint(self.last) if resume else Origin.of_run(config)

    def _fresh_model(self) -> SpatialORModel:
        if self.config.warm_start:
            return warm_started(self.config.warm_start, self.words, self.config.sizes, self.config.warm_parts)
        parts = self.config.backbones
        return SpatialORModel.from_backbones(parts.depth, parts.vision, self.words.name, **self.config.sizes)

    def _resumed_model(self) -> SpatialORModel:
        """The model whose weights `_resume` fills in; the run's own checkpoint describes it, whatever it began from."""
        if not (self.last / "state.pt").exists():
            raise BundleError(f"nothing to resume: {self.last / 'state.pt'} does not exist; run without --resume")
        config = SpatialORConfig.from_pretrained(self.last)
        same_words(self.last, config, self.words)
        if difference := differing(config, self.config.model):
            raise BundleError(f"{self.last} was made with {difference}")
        for role in ("depth", "vision"):
            if getattr(self.config.backbones, role) and not getattr(config, f"{role}_config"):
                raise BundleError(f"{self.last} has no pretrained {role} part, the recipe names one")
        return SpatialORModel(config)

    def _spread(self, count: int) -> Batch:
        """Frames from all over the set, at the first stage's size."""
        rows = np.unique(np.linspace(0, len(self.frames) - 1, count).astype(np.int64))
        batch = self.frames.batch(rows, len(self.words.geometric)).to(self.device)
        return resized(batch, self.config.stages[0].height, self.config.stages[0].width)

    def _action_weight(self) -> Tensor:
        """Inverse frequency to a power, 1 on average over what occurs."""
        counts = self.frames.counts("action", len(self.words.actions) + 1).float()
        weight = (counts.sum() / counts.clamp(min=20)).pow(self.config.rare_power)
        return weight / (weight * counts / counts.sum()).sum()

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage that this step belongs to, and the step within it."""
        for stage in self.config.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.config.stages[-1], self.config.stages[-1].steps - 1

    def ended(self) -> bool:
        """Whether the recipe asks for no further step."""
        return self.step >= self.config.steps

    def run(self, minutes: float | None) -> None:
        """Train until the last step or the time is up; always ends with a checkpoint."""
        started = saved = time.monotonic()
        smooth: dict[str, float] = {}
        first = self.processes.first
        with self._bar() as bar, Journal(self.folder, self.step, curves=first) as journal:
            task = bar.add_task("training", total=self.config.steps, completed=self.step, note="")
            batches, size = None, 0
            while not self.ended():
                stage, within = self.stage_at(self.step)
                if batches is None or stage.batch != size:
                    size = stage.batch
                    batches = self._batches(size)
                terms = self._learn(next(batches), stage, within)
                smooth = {k: 0.98 * smooth.get(k, v) + 0.02 * v for k, v in terms.items()}
                bar.update(task, advance=1, note=f"loss {smooth['total']:.3f}")
                journal.learnt(self.step, smooth, rate_at(stage, within), stage.batch)
                now = time.monotonic()
                if first and now - saved > 60 * self.config.checkpoint_minutes:
                    self._checkpoint(smooth, journal)  # the others wait with their next step
                    saved = now
                if self.processes.any(bool(minutes) and now - started > 60 * minutes):
                    break
            if first:
                self._checkpoint(smooth, journal)

    def _batches(self, size: int) -> Iterator[Batch]:
        """This process's share of every batch from this step on."""
        share = (self.processes.rank, self.processes.count)
        return epochs(self.frames, size, len(self.words.geometric), self.config.seed, self.step, share)

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        columns += (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
        return Progress(*columns, disable=not self.processes.first)

    def _learn(self, batch: Batch, stage: Stage, within: int) -> dict[str, float]:
        generator = seeded(self.device, self.config.seed, self.step, self.processes.rank)
        batch = augment(self._sized(batch.to(self.device), stage, generator), self.words, generator)
        if stage.cover:
            batch = covered(batch, stage.cover, generator)
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = group["share"] * rate_at(stage, within)
        terms = self._terms(self.model, batch, stage, generator)
        self.optimiser.zero_grad(set_to_none=True)
        terms["total"].backward()
        told = self.processes.mean(terms)
        if not math.isfinite(told["total"]):
            self._diverged(batch, [f"loss {name}" for name, value in terms.items() if not torch.isfinite(value)])
        self.processes.agree_on(self.model)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        if not torch.isfinite(norm):
            self._diverged(batch, ["the gradient"])
        self.optimiser.step()
        self.step += 1
        self._follow()
        return told

    @staticmethod
    def _sized(batch: Batch, stage: Stage, generator: torch.Generator) -> Batch:
        if stage.crop and float(torch.rand((), generator=generator, device=generator.device)) < stage.crop:
            return random_window(batch, stage.height, stage.width, stage.zoom, generator)
        return resized(batch, stage.height, stage.width)

    def _terms(
        self, model: SpatialORModel, batch: Batch, stage: Stage, generator: torch.Generator
    ) -> dict[str, Tensor]:
        reading = true_depth(batch.depth) if self.config.fusion_reads == "truth" else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=stage.precision == "bf16"):
            return compute(model, batch, self.config.loss, self.action_weight, self.symmetric, generator, reading)

    def _follow(self) -> None:
        """Move the averaged weights; early on they follow closely, so that a short run is not its beginning."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        follows = [name for name, value in state.items() if value.dtype.is_floating_point]
        with torch.no_grad():
            torch._foreach_lerp_([self.average[n] for n in follows], [state[n] for n in follows], 1 - decay)
        for name in state.keys() - set(follows):
            self.average[name].copy_(state[name])

    def _diverged(self, batch: Batch, bad: list[str]) -> None:
        """Stop before the weights change, as all processes do; those whose own share may be to blame keep it."""
        if not bad:
            raise TrainingDiverged(f"the loss of another process is not finite at step {self.step}; its batch is kept")
        path = self.folder / ("diverged.pt" if self.processes.first else f"diverged_{self.processes.rank}.pt")
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(dataclasses.asdict(batch), path)
        raise TrainingDiverged(f"{', '.join(bad)} not finite at step {self.step}; the batch is in {path}")

    @torch.no_grad()
    def validate(self, batch_size: int = 16) -> dict[str, float]:
        """Mean loss terms of the averaged weights on the validation frames."""
        model = self.averaged()
        model.train()  # the semantic head speaks in training only; batch norm must not move, so freeze it
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        generator = torch.Generator(self.device).manual_seed(0)
        stage, _ = self.stage_at(self.step)
        sums: dict[str, float] = {}
        steps = max(len(self.validation) // batch_size, 1)
        batches = epochs(self.validation, batch_size, len(self.words.geometric), 0)
        for _ in range(steps):
            batch = resized(next(batches), stage.height, stage.width)
            terms = self._terms(model, batch.to(self.device), stage, generator)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) / steps
        return sums

    def averaged(self) -> SpatialORModel:
        """A model with the averaged weights."""
        model = SpatialORModel(self.model.config).to(self.device)
        model.load_state_dict(self.average)
        return model.eval()

    def _checkpoint(self, smooth: dict[str, float], journal: Journal) -> None:
        """Write beside the last good checkpoint, then put in its place: a full disk leaves the old one intact."""
        validation = self.validate()
        fresh = self.folder / "next"
        shutil.rmtree(fresh, ignore_errors=True)
        self.averaged().save_pretrained(fresh)
        state = {"step": self.step, "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        torch.save(state, fresh / "state.pt")
        note = {
            "step": self.step,
            "train": smooth,
            "val": validation,
            "data": cache.digest(self.config.data.folder),
            "run": self.config.name,
            "origin": self.origin.to_json(),
            "recipe": self.config.told(),
        }
        write_whole(fresh / _LAST_WRITTEN, json.dumps(note, indent=1))
        old = self.folder / "previous"
        shutil.rmtree(old, ignore_errors=True)
        if self.last.exists():
            self.last.rename(old)
        fresh.rename(self.last)
        journal.checked(self.step, smooth, validation)
        Console(stderr=True).print(f"step {self.step}: val " + ", ".join(f"{k} {v:.3f}" for k, v in validation.items()))

    def _resume(self) -> None:
        state = torch.load(self.last / "state.pt", weights_only=True, map_location="cpu")  # AdamW counts steps there
        self.model.load_state_dict(state["model"])
        shares = [group["share"] for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for group, share in zip(self.optimiser.param_groups, shares, strict=True):
            group["share"] = share  # the recipe's, which may have changed since
        self.step = state["step"]
        self.average = dict(SpatialORModel.from_pretrained(self.last).to(self.device).state_dict())


def rate_at(stage: Stage, step: int) -> float:
    """Learning rate: linear warm-up over 3 % of the stage, then half a cosine down to the final rate."""
    warm = max(int(0.03 * stage.steps), 20)
    if step < warm:
        return stage.peak_rate * (step + 1) / warm
    along = (step - warm) / max(stage.steps - warm, 1)
    return stage.final_rate + (stage.peak_rate - stage.final_rate) * 0.5 * (1 + math.cos(math.pi * min(along, 1.0)))


def _groups(model: SpatialORModel, config: TrainConfig) -> list[dict]:
    """Norms, biases and the fusion gate are not pulled to zero; pretrained parts learn at their share or not at all."""
    pretrained = {"depth.network.": config.backbones.depth_rate, "vision.network.": config.backbones.vision_rate}
    groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for name, parameter in model.named_parameters():
        share = next((rate for prefix, rate in pretrained.items() if name.startswith(prefix)), 1.0)
        parameter.requires_grad_(parameter.requires_grad and share > 0)
        if parameter.requires_grad:
            groups.setdefault((share, parameter.dim() > 1), []).append(parameter)
    return [
        {"params": held, "share": share, "weight_decay": config.weight_decay if matrix else 0.0}
        for (share, matrix), held in groups.items()
    ]
