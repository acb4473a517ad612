#!/usr/bin/env bash
# Counters of parameters and FLOPs disagree about a gait network's head. A fully connected layer for each part of the
# body, kept in one nn.Parameter and applied by matmul (as in GaitSet, GaitBase and what followed), does not exist for
# thop: 576 of 262,720 parameters, and no operation of the head. ptflops has the parameters, and the operations only if
# they are written as matmul, not as @ or einsum. fvcore and torchinfo agree with arithmetic, in multiply-adds;
# PyTorch's own counter gives twice that, a multiplication and an addition being two. It bites in tables of model sizes:
# say which counter, and check it against the sum of p.numel() and one layer by hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  numpy==2.4.6 torch==2.13.0 thop==0.1.1.post2209072238 ptflops==0.7.5 fvcore==0.1.5.post20221221 torchinfo==1.8.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging
from importlib.metadata import version

import thop
import torch
import torchinfo
from fvcore.nn import FlopCountAnalysis, parameter_count
from ptflops import get_model_complexity_info
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

logging.disable(logging.WARNING)
print({name: version(name) for name in ("torch", "thop", "ptflops", "fvcore", "torchinfo")})


class PartHead(nn.Module):
    """[n, c, p] -> [n, d, p], other weights for each part."""

    def __init__(self, by_name):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(16, 64, 256))
        self.by_name = by_name

    def forward(self, x):
        x = x.permute(2, 0, 1)
        return (torch.matmul(x, self.weight) if self.by_name else x @ self.weight).permute(1, 2, 0)


class GaitNet(nn.Module):
    def __init__(self, by_name=False):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 64, 3, padding=1, bias=False), PartHead(by_name)

    def forward(self, sils):
        return self.head(self.conv(sils).reshape(len(sils), 64, 16, -1).amax(-1))


net, sils = GaitNet().eval(), torch.zeros(1, 1, 64, 44)
conv, head = 64 * 9 * 64 * 44, 16 * 64 * 256
truth = conv + head, sum(p.numel() for p in net.parameters())
fvcore = FlopCountAnalysis(net, sils).unsupported_ops_warnings(False)
info = torchinfo.summary(net, input_data=sils, verbose=0)
with torch.no_grad(), FlopCounterMode(display=False) as counter:
    net(sils)
found = {
    "thop": tuple(int(v) for v in thop.profile(GaitNet().eval(), (sils,), verbose=False)),
    "fvcore": (int(fvcore.total()), parameter_count(net)[""]),
    "torchinfo": (info.total_mult_adds, info.total_params),
    "torch": (counter.get_total_flops(), truth[1]),
}
for how, by_name, backend in (("@", False, "pytorch"), ("matmul", True, "pytorch"), ("@, aten", False, "aten")):
    found[f"ptflops, {how}"] = get_model_complexity_info(
        GaitNet(by_name), (1, 64, 44), as_strings=False, print_per_layer_stat=False, backend=backend
    )
print("arithmetic:", truth)
for name, value in found.items():
    print(f"{name}: {value}")
assert found == {
    "thop": (conv, 576),
    "fvcore": truth,
    "torchinfo": truth,
    "torch": (2 * truth[0], truth[1]),
    "ptflops, @": (conv, truth[1]),
    "ptflops, matmul": truth,
    "ptflops, @, aten": truth,
}, "the counters no longer say this"
PYTHON
