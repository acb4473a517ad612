"""Where to compute: the device, and one process or the several that ``torchrun`` started."""

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.memory import keep_freed_memory

DEVICES = ("auto", "cpu", "cuda")
"""What ``--device`` names."""


def pick_device(name: str | torch.device) -> torch.device:
    """The device that ``--device`` names, or ``cuda:1``, or one of PyTorch's; of ``cuda`` and ``auto`` each of several
    processes takes its own GPU.

    On a CPU, this process keeps the memory that it frees.

    Raises:
        UserError: CUDA is asked for and there is none, or fewer GPUs than processes; it is neither CPU nor CUDA.
    """
    name, _, number = str(name).partition(":")
    if name not in DEVICES or (number and not (name == "cuda" and number.isdecimal())):
        raise UserError(f"Unknown device '{name}{number and ':'}{number}'. {did_you_mean(name, DEVICES)}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        keep_freed_memory()
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no CUDA device here. Use --device cpu, or fix the driver.")
    local = int(number or os.environ.get("LOCAL_RANK", "0"))
    if number and local >= torch.cuda.device_count():
        raise UserError(f"There is no cuda:{local}: this machine has {torch.cuda.device_count()} GPU(s), from cuda:0.")
    if local >= torch.cuda.device_count():
        raise UserError(
            f"Process {local} has no GPU: this machine has {torch.cuda.device_count()}. Lower --nproc_per_node."
        )
    return torch.device("cuda", local)


def half_precision(device: torch.device) -> torch.dtype | None:
    """The 16-bit type that ``device`` trains faster in than in float32: float16 on CUDA, bfloat16 on a CPU that
    multiplies it in hardware (AVX-512 BF16 or AMX), None on others."""
    if device.type == "cuda":
        return torch.float16
    # Unknown before PyTorch 2.13: float32 then.
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else None


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What ``--precision`` names besides ``auto``."""


def pick_precision(name: str, device: torch.device) -> str:
    """The key of :data:`PRECISIONS` that ``name`` means; ``auto``: 16 bits where ``device`` is faster with them.

    Raises:
        UserError: float16 on a CPU, which computes in it more slowly and less exactly than in the others; an unknown
            name.
    """
    if name not in ("auto", *PRECISIONS):
        raise UserError(f"Unknown precision '{name}'. {did_you_mean(str(name), ('auto', *PRECISIONS))}")
    if name == "fp16" and device.type == "cpu":
        raise UserError("--precision fp16 is for GPUs. On a CPU take fp32, or bf16 where the processor has it (auto).")
    if name != "auto":
        return name
    half = half_precision(device)
    return next(key for key, dtype in PRECISIONS.items() if dtype is (half or torch.float32))


def rank() -> int:
    """This process's number; 0 when it is the only one."""
    return dist.get_rank() if _joined() else 0


def world_size() -> int:
    """How many processes share the work."""
    return dist.get_world_size() if _joined() else 1


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextmanager
def processes(device_name: str) -> Iterator[torch.device]:
    """This process's device; for the time of the block, the processes of ``torchrun`` know each other.

    A DistributedDataParallel must not outlive the block. It would be the last that holds Gloo's process group, and free
    it without giving other threads the interpreter; where one of Gloo's just needs it, both wait for ever (seen once,
    with PyTorch 2.13).
    """
    device = pick_device(device_name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    joins = int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized()
    if joins:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        if joins:
            _cpu_group.cache_clear()
            dist.destroy_process_group()


def wait_for_all() -> None:
    """Return when every process has come here."""
    if world_size() > 1:
        dist.barrier()


def gather_to_rank0(value: Any) -> list[Any] | None:
    """The values of all processes in the order of their ranks, in process 0; None in the others."""
    if world_size() == 1:
        return [value]
    values = [None] * world_size() if rank() == 0 else None
    dist.gather_object(value, values)
    return values


@functools.cache
def _cpu_group() -> Any:
    """All processes, for small values that lie on the CPU."""
    return None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")


def largest(number: int) -> int:
    """The largest of the processes' numbers, in all of them."""
    if world_size() == 1:
        return number
    value = torch.tensor(number)
    dist.all_reduce(value, dist.ReduceOp.MAX, _cpu_group())
    return int(value)


def mean_scalars(scalars: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Means over the processes."""
    if not scalars:
        return {}
    values = torch.stack([value.float() for value in scalars.values()])
    if world_size() > 1:
        dist.all_reduce(values)
        values = values / world_size()
    return dict(zip(scalars, values.tolist()))
