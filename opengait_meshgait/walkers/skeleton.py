"""Which joint of a recorded skeleton is which of the body's, by the names that motion capture programs give."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from opengait_meshgait.common.errors import UserError

# What a joint of the body is called, without its side, best first; where two joints claim a name the first has it
# ("LeftShoulder" is the collar of most skeletons, and the upper arm of those that have a "LeftCollar").
_LIMB_NAMES = {
    "hip": ("upleg", "upperleg", "thigh", "thighbend", "femur", "hip"),
    "knee": ("leg", "lowerleg", "lowleg", "shin", "calf", "tibia", "knee"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "upperarm", "uparm", "uarm", "shldr", "shldrbend", "humerus", "shoulder"),
    "elbow": ("forearm", "forearmbend", "lowerarm", "lowarm", "farm", "radius", "elbow"),
    "wrist": ("wrist", "hand"),
    "collar": ("collar", "collarbone", "clavicle", "shoulder"),
}
_TRUNK_NAMES = {
    "pelvis": ("hips", "pelvis", "hip", "root", "bip"),
    "neck": ("neck", "lowerneck"),
    "head": ("head",),
}
# Where forearms are called by their bone, as in Acclaim files, "wrist" is the lower half of it.
_HALVED_FOREARM = "radius"
_MAY_LACK = ("wrist", "collar", "neck", "head")
_LIMBS = (("pelvis", "hip", "knee", "ankle"), ("shoulder", "elbow"))


@dataclass(frozen=True)
class Skeleton:
    """Where the body's joints are in a recorded skeleton.

    Attributes:
        joints: index of each joint that was found, by its name in :data:`~opengait_meshgait.body.layout.JOINT_NAMES`;
            without those of the spine.
        spine: indices of the joints between the pelvis and the arms, the lowest first.
    """

    joints: dict[str, int]
    spine: tuple[int, ...]


def find_joints(names: Sequence[str], parents: Sequence[int]) -> Skeleton:
    """Find the body's joints by name, whatever case, prefix (``mixamorig:``) and mark of the side the names have.

    Args:
        names, parents: of the recorded skeleton; parents come before children, the first joint has parent -1.

    Raises:
        UserError: a joint is missing that cannot be done without, or hangs from the wrong one.
    """
    plain = _plain(names)
    if any(f"{side}{_HALVED_FOREARM}" in plain for side in "lr"):
        plain = {name: index for name, index in plain.items() if name not in ("lwrist", "rwrist")}
    joints = {joint: plain[name] for joint, known in _TRUNK_NAMES.items() if (name := _first(known, plain))}
    for side in ("left", "right"):
        taken: set[str] = set()
        for joint, known in _LIMB_NAMES.items():
            spelled = [form for name in known for form in (side + name, name + side, side[0] + name, name + side[0])]
            if found := _first([name for name in spelled if name not in taken], plain):
                taken.add(found)
                joints[f"{side}_{joint}"] = plain[found]

    wanted = _TRUNK_NAMES | {
        f"{side}_{joint}": known for joint, known in _LIMB_NAMES.items() for side in ("left", "right")
    }
    missing = [joint for joint in wanted if joint not in joints and not joint.endswith(_MAY_LACK)]
    if not missing:
        both = [set(_ancestors(joints[f"{side}_shoulder"], parents)) for side in ("left", "right")]
        spine = sorted((both[0] & both[1]) - {joints["pelvis"], *_ancestors(joints["pelvis"], parents)})
        if spine and not (misplaced := _misplaced(joints, parents)):
            return Skeleton(joints, tuple(spine))
        if spine:
            raise UserError(
                f"The joint {names[joints[misplaced[1]]]} should hang from {names[joints[misplaced[0]]]}. "
                f"{_found(names)}"
            )
        missing = ["spine"]
    wanted["spine"] = ("any joint between the hips and both arms",)
    looked_for = [f"{joint.replace('_', ' ')} ({', '.join(wanted[joint])})" for joint in missing]
    raise UserError(
        f"The skeleton has no {'; no '.join(looked_for)}: names are tried in any case, with left, right, l or r before "
        f"or behind them. {_found(names)} Rename its joints, for example Hips, Spine, LeftUpLeg, LeftLeg, LeftFoot, "
        "LeftArm, LeftForeArm."
    )


def _plain(names: Sequence[str]) -> dict[str, int]:
    """Index of each name in small letters without prefix, punctuation and number; of equal ones the first."""
    short = [re.sub(r"[\W_]", "", name.split(":")[-1].lower()) for name in names]
    # 3ds Max calls the root Bip01 and what hangs from it Bip01 Spine …, also below a root of another name.
    short = [re.sub(r"^bip\d+(?=\D)", "", name) for name in short]
    prefix = len(os.path.commonprefix(short))
    plain = [re.sub(r"\d+$", "", name[prefix:]) for name in short]
    return {name: index for index, name in reversed(list(enumerate(plain)))}


def _first(candidates: Sequence[str], names: dict[str, int]) -> str | None:
    return next((name for name in candidates if name in names), None)


def _ancestors(joint: int, parents: Sequence[int]) -> list[int]:
    """From the parent up to the first joint."""
    found = []
    while (joint := parents[joint]) >= 0:
        found.append(joint)
    return found


def _misplaced(joints: dict[str, int], parents: Sequence[int]) -> tuple[str, str] | None:
    """An upper and a lower joint of a limb of which the lower does not hang from the upper."""
    for side in ("left", "right"):
        for limb in _LIMBS:
            chain = [joint if joint == "pelvis" else f"{side}_{joint}" for joint in limb]
            for upper, lower in zip(chain, chain[1:]):
                if joints[upper] not in _ancestors(joints[lower], parents):
                    return upper, lower
    return None


def _found(names: Sequence[str]) -> str:
    return f"It has: {', '.join(names)}."
