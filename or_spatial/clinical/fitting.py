"""Fit the readers to annotated operations: counting, with priors that keep a rare event possible.

No code searches for anything: the strengths below serve every fit. They were chosen while looking at both annotated
takes of 4D-OR, so figures on these are optimistic; docs/clinical.md says what other values give.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.chains import Channel, keep_rate, overall, share
from or_spatial.clinical.cues import ACTS, PERSON_CHANNELS, ROOM_CHANNELS, Cues, read_cues
from or_spatial.clinical.model import ClinicalModel
from or_spatial.clinical.next_acts import NOTHING, NextActModel, acts_before_and_after
from or_spatial.clinical.phases import PhaseModel
from or_spatial.clinical.roles import OTHERS, RoleModel
from or_spatial.errors import DatasetError
from or_spatial.scene.graph import SceneGraph


@dataclass(frozen=True)
class Step:
    """One annotated second: its graph, role by object id ("none" for people without one), and its phase."""

    graph: SceneGraph
    roles: dict[str, str] = field(default_factory=dict)
    phase: str = ""


@dataclass(frozen=True)
class Strengths:
    """How many observations each prior weighs.

    One for a phase: it is seen once per operation, and so is its opening. Roles repeat: `role_phase` blends what a
    role does in a phase with what it does at all. `spread`: an operation of the same kind takes a phase between 0.74
    and 1.35 of the time, two times out of three.
    """

    phase: float = 1.0
    opening: float = 1.0
    role: float = 2.0
    role_phase: float = 5.0
    spread: float = 0.3


DEFAULT_STRENGTHS = Strengths()


def fit(
    operations: Sequence[Sequence[Step]],
    *,
    phases: Sequence[str],
    roles: Sequence[str],
    scrubbed: Sequence[str] = (),
    strengths: Strengths = DEFAULT_STRENGTHS,
    step_s: float = 1.0,
    model_id: str = "fitted",
) -> ClinicalModel:
    """A model of operations given as steps of `step_s` seconds; `phases` in order of time, `roles` of the staff.

    Raises:
        DatasetError: no steps, a step without a known phase, or a phase that none of the operations has.
    """
    read = [[(read_cues(s.graph), s.roles, _index(phases, s.phase)) for s in steps] for steps in operations]
    length = np.bincount([p for steps in read for *_, p in steps], minlength=len(phases)) / max(1, len(read))
    if not length.all():
        missing = ", ".join(name for name, n in zip(phases, length, strict=True) if n == 0)
        raise DatasetError(f"cannot fit: no step of phase {missing} in {len(read)} operations; leave it out or add one")
    phase = _fit_phases([[(c, p) for c, _, p in steps] for steps in read], tuple(phases), length, strengths)
    role = _fit_roles(read, tuple(roles), len(phases), tuple(scrubbed), strengths)
    acts = _fit_next([[(c.room[0], p) for c, _, p in steps] for steps in read], len(phases), strengths)
    return ClinicalModel(model_id=model_id, step_s=step_s, phases=phase, roles=role, next_acts=acts)


def _index(phases: Sequence[str], name: str) -> int:
    if name not in phases:
        raise DatasetError(f"cannot fit: a step has phase {name!r}, the phases are {', '.join(phases)}")
    return list(phases).index(name)


def _fit_phases(
    read: list[list[tuple[Cues, int]]], names: tuple[str, ...], length: NDArray, strengths: Strengths
) -> PhaseModel:
    channels, opening = [], []
    for k, values in enumerate(ROOM_CHANNELS.values()):
        changed, opened = np.zeros((len(names), len(values))), np.zeros((len(names), len(values)))
        kept, moved = 0, False
        for steps in read:
            for n, (cues, phase) in enumerate(steps):
                value = cues.room[k]
                begins = n == 0 or steps[n - 1][1] != phase
                stays = not begins and steps[n - 1][0].room[k] == value
                opened[phase, value] += begins
                changed[phase, value] += not stays
                kept += stays
                moved |= n > 0 and steps[n - 1][0].room[k] != value
        table = share(changed, overall(changed), strengths.phase)
        channels.append(Channel(keep_rate(kept, changed.sum()), table, steady=not moved))
        opening.append(share(opened, table, strengths.opening))
    return PhaseModel(names, length, strengths.spread, tuple(channels), tuple(opening))


def _fit_roles(
    read: list[list[tuple[Cues, dict[str, str], int]]],
    names: tuple[str, ...],
    phases: int,
    scrubbed: tuple[str, ...],
    strengths: Strengths,
) -> RoleModel:
    """Counts of changes per role and phase; people whose role nobody annotated are not counted at all."""
    size = len(names)
    changed = [np.zeros((size + 1, phases, len(values))) for values in PERSON_CHANNELS.values()]
    kept = np.zeros(len(changed))
    comes, leaves = np.zeros((size, phases, 2)), np.zeros((size, phases, 2))
    others = np.full((OTHERS, OTHERS), 0.5)
    for steps in read:
        before: dict[int, tuple[int, ...]] = {}
        others_before = 0
        for cues, roles, phase in steps:
            known = [(roles[p.object_id], p.values) for p in cues.people if p.object_id in roles]
            now = {names.index(role): values for role, values in known if role in names}
            rest = [values for role, values in known if role not in names]
            for role, values in [*now.items(), *((size, values) for values in rest)]:
                for k, value in enumerate(values):
                    stays = role in before and before[role][k] == value
                    kept[k] += stays
                    changed[k][role, phase, value] += not stays
            for role in range(size):
                (leaves if role in before else comes)[role, phase, int((role in now) != (role in before))] += 1
            others[min(others_before, OTHERS - 1), min(len(rest), OTHERS - 1)] += 1
            before, others_before = now, len(rest)
    channels = tuple(_role_channel(c, n, strengths) for c, n in zip(changed, kept, strict=True))
    rates = (_rates(c, strengths.role_phase) for c in (comes, leaves))
    return RoleModel(names, channels, *rates, others / others.sum(axis=1, keepdims=True), scrubbed)


def _role_channel(changed: NDArray, kept: float, strengths: Strengths) -> Channel:
    by_role = share(changed.sum(axis=1), overall(changed[:-1]), strengths.role)
    return Channel(keep_rate(kept, changed[:-1].sum()), share(changed, by_role[:, None], strengths.role_phase))


def _rates(counts: NDArray, strength: float) -> NDArray:
    """(roles, phases) rates of yes from (roles, phases, no/yes), drawn towards the role's own rate."""
    totals = counts.sum(axis=1)
    own = (totals[:, 1] + 0.5) / (totals.sum(axis=1) + 1.0)
    return (counts[:, :, 1] + strength * own[:, None]) / (counts.sum(axis=2) + strength)


def _fit_next(read: list[list[tuple[int, int]]], phases: int, strengths: Strengths) -> NextActModel:
    counts = np.zeros((phases, len(ACTS), len(ACTS)))
    for steps in read:
        for (_, phase), (last, coming) in zip(steps, acts_before_and_after([act for act, _ in steps]), strict=True):
            counts[phase, last, coming] += 1
    counts[:, :, NOTHING] = 0.0  # nothing more to come
    anyhow = counts.sum(axis=(0, 1)) + 1e-3
    by_last = share(counts.sum(axis=0), anyhow / anyhow.sum(), strengths.role)
    return NextActModel(share(counts, by_last[None], strengths.role))
