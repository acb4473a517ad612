"""MHR's skeleton (Momentum Human Rig, the body of SAM 3D Body) in SMPL's joints."""

import numpy as np

MHR_JOINTS = 127

# For each of SMPL's joints those of MHR whose mean it is. Limbs are the same joints. MHR's root lies between the hips,
# where SMPL's pelvis is a sixth of the way to the shoulders above them; trunk and neck are at SMPL's heights.
# fmt: off
_SMPL_FROM_MHR = (
    (34, 35), (2,), (18,), (35, 36), (3,), (19,), (36, 37), (4,), (20,), (36, 37, 37), (8,), (24,),
    (111,), (74,), (38,), (113,), (75,), (39,), (76,), (40,), (77,), (41,), (88,), (52,),
)
# fmt: on


def mhr_to_smpl(joints: np.ndarray) -> np.ndarray:
    """SMPL's joints [..., 24, 3] of MHR's [..., 127, 3], in whichever axes and unit."""
    return np.stack([joints[..., list(parts), :].mean(-2) for parts in _SMPL_FROM_MHR], -2)
