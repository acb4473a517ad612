"""SMPL-X's body (Pavlakos et al., 2019) as a body of SMPL's 24 joints, whose fingers and face are at rest."""

from collections.abc import Mapping

import numpy as np

from opengait_meshgait.body.layout import NUM_JOINTS

SMPLX_JOINTS = 55

_SHARED = 22  # joints that the two have in common, in the same order
_HANDS = ((28, 20), (43, 21))  # SMPL's hands are the middle fingers' first joints here; and the wrists they hang from
_HEAD, _FACE = 15, slice(22, 25)
_FINGERS = (slice(25, 40), slice(40, 55))


def reduce_smplx(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A body file's arrays with 24 joints in place of 55.

    Where fingers, jaw and eyes do not turn, vertices and the first 22 joints are those of SMPL-X.

    Args:
        arrays: as :class:`~opengait_meshgait.body.model.BodyModel` takes them, but of 55 joints.
    """
    result = dict(arrays)
    kept = [*range(_SHARED), *(finger for finger, _ in _HANDS)]
    result["J_regressor"] = arrays["J_regressor"][kept]
    weights = np.zeros((len(arrays["weights"]), NUM_JOINTS), arrays["weights"].dtype)
    weights[:, :_SHARED] = arrays["weights"][:, :_SHARED]
    weights[:, _HEAD] += arrays["weights"][:, _FACE].sum(1)
    for hand, fingers in enumerate(_FINGERS, start=_SHARED):
        weights[:, hand] = arrays["weights"][:, fingers].sum(1)
    result["weights"] = weights
    parents = [*arrays["kintree_table"][0, :_SHARED], *(wrist for _, wrist in _HANDS)]
    result["kintree_table"] = np.array([parents, range(NUM_JOINTS)], arrays["kintree_table"].dtype)
    if "posedirs" in arrays:
        shared = arrays["posedirs"][..., : 9 * (_SHARED - 1)]
        hands = np.zeros((*shared.shape[:-1], 9 * len(_HANDS)), shared.dtype)
        result["posedirs"] = np.concatenate([shared, hands], -1)
    return result
