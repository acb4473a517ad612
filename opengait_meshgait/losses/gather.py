"""One batch over several processes.

Every process sees ``n`` sequences of a batch of ``world size × n``, and DistributedDataParallel averages the
gradients. All that is here serves one rule: **the mean over the processes of every loss, of its gradient and of what
it logs is what one process would have got from the whole batch.** In one process the functions do nothing.
"""

import torch
import torch.distributed as dist

from opengait_meshgait.common.distributed import world_size


def gather(own: torch.Tensor) -> torch.Tensor:
    """The tensors of all processes, one below the other in the order of their ranks.

    Only the part of this process carries a gradient, multiplied by the world size: every process computes the same
    loss of the whole batch, and the mean of their gradients is then its gradient.

    Args:
        own: ``[n, ...]``, the same shape in every process.

    Returns:
        ``[world size · n, ...]``.
    """
    world = world_size()
    if world == 1:
        return own
    parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(world)]
    dist.all_gather(parts, own.detach().contiguous())
    parts[dist.get_rank()] = own
    whole = torch.cat(parts)
    if whole.requires_grad:
        whole.register_hook(lambda gradient: gradient * world)
    return whole


def mean_over_processes(weight: torch.Tensor) -> torch.Tensor:
    """The mean of ``weight`` over the processes.

    A weighted sum over this process's frames, divided by the *mean* weight of a process, obeys the rule above even
    where the processes have different weights.
    """
    return _reduce(weight, dist.ReduceOp.SUM) / world_size()


def everywhere(flags: torch.Tensor) -> torch.Tensor:
    """Which of the boolean ``flags`` are true in every process."""
    return _reduce(flags, dist.ReduceOp.MIN) > 0


def _reduce(values: torch.Tensor, operation: dist.ReduceOp.RedOpType) -> torch.Tensor:
    values = values.detach().float()
    if world_size() > 1:
        values = values.clone()
        dist.all_reduce(values, operation)
    return values
