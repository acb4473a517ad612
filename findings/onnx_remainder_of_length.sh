#!/usr/bin/env bash
# torch.onnx.export cannot translate `frames % length` where `length` is the size of a dimension that may vary: the
# program is traced, and then "Error when translating node %remainder". It bites when a gait network that repeats the
# frames of short sequences, or takes them by turns, is exported for sequences of any length. The same remainder by
# `frames - frames // length * length` is exported and right at every length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  numpy==2.4.6 torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
"$folder/venv/bin/python" -W ignore - 2> "$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version

import numpy as np
import onnxruntime
import torch
from torch import nn

print({name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")})


class Repeated(nn.Module):
    """A sequence [1, s, c] repeated to 64 frames."""

    def __init__(self, by_floor):
        super().__init__()
        self.by_floor = by_floor

    def forward(self, x):
        frames, length = torch.arange(64), x.shape[1]
        return x[:, frames - frames // length * length if self.by_floor else frames % length]


def export(net):
    length = {1: torch.export.Dim("s")}
    return torch.onnx.export(net, (torch.zeros(1, 30, 4),), dynamic_shapes=(length,), dynamo=True, verbose=False)


try:
    export(Repeated(by_floor=False))
except torch.onnx.OnnxExporterError as error:
    lines = [line for line in str(error).splitlines() if "remainder" in line]
    print("frames % length:", lines[-1][:150] if lines else error)
    assert lines, "another error"
else:
    raise SystemExit("frames % length is exported now")
session = onnxruntime.InferenceSession(export(Repeated(by_floor=True)).model_proto.SerializeToString())
for s in (7, 17, 30, 90):
    x = torch.rand(1, s, 4)
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert np.array_equal(found, Repeated(by_floor=False)(x).numpy())
print("frames - frames // length * length: exported, equal at 7, 17, 30 and 90 frames")
PYTHON
