"""On the PYTHONPATH, it lets an unedited OpenGait, which demands CUDA and NCCL, run on CPUs.

Python imports it at its start. Everything OpenGait asks of CUDA is answered as one GPU a process would, by the CPU.
"""

import os
import sys

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

CPU = torch.device("cpu")

# As if this package were not installed.
if "HIDDEN_PACKAGE" in os.environ:
    sys.modules[os.environ["HIDDEN_PACKAGE"]] = None


def on_cpu(value):
    """``value``, or the CPU where it is a CUDA device."""
    return CPU if isinstance(value, torch.device | str) and str(value).startswith("cuda") else value


def redirected(function):
    """``function`` with the CPU in the place of CUDA devices."""

    def call(*args, **kwargs):
        return function(*map(on_cpu, args), **{key: on_cpu(value) for key, value in kwargs.items()})

    return call


# A torchvision that was built for CUDA declares these operators in a library that a CPU build of torch cannot load.
library = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

start_processes = torch.distributed.init_process_group
torch.distributed.init_process_group = lambda backend=None, **kwargs: start_processes("gloo", **kwargs)
torch.cuda.device_count = lambda: int(os.environ.get("WORLD_SIZE", os.environ.get("CPU_DEVICES", "1")))
torch.cuda.set_device = lambda device: None
torch.cuda.current_device = lambda: 0
torch.cuda.amp.autocast = lambda enabled=True: torch.autocast("cpu", enabled=False)
torch.cuda.amp.GradScaler = lambda: torch.amp.GradScaler("cpu", enabled=False)
torch.Tensor.cuda = lambda self: self
torch.load = redirected(torch.load)
nn.Module.cuda = lambda self: self
nn.Module.to = redirected(nn.Module.to)
nn.SyncBatchNorm.convert_sync_batchnorm = classmethod(lambda cls, module: module)

build_parallel = DistributedDataParallel.__init__
DistributedDataParallel.__init__ = lambda self, module, device_ids, output_device, find_unused_parameters: (
    build_parallel(self, module, find_unused_parameters=find_unused_parameters)
)
