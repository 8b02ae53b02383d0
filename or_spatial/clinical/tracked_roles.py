"""Who is who where ids last (graphs of a tracker): what each person has done so far, and that a role has one holder.

Each person's cues are evidence about that person alone, carried from graph to graph by the id, and kept while they are
away. Only the reading couples people: of all ways to give each role to at most one person present, how many, weighed by
the evidence, give it to this one. That sum over assignments is exact, by dynamic programming over sets of roles.
Where ids do not last (4D-OR), `roles.RoleFilter` reads who is whom from the cues instead.
"""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.cues import PersonCues
from or_spatial.clinical.roles import RoleModel

_SWAP = 0.003  # chosen: per step, the chance that a tracker hands the id to somebody else
_MOST_PEOPLE = 64  # remembered, those seen last; a day of visitors must not fill the memory
_MOST_READ = 30  # at once; the others are read as nobody's concern


class TrackedRoles:
    """Feed it the people of each step; `step` returns how likely each holds which role."""

    def __init__(self, model: RoleModel) -> None:
        self.model = model
        self._known: OrderedDict[str, tuple[PersonCues, NDArray[np.float64]]] = OrderedDict()

    def forget(self) -> None:
        """Ids mean others from now on, as after a tracker's restart."""
        self._known.clear()

    def step(self, people: tuple[PersonCues, ...], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """(people, R + 1), probability of each role and of "other"; `phases`: (P,), how likely each is now."""
        now, size = self.model.within(phases), len(self.model.names)
        chances = np.zeros((len(people), size + 1))
        chances[_MOST_READ:, size] = 1.0
        for n, person in enumerate(people[:_MOST_READ]):
            if person.object_id in self._known:
                before, believed = self._known.pop(person.object_id)
                log = np.log((1.0 - _SWAP) * believed + _SWAP / (size + 1)) + now.go_on(before, person)
            else:
                log = now.begin(person)
            belief = np.exp(log - log.max())
            belief /= belief.sum()
            chances[n] = belief
            self._known[person.object_id] = person, belief  # each person's own; what couples people is not kept
        while len(self._known) > _MOST_PEOPLE:
            self._known.popitem(last=False)
        chances[:_MOST_READ] = one_to_one(chances[:_MOST_READ])
        return chances


def one_to_one(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, R + 1) probabilities when each of R roles has at most one holder, from those of each person alone.

    The last column, "other", may be held by any number. Rows sum to one; columns of roles to one at most.
    """
    count, size = chances.shape[0], chances.shape[1] - 1
    before = np.zeros((count + 1, 1 << size))  # by set of roles that are taken already, after so many people
    after = np.zeros((count + 1, 1 << size))  # by set of roles that are taken already, of the people still to come
    before[0, 0] = 1.0
    after[count] = 1.0
    free = [np.flatnonzero(~np.arange(1 << size) >> r & 1) for r in range(size)]
    for n in range(count):
        before[n + 1] = before[n] * chances[n, size]
        for r in range(size):
            before[n + 1, free[r] | 1 << r] += before[n, free[r]] * chances[n, r]
        before[n + 1] /= before[n + 1].sum()
    for n in reversed(range(count)):
        after[n] = after[n + 1] * chances[n, size]
        for r in range(size):
            after[n, free[r]] += after[n + 1, free[r] | 1 << r] * chances[n, r]
        after[n] /= after[n].max()
    found = np.empty_like(chances)
    for n in range(count):
        for r in range(size):
            found[n, r] = chances[n, r] * (before[n, free[r]] @ after[n + 1, free[r] | 1 << r])
        found[n, size] = chances[n, size] * (before[n] @ after[n + 1])
    return found / found.sum(axis=1, keepdims=True)
