"""Several processes on one step: each takes its share of the tasks, and the gradients are added.

Started by torchrun; a plain start is a group of one. DistributedDataParallel is not used because
its hooks do not see gradients taken by torch.autograd.grad, as MAML's inner loop does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

_PATIENCE = timedelta(hours=2)
"""How long the others wait while the first process validates."""


@dataclass(frozen=True, slots=True)
class Group:
    """This process among those that train together."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def add_gradients(self, module: nn.Module) -> None:
        """Replace every gradient by its sum over the processes."""
        if self.size == 1:
            return
        parameters = [p for p in module.parameters() if p.requires_grad]
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
        )
        dist.all_reduce(flat)
        parts = torch.split(flat, [p.numel() for p in parameters])
        for p, part in zip(parameters, parts, strict=True):
            p.grad = part.view_as(p)

    def share_weights(self, module: nn.Module) -> None:
        """Give every process the weights and buffers of the first; waits for it."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def sum(self, value: float) -> float:
        """Sum of `value` over the processes; waits for all of them."""
        return self._reduce(value, dist.ReduceOp.SUM)

    def max(self, value: float) -> float:
        """Largest `value` of any process; waits for all of them."""
        return self._reduce(value, dist.ReduceOp.MAX)

    def _reduce(self, value: float, operation: dist.ReduceOp.RedOpType) -> float:
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return float(tensor)


def leads_group() -> bool:
    """Whether this process is the first of its group, also after the group has ended."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined_group(device: torch.device) -> Iterator[Group]:
    """The group that torchrun's environment variables describe, or a group of one.

    All its processes must leave together; one that fails leaves at once, and the others then fail.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Group(device)
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo", timeout=_PATIENCE, device_id=device if on_gpu else None
    )
    try:
        yield Group(device, dist.get_rank(), dist.get_world_size())
        # Whoever left early would break off what the others still receive. Once all are here,
        # nothing is under way, and an error means only that somebody was quicker to leave.
        with suppress(RuntimeError):
            dist.barrier()
    finally:
        dist.destroy_process_group()
