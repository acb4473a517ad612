"""Where to compute."""

import os

import torch

from opengait_meshgait.common.errors import UserError


def pick_device(name: str) -> torch.device:
    """The device that ``--device`` names; each of several processes takes its own GPU.

    Raises:
        UserError: CUDA is asked for and there is none, or fewer GPUs than processes.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no CUDA device here. Use --device cpu, or fix the driver.")
    local = int(os.environ.get("LOCAL_RANK", 0))
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
