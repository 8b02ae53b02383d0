"""Several processes, one step: each learns its share of every batch, gradients are averaged, the first one writes.

    torchrun --standalone --nproc-per-node 4 -m or_spatial.cli train --config config/training/tiny.yaml

The loss calls parts of the model instead of its `forward`, so gradients are averaged here, in the open, and not by
DistributedDataParallel. Every loss term is a mean over what a process's own share speaks of; the step follows the mean
of these means. Batch norms, too, normalise by the own share; their running statistics are averaged after every step, so
that all processes hold the same model at any time and the first one's is the checkpoint.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from or_spatial.errors import ConfigError

_PATIENCE = timedelta(days=2)  # all wait for the first one while it renders, which can take a day


def rank() -> int:
    """The number of this process among those that torchrun started; 0 without torchrun."""
    return int(os.environ.get("RANK", "0"))


def best_device() -> torch.device:
    """The GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def joined() -> Iterator["Processes"]:
    """All processes that torchrun started, once each of them has come here; this one alone without torchrun.

    Raises:
        ConfigError: more processes than GPUs on a machine that has some.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    gpus, local = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(count)))
    if gpus and here > gpus:
        raise ConfigError(f"{here} processes for {gpus} GPUs: one each; torchrun --nproc-per-node {gpus}")
    if gpus:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if gpus else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(rank(), count, torch.device("cuda", local) if gpus else torch.device("cpu"))
        dist.barrier()  # the first one still writes
    finally:
        dist.destroy_process_group()


@dataclass(frozen=True)
class Processes:
    """This process, number `rank` of `count`, on its device. Alone, every method gives back what it was given."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=best_device)

    @property
    def first(self) -> bool:
        """Whether this is the one that renders, validates, writes and speaks."""
        return self.rank == 0

    def require_shares(self, batches: Sequence[int], frames: int) -> None:
        """Refuse what cannot be shared out evenly.

        Raises:
            ConfigError: a batch that is no multiple of the number of processes, or fewer frames than it asks for.
        """
        for batch in batches if self.count > 1 else ():
            if batch % self.count:
                raise ConfigError(f"{self.count} processes cannot share a batch of {batch}; take a multiple of them")
            if frames < batch:
                raise ConfigError(f"{self.count} processes cannot share {frames} frames in batches of {batch}")

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()

    def mean(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """Each loss term (a scalar) as its mean over all processes; not finite where it is not finite in any."""
        values = torch.stack([value.detach().float() for value in terms.values()])
        self._average([values])
        return dict(zip(terms, values.tolist(), strict=True))

    def any(self, said: bool) -> bool:
        """Whether any process says so: then all of them do."""
        if self.count == 1:
            return said
        votes = torch.tensor(float(said), device=self.device)
        dist.all_reduce(votes)
        return bool(votes > 0)

    def agree_on(self, model: nn.Module) -> None:
        """Make the gradients of all processes their mean, and the running statistics of batch norms as well.

        A parameter that nobody's loss has reached stays without gradient, so that no decay pulls at it either.
        """
        if self.count == 1:
            return
        learning = [p for p in model.parameters() if p.requires_grad]
        reached = torch.tensor([float(p.grad is not None) for p in learning], device=self.device)
        dist.all_reduce(reached)
        taught = [p for p, by in zip(learning, reached.tolist(), strict=True) if by]
        for parameter in taught:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        statistics = [b for name, b in model.named_buffers() if name.endswith(("running_mean", "running_var"))]
        self._average([*(p.grad for p in taught if p.grad is not None), *statistics])

    def _average(self, tensors: Sequence[Tensor]) -> None:
        """In place, in one message."""
        if self.count == 1:
            return
        message = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(message)
        parts = (message / self.count).split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))
