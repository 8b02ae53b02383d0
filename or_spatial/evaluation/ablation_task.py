"""`or_spatial evaluate --task ablation`: what the fusion block makes of depth, with the controls that must lose.

Four networks per seed, alike in all but what they read of depth, and looks at the same frames with them:

    fused      reads the predicted depth, as the shipped model does
    twin       reads nothing (gate at zero): the RGB-only twin, same parameters, FLOPs, losses, data and steps
    blind      a twin whose objects and pairs do not know the depth at their pixels either
    truth      reads the true depth, in training too: what a perfect depth head would be worth here
    shuffled   the fused weights, the fusion block reading the depth of another frame, of another room
    constant   the fused weights, reading 3 m everywhere
    mirrored   the fused weights, reading the predicted depth with left and right exchanged
    rules      the fused network's boxes alone: geometric relations without the network's word on them

The shipped model, which learnt for much longer, is put through the same readings (`ablation.shipped`): it has no twin,
but what it loses with a wrong depth says how much it leans on the right one.

Each of the networks and controls has thresholds of its own, fitted on the same validation frames, so that none is
favoured; `rules` has those of fused, and needs none for its relations, which are probabilities. The figure is macro F1
over the predicates that ask for depth order and for contact; `ablation.gain` is fused minus twin.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets.packed import STRIDE, Packed
from or_spatial.evaluation.calibrate import calibration_of, run_packed
from or_spatial.evaluation.frames import FrameScores, Look, perceived
from or_spatial.evaluation.metrics.bootstrap import interval_over_runs, macro_f1
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.slices import HEADLINES, FrameRecord, Times, headline, once, room_of
from or_spatial.inference.bundle import Bundle, sha256
from or_spatial.model.readings import Maps, Reading, constant, instead, mirrored, true_depth
from or_spatial.model.session import TorchSession
from or_spatial.perception.model import ModelPerceiver
from or_spatial.perception.snapshot import bundle_tracker_config, snapshot
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.sample import FrameSample

FUSED, TWIN, BLIND, TRUTH, RULES = "fused", "twin", "blind", "truth", "rules"
CONTROLS = ("shuffled", "constant", "mirrored")
ROWS = (FUSED, TWIN, BLIND, TRUTH, *CONTROLS, RULES)
"""The rows of the table, in order."""

DEPTH_ORDERED = ("in_front_of", "behind")
CONTACT = ("touching", "on", "inside", "near")
FIGURES = {
    "spatial_macro_f1": (*DEPTH_ORDERED, *CONTACT),
    "depth_ordered_macro_f1": DEPTH_ORDERED,
    "contact_macro_f1": CONTACT,
}
"""The predicates behind each figure; `ablation.gain` is of the first."""

CONSTANT_M = 3.0

Measure = Callable[[Sequence[FrameRecord]], Callable[[Times], float]]
"""Takes frames, gives their macro F1 when each is drawn so many times."""

Records = dict[str, dict[int, list[FrameRecord]]]
"""What each frame added up to, by row and seed."""


@dataclass
class Cues:
    """What fusion may read of some frames: `truth_m` maps (1, H/4, W/4), `partner` the frame whose depth stands in for
    each one's in `shuffled`, `predicted` what the fused network predicted, which its own pass writes down."""

    truth_m: list[NDArray[np.float32]]
    partner: list[int]
    predicted: list[Maps] = field(default_factory=list)

    def reading(self, row: str, frame: int) -> Reading | None:
        """What the fusion block reads of a frame in a row of the table; None: the prediction."""
        if row == FUSED:
            return self._written_down
        if row == TRUTH:
            return true_depth(self.truth_m[frame])
        if row == "shuffled":
            return instead(*self.predicted[self.partner[frame]])
        if row == "constant":
            return constant(CONSTANT_M)
        return mirrored if row == "mirrored" else None

    def _written_down(self, *maps: Any) -> Maps:
        self.predicted.append(maps)
        return maps


@dataclass(frozen=True)
class Sets:
    """The frames that thresholds are fitted on, and those that are judged."""

    val: Sequence[Packed]
    test: Sequence[FrameSample]

    def cues(self) -> tuple[Cues, Cues]:
        """What may be read of each of them, before any network has looked."""
        val = Cues([f.depth[None].astype(np.float32) for f in self.val], partners(range(len(self.val))))
        return val, Cues([_coarse(s.depth_m) for s in self.test], partners([room_of(s) for s in self.test]))


def partners(rooms: Sequence[Any]) -> list[int]:
    """For each frame another one, half the set away or the next after that from another room, if there is one."""
    n = len(rooms)
    order = [[(i + n // 2 + k) % n for k in range(n)] for i in range(n)]
    return [next((j for j in after if rooms[j] != rooms[i]), after[0]) for i, after in enumerate(order)]


def _coarse(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """A depth map (H, W) at stride 4 as training packs it, (1, H/4, W/4), 0 for none."""
    return np.nan_to_num(depth_m[1::STRIDE, 1::STRIDE])[None]


@dataclass(frozen=True)
class Network:
    """A network that runs, and the bundle that describes it at the size of the comparison, thresholds still missing."""

    bundle: Bundle
    session: TorchSession

    @classmethod
    def of_checkpoint(cls, checkpoint: Path, threads: int) -> "Network":
        """That of a checkpoint, in torch with so many threads."""
        session = TorchSession(checkpoint, threads)
        return cls(bundle_of(checkpoint, session), session)


_READ_BY = {FUSED: (FUSED, *CONTROLS), TWIN: (TWIN,), BLIND: (BLIND,), TRUTH: (TRUTH,)}
_READ_BY_SHIPPED = (FUSED, TRUTH, *CONTROLS)


def evaluate_ablation(
    checkpoints: Mapping[tuple[str, int], Path],
    shipped: Network,
    sets: Sets,
    made: Mapping[str, Any],
    threads: int = 2,
    each: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Nested figures, `ablation.*`, of the trained arms (by arm and seed) and of the shipped model on these frames.

    `made` says what the arms were made of; `each` is called after every look, `looks(...)` times.
    """
    records: Records = {row: {} for row in ROWS}
    for seed in sorted({seed for _, seed in checkpoints}):
        cues = sets.cues()
        for arm, rows in _READ_BY.items():
            network = Network.of_checkpoint(checkpoints[arm, seed], threads)
            for name, found in _read(network, rows, sets, cues, each).items():
                records[name][seed] = found
    leaning = leans(_read(shipped, _READ_BY_SHIPPED, sets, sets.cues(), each))
    made = dict(made) | {"shipped": shipped.bundle.model_id}
    return plain({"ablation": figures(records) | {"shipped": leaning}, "made_with": made})


def looks(sets: Sets, seeds: int) -> int:
    """How many pictures an evaluation looks at."""
    passes = seeds * sum(map(len, _READ_BY.values())) + len(_READ_BY_SHIPPED)
    return passes * (len(sets.val) + len(sets.test))


def _read(
    network: Network, rows: Iterable[str], sets: Sets, cues: tuple[Cues, Cues], each: Callable[[], None]
) -> dict[str, list[FrameRecord]]:
    """The records of one network in these rows, each with thresholds of its own."""
    val, test = cues
    found = {}
    for row in rows:
        bundle = _calibrated(network, sets.val, val, row, each)
        found |= looked(bundle, network.session, sets.test, test, row, each)
    return found


def _calibrated(network: Network, frames: Sequence[Packed], cues: Cues, row: str, each: Callable[[], None]) -> Bundle:
    """The bundle with thresholds fitted on these frames, its fusion reading what it reads in this row."""
    raw = []
    for i, frame in enumerate(frames):
        network.session.reading = cues.reading(row, i)
        raw.append(run_packed(network.session, frame))
        each()
    return replace(network.bundle, calibration=calibration_of(network.bundle, list(frames), raw))


def bundle_of(checkpoint: Path, session: TorchSession) -> Bundle:
    """What a checkpoint would be called as a bundle, without an exported graph."""
    config = session.model.config
    return Bundle(
        folder=checkpoint,
        name=checkpoint.parent.name,
        version="ablation",
        image_height=config.image_height,
        image_width=config.image_width,
        vocabulary=config.vocabulary,
        labels=tuple(config.labels),
        actions=tuple(config.actions),
        geometric=tuple(config.geometric),
        digest=sha256(checkpoint / "model.safetensors"),
    )


def looked(
    bundle: Bundle,
    session: TorchSession,
    samples: Sequence[FrameSample],
    cues: Cues,
    row: str,
    each: Callable[[], None],
) -> dict[str, list[FrameRecord]]:
    """Records of a row; the fused network's perceptions also make those of `rules`."""
    session.reading = None
    perceiver = ModelPerceiver(bundle, session=session)
    configs = {row: bundle_tracker_config(bundle)}
    if row == FUSED:
        configs[RULES] = bundle_tracker_config(bundle, model_weight=0.0)
    scores = {name: FrameScores(bundle.vocabulary) for name in configs}
    for i, sample in enumerate(samples):
        session.reading = cues.reading(row, i)
        for name, look in _look(sample, perceiver, configs).items():
            scores[name].add(look)
        each()
    return {name: one.records for name, one in scores.items()}


def _look(sample: FrameSample, perceiver: ModelPerceiver, configs: Mapping[str, TrackerConfig]) -> dict[str, Look]:
    """One frame, perceived once and made a graph of in each way."""
    frame, perception = perceived(sample, perceiver)
    return {name: Look(sample, perception, snapshot(frame, perception, config)) for name, config in configs.items()}


def figures(records: Records) -> dict[str, Any]:
    """The table by row, what fused has over each other row with its 95 % interval, and the headline."""
    against = {row: _difference(records[FUSED], records[row], _SPATIAL) for row in ROWS if row != FUSED}
    for row in CONTROLS:
        against[row]["loses"] = against[row]["low"] > 0
    gain = against[TWIN]
    return {
        "gain": gain["difference"],
        "gain_low": gain["low"],
        "gain_high": gain["high"],
        "controls_lose": all(against[row]["loses"] for row in CONTROLS),
        "truth_gain": _difference(records[TRUTH], records[TWIN], _SPATIAL),
        "fused_minus": against,
        "by_row": {row: _row(by_seed) for row, by_seed in records.items()},
    }


def leans(records: Mapping[str, list[FrameRecord]]) -> dict[str, Any]:
    """What one network makes of each reading, and what the right one has over the others in every figure."""
    right = {0: records[FUSED]}
    others = {row: {0: found} for row, found in records.items() if row not in (FUSED, RULES)}
    return {
        "by_row": {row: _values(found) for row, found in records.items() if row != RULES},
        "fused_minus": {
            row: {name: _difference(right, found, f1) for name, f1 in _MEASURED.items()}
            for row, found in others.items()
        },
    }


def _row(by_seed: Mapping[int, list[FrameRecord]]) -> dict[str, Any]:
    """Means over the seeds, and the first figure of each seed."""
    values = {seed: _values(records) for seed, records in by_seed.items()}
    first, *_ = names = next(iter(values.values()))
    means = {name: float(np.mean([one[name] for one in values.values()])) for name in names}
    return means | {"by_seed": {str(seed): one[first] for seed, one in values.items()}}


def _values(records: Sequence[FrameRecord]) -> dict[str, float]:
    """Every figure of one network's frames, by name."""
    known = headline(records)
    return {name: f1(records)(once(records)) for name, f1 in _MEASURED.items() if name not in known} | known


def _difference(
    ours: Mapping[int, list[FrameRecord]], theirs: Mapping[int, list[FrameRecord]], f1: Measure
) -> dict[str, float]:
    """Mean over seeds of what one row has over another in a macro F1, on the same frames, and its interval."""
    runs = [_apart(f1(ours[seed]), f1(theirs[seed])) for seed in ours]
    frames = next(iter(ours.values()))
    low, high = interval_over_runs(runs, [record.room for record in frames])
    return {"difference": float(np.mean([run(once(frames)) for run in runs])), "low": low, "high": high}


def _apart(ours: Callable[[Times], float], theirs: Callable[[Times], float]) -> Callable[[Times], float]:
    return lambda times: ours(times) - theirs(times)


def _f1(predicates: Sequence[str]) -> Measure:
    """Macro F1 over some geometric predicates."""

    def over(records: Sequence[FrameRecord]) -> Callable[[Times], float]:
        rows = [load_vocabulary().geometric_index(name) for name in predicates]
        tallies = np.stack([record.tallies["geometric"][rows] for record in records])
        return lambda times: macro_f1(np.tensordot(times, tallies, axes=1))

    return over


_MEASURED: dict[str, Measure] = {
    **{name: _f1(of) for name, of in FIGURES.items()},
    "strict_macro_f1": HEADLINES["relations.strict_macro_f1"],
}
_SPATIAL = _MEASURED["spatial_macro_f1"]
