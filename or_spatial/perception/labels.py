"""Beliefs over labels: the vocabulary's names in index order, and one last place for any name that it lacks."""

import numpy as np
from numpy.typing import NDArray

from or_spatial.scene.objects import Category
from or_spatial.scene.vocabulary import Vocabulary

Array = NDArray[np.float64]

_KIN = 0.15  # chosen: how readily a drill is taken for a saw, an instrument table for a secondary one
_PEOPLE = 0.04  # and the patient for somebody of the staff


class Labels:
    """Turns detections' labels and scores into belief vectors (L + 1,) and compares them."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.names = vocabulary.objects
        self.categories = (*(vocabulary.category(n) for n in self.names), Category.UNKNOWN)
        self.other = len(self.names)
        self._index = {name: i for i, name in enumerate(self.names)}
        kinds = np.array([int(c) for c in self.categories])
        kin = np.where(kinds == int(Category.PERSON), _PEOPLE, _KIN)
        self._kinship = np.where(kinds[:, None] == kinds[None], kin, 0.0)
        np.fill_diagonal(self._kinship, 1.0)
        self._alone = np.eye(self.other + 1)

    def index(self, label: str) -> int:
        """Place of a label, the last one for names outside the vocabulary."""
        return self._index.get(label, self.other)

    def belief(self, label: str, scores: NDArray | None) -> Array:
        """Probabilities (L + 1,) that sum to 1: the scores where usable, else the label alone."""
        at = self.index(label)
        if scores is None or at == self.other or np.shape(scores) != (self.other,):
            return self._alone[at].copy()
        belief = np.zeros(self.other + 1)
        belief[: self.other] = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0).clip(0.0, 1.0)
        total = belief.sum()
        return belief / total if total > 1e-6 else self._alone[at].copy()

    def agreement(self, a: Array, b: Array) -> Array:
        """How probably beliefs (T, L + 1) and (D, L + 1) are of one thing, (T, D); 0 where the kinds differ."""
        agreement = a @ self._kinship @ b.T
        return np.where(agreement < 0.03, 0.0, agreement)
