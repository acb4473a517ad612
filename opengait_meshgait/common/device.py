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
        raise UserError("--device cuda: PyTorch sees no CUDA device here. Use --device cpu, or mend the driver.")
    local = int(os.environ.get("LOCAL_RANK", 0))
    if local >= torch.cuda.device_count():
        raise UserError(
            f"Process {local} has no GPU: this machine has {torch.cuda.device_count()}. Lower --nproc_per_node."
        )
    return torch.device("cuda", local)
