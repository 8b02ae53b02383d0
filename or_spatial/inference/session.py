"""Sessions: numpy in, numpy out, whatever runs the graph."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import BundleError, MissingDependency

Arrays = dict[str, NDArray]


class Session(Protocol):
    """Runs one graph. Input and output names are those of `contract`."""

    backend: str

    def run(self, inputs: Mapping[str, NDArray], outputs: Iterable[str] | None = None) -> Arrays:
        """The named outputs (all of them by default)."""
        ...


class OnnxSession:
    """ONNX Runtime on the CPU: the embedded default."""

    backend = "onnxruntime-cpu"

    def __init__(self, model: Path, threads: int = 2) -> None:
        """Load a graph on `threads` threads.

        Raises:
            MissingDependency: onnxruntime is not installed.
            BundleError: the file is no graph that ONNX Runtime can run.
        """
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise MissingDependency("onnxruntime is not installed; pip install onnxruntime") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads would eat the core that DDS and the executor need between two frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BundleError(f"ONNX Runtime cannot load {model}: {str(error).splitlines()[0]}") from error
        self._names = {i.name for i in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, NDArray], outputs: Iterable[str] | None = None) -> Arrays:
        """Run the graph; inputs that it does not have are passed over (a graph may do without `height`)."""
        names = list(outputs) if outputs else [o.name for o in self._session.get_outputs()]
        fed = {name: np.ascontiguousarray(value) for name, value in inputs.items() if name in self._names}
        return dict(zip(names, self._session.run(names, fed), strict=True))


def example_input(height: int, width: int, batch: int = 1) -> Arrays:
    """A valid dummy input of `contract`, for warm-up, tests and benchmarks."""
    level = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]], np.float32)
    focal = 0.7 * width
    return {
        "image": np.full((batch, height, width, 3), 127, np.uint8),
        "intrinsics": np.tile(np.array([[focal, focal, (width - 1) / 2, (height - 1) / 2]], np.float32), (batch, 1)),
        "viewer_from_camera": np.tile(level, (batch, 1, 1)),
        "height": np.full((batch, 1), 2.4, np.float32),
    }
