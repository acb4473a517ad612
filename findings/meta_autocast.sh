#!/usr/bin/env bash
# Tensors of the device "meta" know no autocast: `torch.autocast("meta")` raises "unsupported scalarType", and under
# `torch.autocast("cpu", torch.bfloat16)` a layer on "meta" still answers in float32. It bites where shapes, memory or
# FLOPs of a gait network are traced without weights: code that enters autocast for its input's own device fails, and
# what is traced is twice as large as what will run. FakeTensorMode casts as the real device does: trace with that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

print("torch", torch.__version__)


def traced(device):
    with torch.autocast("cpu", torch.bfloat16):
        return nn.Conv2d(1, 64, 3, device=device)(torch.empty(30, 1, 64, 44, device=device)).dtype


try:
    torch.autocast("meta")
except RuntimeError as error:
    print('torch.autocast("meta"):', error)
    assert "unsupported scalarType" in str(error)
else:
    raise SystemExit('torch.autocast("meta") works now')
with FakeTensorMode():
    fake = traced("cpu")
found = {"cpu": traced("cpu"), "meta": traced("meta"), "fake": fake}
print("a convolution under autocast to bfloat16:", found)
assert found == {"cpu": torch.bfloat16, "meta": torch.float32, "fake": torch.bfloat16}, "autocast changed"
PYTHON
