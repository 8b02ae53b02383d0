"""Who is who, from what each person does and whom it was a second ago, forwards in time only.

A hidden Markov filter over assignments: each of R roles is held by at most one person of the graph or by nobody; all
others are nobody's concern ("other"). From one graph to the next a role's holder stays, leaves or comes, at rates of
the present phase, and its cues go on as a jump chain. A person of this graph is thereby the same as one of the last
graph *because* it is likely to be: ids are not needed, and where they do not last (4D-OR) they are not read.

Where ids do last (graphs of a tracker), `tracked_roles.TrackedRoles` follows each person by the id instead.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.chains import Channel
from or_spatial.clinical.cues import PersonCues

OTHERS = 4
"""Numbers of other people that are told apart: 0, 1, 2, 3 or more."""

_MOST_PEOPLE = 8  # assignments of 4 roles to 8 people: 3,393, about 20 ms; more people are left without a role
_BEAM = 256  # assignments of the last graph that are followed up; 4D-OR never has more than 501


@dataclass(frozen=True)
class RoleModel:
    """`names`: R roles. `channels`: those of a person, tables (R + 1, P, values), the last row for other people.

    `comes`, `leaves`: (R, P), probability per step that a role appears or disappears in a phase. `others`: (OTHERS,
    OTHERS), of the number of other people after another.
    """

    names: tuple[str, ...]
    channels: tuple[Channel, ...]
    comes: NDArray[np.float64]
    leaves: NDArray[np.float64]
    others: NDArray[np.float64]
    scrubbed: tuple[str, ...] = ()

    def within(self, phases: NDArray[np.float64]) -> "_Now":
        """The same for phases of these probabilities (P,)."""
        channels = tuple(Channel(c.keep, np.einsum("p,rpv->rv", phases, c.table)) for c in self.channels)
        return _Now(channels, np.log(self.comes @ phases), np.log1p(-self.comes @ phases), *self._stay(phases))

    def _stay(self, phases: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        leaves = self.leaves @ phases
        return np.log(leaves), np.log1p(-leaves)


@dataclass(frozen=True)
class _Now:
    """A role model in the present phase: log rates (R,) and tables (R + 1, values)."""

    channels: tuple[Channel, ...]
    comes: NDArray[np.float64]
    stays_away: NDArray[np.float64]
    leaves: NDArray[np.float64]
    stays: NDArray[np.float64]

    def begin(self, person: PersonCues) -> NDArray[np.float64]:
        """(R + 1,), log probability of a newcomer's cues."""
        return sum(np.log(c.begin(v)) for c, v in zip(self.channels, person.values, strict=True))

    def go_on(self, before: PersonCues, person: PersonCues) -> NDArray[np.float64]:
        """(R + 1,), log probability of the cues of somebody who was there."""
        steps = zip(self.channels, before.values, person.values, strict=True)
        return sum(np.log(c.go_on(b, v)) for c, b, v in steps)


class RoleFilter:
    """Feed it the people of each step; `step` returns how likely each holds which role."""

    def __init__(self, model: RoleModel) -> None:
        self.model = model
        self._people: tuple[PersonCues, ...] = ()
        self._holders = np.full((1, len(model.names)), -1)
        self._log_belief = np.zeros(1)

    def step(self, people: tuple[PersonCues, ...], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """(people, R + 1), probability of each role and of "other"; `phases`: (P,), how likely each is now.

        People beyond the first 8 are "other" for certain.
        """
        known = people[:_MOST_PEOPLE]
        now = self.model.within(phases)
        holders = assignments(len(known), len(self.model.names))
        scores = self._others(now, known, holders)
        for role in range(len(self.model.names)):
            links = self._links(now, role, known)
            scores += links[self._holders[:, role]][:, holders[:, role]]
        scores += self._log_belief[:, None]
        belief = np.exp(scores - scores.max()).sum(axis=0)
        belief /= belief.sum()
        kept = np.argsort(-belief, kind="stable")[:_BEAM]
        self._people, self._holders, self._log_belief = known, holders[kept], np.log(belief[kept] + 1e-300)
        return self._marginals(holders, belief, len(people))

    def _links(self, now: _Now, role: int, people: tuple[PersonCues, ...]) -> NDArray[np.float64]:
        """(people before + 1, people now + 1), log probability of each holder after each; the last one is nobody."""
        before = self._people
        links = np.empty((len(before) + 1, len(people) + 1))
        links[-1, -1], links[:-1, -1] = now.stays_away[role], now.leaves[role]
        for j, person in enumerate(people):
            links[-1, j] = now.comes[role] + now.begin(person)[role]
            for i, earlier in enumerate(before):
                links[i, j] = now.stays[role] + now.go_on(earlier, person)[role]
        return links

    def _others(self, now: _Now, people: tuple[PersonCues, ...], holders: NDArray[np.int64]) -> NDArray[np.float64]:
        """(assignments before, assignments now), log probability of the people without a role and of their number."""
        cues = np.zeros(len(holders))
        for j, person in enumerate(people):
            cues += np.where((holders == j).any(axis=1), 0.0, now.begin(person)[-1])
        before = _others(len(self._people), self._holders)
        return np.log(self.model.others)[before][:, _others(len(people), holders)] + cues

    @staticmethod
    def _marginals(holders: NDArray[np.int64], belief: NDArray[np.float64], people: int) -> NDArray[np.float64]:
        roles = holders.shape[1]
        found = np.zeros((people, roles + 1))
        for role in range(roles):
            held = holders[:, role] >= 0
            np.add.at(found[:, role], holders[held, role], belief[held])
        found[:, roles] = np.clip(1.0 - found[:, :roles].sum(axis=1), 0.0, 1.0)
        return found


def _others(people: int, holders: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(people - (holders >= 0).sum(axis=1), OTHERS - 1)


@functools.cache
def assignments(people: int, roles: int) -> NDArray[np.int64]:
    """(assignments, roles), every way to give each role to one person or to nobody (-1), no person two roles."""
    ways = itertools.product(range(-1, people), repeat=roles)
    return np.array([w for w in ways if len({p for p in w if p >= 0}) == sum(p >= 0 for p in w)]).reshape(-1, roles)
