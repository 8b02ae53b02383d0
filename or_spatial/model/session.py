"""A model behind the interface of `inference.session.Session`: numpy in, numpy out, without an export."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from or_spatial.model.modeling import SpatialORModel
from or_spatial.model.readings import Reading

_INPUTS = ("image", "intrinsics", "viewer_from_camera", "height")


class TorchSession:
    """Eager torch on the CPU, for comparisons of checkpoints; what runs live is exported.

    `reading` is what the fusion block reads of depth in the next runs; None: what the network predicts.
    """

    backend = "torch-cpu"

    def __init__(self, source: Path | SpatialORModel, threads: int = 2) -> None:
        """Take a model, or load a checkpoint folder; `threads` counts for all of torch in this process.

        Raises:
            BundleError: no checkpoint there, or a damaged one.
        """
        torch.set_num_threads(threads)
        model = source if isinstance(source, SpatialORModel) else SpatialORModel.from_pretrained(source)
        self.model = model.eval()
        self.reading: Reading | None = None

    def run(self, inputs: Mapping[str, NDArray], outputs: Iterable[str] | None = None) -> dict[str, NDArray]:
        """The named outputs of the contract (all of them by default)."""
        fed = {name: torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in _INPUTS}
        with torch.inference_mode():
            found = self.model(**fed, reading=self.reading)
        return {name: found[name].numpy() for name in (outputs or found)}
