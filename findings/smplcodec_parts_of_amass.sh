#!/usr/bin/env bash
# smplcodec's reader of AMASS files loses the pose of a file that has it in parts (root_orient, pose_body, pose_hand,
# the names of AMASS itself) and no `poses`: it looks whether there is a key "body_pose", which no such file has, prints
# "No pose parameters in file!!!", and returns a motion of the right length that stands still. It bites where motions
# were trimmed to save space before they become .smpl files. Concatenate the parts to `poses` first, in the order
# root_orient, pose_body, pose_jaw, pose_eye, pose_hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 smplcodec==2.3.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from smplcodec.codec import SMPLCodec

print("smplcodec", version("smplcodec"))
frames = 6
widths = {"root_orient": 3, "pose_body": 63, "pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
parts = {name: np.random.default_rng(0).normal(size=(frames, width)) for name, width in widths.items()}
common = {
    "gender": "neutral", "surface_model_type": "smplx", "mocap_frame_rate": 120.0,
    "trans": np.zeros((frames, 3)), "betas": np.zeros(16),
}  # fmt: skip
np.savez("whole.npz", poses=np.concatenate(list(parts.values()), axis=1), **parts, **common)
np.savez("parts.npz", **parts, **common)
moves = {}
for name in ("whole", "parts"):
    motion = SMPLCodec.from_amass_npz(f"{name}.npz")
    moves[name] = bool(np.any(motion.full_pose))
    print(f"{name}.npz: {motion.frame_count} frames, full_pose {motion.full_pose.shape}, moves: {moves[name]}")
assert moves == {"whole": True, "parts": False}, "the parts are read now"
PYTHON
