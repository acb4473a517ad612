#!/usr/bin/env bash
# A marker that the cameras lost is NaN when ezc3d reads a C3D file, and 0, 0, 0 with -1 in the fourth column when c3d
# reads the same file. It bites when recorded gait becomes training data: with c3d, a heel that was hidden for a frame
# jumps to the corner of the laboratory, means and filters take that for a position, and nothing complains. Mask the
# frames whose fourth column is negative (c3d), or isnan (ezc3d), before anything else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 ezc3d==1.7.2 c3d==0.6.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import c3d
import ezc3d
import numpy as np

print("ezc3d", version("ezc3d"), "c3d", version("c3d"))
points = np.ones((4, 1, 4))  # x, y, z, 1; one marker; four frames
points[:3, 0] = [[500, 510, 520, 530], [100] * 4, [40] * 4]
points[:3, 0, 2] = np.nan  # hidden
file = ezc3d.c3d()
file["parameters"]["POINT"]["RATE"]["value"] = [100]
file["parameters"]["POINT"]["LABELS"]["value"] = ("LHEE",)
file["data"]["points"] = points
file.write("walk.c3d")

first = ezc3d.c3d("walk.c3d")["data"]["points"][:3, 0].T
with open("walk.c3d", "rb") as stream:
    second = np.stack([frame[0] for _, frame, _ in c3d.Reader(stream).read_frames()])
print("ezc3d\n", first, "\nc3d\n", second)
print("mean x by c3d", second[:, 0].mean(), "masked", second[second[:, 3] >= 0, 0].mean())
assert np.isnan(first[2]).all() and not np.isnan(first[[0, 1, 3]]).any(), "ezc3d reads it otherwise now"
assert (second[2, :3] == 0).all() and second[2, 3] == -1, "c3d reads it otherwise now"
PYTHON
