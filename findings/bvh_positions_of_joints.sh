#!/usr/bin/env bash
# BVH files may give every joint a position, not only the root, as Bandai-Namco's sets of walks do. Of three readers
# pybvh refuses such a file, bvhio puts the position in the place of the joint's OFFSET (so that zeros shrink a leg to a
# point), and bvh leaves it to the caller, whose own forward kinematics mostly adds OFFSETs and reads rotations alone.
# It bites where recorded walks become skeletons: lengths of limbs depend on the reader. Compare the joint's position
# channels with its OFFSET first; where they are equal, as in most such files, drop the channels and any reader will do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  numpy==2.4.6 pybvh==0.9.0 bvh==0.3 bvhio==1.5.4
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import bvh
import bvhio
import pybvh

print({name: version(name) for name in ("pybvh", "bvh", "bvhio")})
TURN = "Zrotation Yrotation Xrotation"
TEXT = f"""HIERARCHY
ROOT Hips
{{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition {TURN}
  JOINT LeftUpLeg
  {{
    OFFSET 10 -5 0
    CHANNELS LEG
    JOINT LeftLeg
    {{
      OFFSET 0 -40 0
      CHANNELS LEG
      End Site
      {{
        OFFSET 0 -40 0
      }}
    }}
  }}
}}
MOTION
Frames: 2
Frame Time: 0.033333
"""


def write(name, leg, *positions):
    row = ["0 90 0 0 0 0", *(f"{position} 0 0 20" for position in positions)]
    Path(name).write_text(TEXT.replace("LEG", leg) + 2 * (" ".join(row) + "\n"))


def knee(name):
    hierarchy = bvhio.readAsHierarchy(name).loadPose(0)
    place = hierarchy.filter("LeftLeg")[0].PositionWorld
    return [round(float(v), 1) for v in place]


six = f"6 Xposition Yposition Zposition {TURN}"
write("rotations.bvh", f"3 {TURN}", "", "")
write("offsets.bvh", six, "10 -5 0", "0 -40 0")
write("zeros.bvh", six, "0 0 0", "0 0 0")
knees = {name: knee(f"{name}.bvh") for name in ("rotations", "offsets", "zeros")}
print("the knee by bvhio:", knees)
assert knees["rotations"] == knees["offsets"] and knees["zeros"] == [0.0, 90.0, 0.0], "bvhio reads them otherwise now"
channels = bvh.Bvh(Path("zeros.bvh").read_text()).joint_channels("LeftUpLeg")
print("channels by bvh:", channels)
assert "Xposition" in channels
print("pybvh reads", pybvh.read_bvh_file("rotations.bvh"))
try:
    pybvh.read_bvh_file("offsets.bvh")
except ValueError as error:
    print("pybvh:", error)
    assert "position channels on non-root joints" in str(error)
else:
    raise SystemExit("pybvh reads them now")
PYTHON
