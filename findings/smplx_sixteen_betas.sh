#!/usr/bin/env bash
# smplx gives a body of 10 shape coefficients where the file has 16 and 16 are asked for: only a file of 300 or more
# counts as full. AMASS's motions have 16 betas and its SMPL+H files as many, so that `num_betas=16` builds a body that
# refuses them in an einsum, and cutting them to 10 gives another person. A line on the standard output, about "a SMPL+H
# model, with only 10 shape coefficients", is the only sign. Compute v_template + shapedirs @ betas from the file itself
# and hand it over as the v_template of a body whose betas are zero.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 torch==2.13.0 smplx==0.1.28
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import smplx
import torch

print("smplx", version("smplx"), "torch", torch.__version__)
vertices, joints, betas = 6890, 52, 16
rng = np.random.default_rng(0)
fingers = [20, 22, 23, 20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35]
body = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
parents = np.array(body + fingers + [21 if p == 20 else p + 15 for p in fingers])
regressor = np.zeros((joints, vertices))
regressor[np.arange(joints), np.arange(joints) * 100] = 1
weights = np.eye(joints)[rng.integers(0, joints, vertices)]
template, shapes = rng.normal(size=(vertices, 3)), rng.normal(size=(vertices, 3, betas)) * 1e-3
hands = {f"hands_components{side}": np.eye(45) for side in "lr"} | {f"hands_mean{side}": np.zeros(45) for side in "lr"}
np.savez(
    "SMPLH_NEUTRAL.npz", v_template=template, shapedirs=shapes, posedirs=np.zeros((vertices, 3, 9 * (joints - 1))),
    J_regressor=regressor, weights=weights, kintree_table=np.stack([parents, np.arange(joints)]),
    f=rng.integers(0, vertices, (100, 3)), **hands,
)  # fmt: skip
model = smplx.create("SMPLH_NEUTRAL.npz", model_type="smplh", ext="npz", num_betas=betas, use_pca=False)
print("shapedirs of the file", shapes.shape, "of the model", tuple(model.shapedirs.shape), "num_betas", model.num_betas)
assert model.num_betas == 10, "all coefficients are kept now"
person = torch.as_tensor(rng.normal(size=(1, betas)), dtype=torch.float32)
try:
    model(betas=person)
except RuntimeError as error:
    print("16 betas:", error)
else:
    raise SystemExit("16 betas are accepted now")
wanted = template + shapes @ person[0].numpy()
missing = np.linalg.norm(model(betas=person[:, :10]).vertices[0].numpy(force=True) - wanted, axis=1).mean()
print(f"10 of them: vertices of this made-up body are {1000 * missing:.1f} mm off on average")
assert missing > 1e-3, "nothing is missing now"
PYTHON
