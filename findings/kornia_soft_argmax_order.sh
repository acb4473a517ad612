#!/usr/bin/env bash
# kornia's soft-argmax of 3D heatmaps returns depth, column, row, while its 2D brother returns column, row, and
# torch.nn.functional.grid_sample wants column, row, depth. create_meshgrid3d has the same order. It bites where virtual
# markers or joints are read off 3D heatmaps: coordinates in the order z, x, y train as well as any other, and only
# drawings and errors in millimetres show it. Reorder with `[..., [1, 2, 0]]` before anything else touches them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 torch==2.13.0 kornia==0.9.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import kornia
import torch
import torch.nn.functional as F
from kornia.geometry.subpix import conv_soft_argmax2d, conv_soft_argmax3d

print("kornia", kornia.__version__, "torch", torch.__version__)
depth, row, column = 3, 5, 7
heatmap = torch.zeros(1, 1, 5, 7, 9)
heatmap[0, 0, depth, row, column] = 50.0
flat = conv_soft_argmax2d(heatmap[:, :, depth], (7, 9), padding=(0, 0), normalized_coordinates=False).flatten()
solid = conv_soft_argmax3d(heatmap, (5, 7, 9), padding=(0, 0, 0), output_value=False).flatten()
print(f"the peak is at depth {depth}, row {row}, column {column}; 2D: {flat.tolist()}, 3D: {solid.tolist()}")
assert flat.round().tolist() == [column, row]
assert solid.round().tolist() == [depth, column, row], "the order changed"
place = conv_soft_argmax3d(
    heatmap, (5, 7, 9), padding=(0, 0, 0), normalized_coordinates=True, output_value=False
).flatten()
values = [F.grid_sample(heatmap, p.view(1, 1, 1, 1, 3), align_corners=True).item() for p in (place, place[[1, 2, 0]])]
print(f"grid_sample there: {values[0]:.1f}, reordered: {values[1]:.1f} of 50")
assert values[0] < 1 and values[1] > 49
PYTHON
