"""Acclaim's files: a skeleton in an ASF and its motion in an AMC, as the CMU and HDM05 databases come."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.bvh import JointMotion, parse_numbers, read_text

AMC_FPS = 120.0
"""Frames/s: AMC files do not say. CMU and HDM05 recorded nearly everything at this rate."""
_INCH = 0.0254  # m; lengths over the ASF's unit of length are inches
_ROOT = "root"


@dataclass
class _Bone:
    """With the turn from the axes that its angles are about to the skeleton's, and its degrees of freedom, rx … tz."""

    name: str
    parent: str = ""
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))  # of its end from its beginning
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))
    freedom: list[str] = field(default_factory=list)


def read_amc(path: str | Path) -> JointMotion:
    """Read an AMC, and the ASF beside it: the one whose name the AMC's begins with, ``07.asf`` for ``07_01.amc``, or
    the only one.

    A joint is where a bone begins, and is called after it; the end of a last bone is ``lhand_end``. Lengths are in
    metres if the skeleton's are in inches over its unit, as CMU's and HDM05's are.

    Raises:
        UserError: there is no such ASF, or one of the two cannot be read or does not fit the other; the message says
            where.
    """
    path = Path(path)
    source = _find_asf(path)
    inches, bones = _read_asf(source)
    values = _read_frames(path, source, bones)
    count = len(values[_ROOT])

    place = {name: index for index, name in enumerate(bones)}
    last = [name for name in bones if name not in {bone.parent for bone in bones.values()}]
    parents = [place.get(bone.parent, -1) for bone in bones.values()] + [place[name] for name in last]
    starts = [bones[bone.parent].offset if bone.parent else np.zeros(3) for bone in bones.values()]
    offsets = np.array(starts + [bones[name].offset for name in last]) * inches * _INCH
    positions = np.tile(offsets, (count, 1, 1))
    rotations = np.tile(np.eye(3), (count, len(parents), 1, 1))
    for index, bone in enumerate(bones.values()):
        turned = np.eye(3)
        for freedom, column in zip(bone.freedom, values[bone.name].T):
            if freedom[0] == "t":
                positions[:, index, "xyz".index(freedom[1])] += column * inches * _INCH
            else:  # about axes that stay where they are, so that what is done later stands in front
                turned = turn(freedom[1].upper(), column) @ turned
        rotations[:, index] = bone.axes @ turned @ bone.axes.T
    names = (*bones, *(f"{name}_end" for name in last))
    return JointMotion(names, tuple(parents), offsets, rotations, positions, AMC_FPS)


def _find_asf(path: Path) -> Path:
    beside = sorted(file for file in path.parent.glob("*") if file.suffix.lower() == ".asf")
    named = [file for file in beside if path.stem.lower().startswith(file.stem.lower())]
    if named or len(beside) == 1:
        return max(named or beside, key=lambda file: len(file.stem))
    raise UserError(
        f"{path} needs the skeleton of its person: an .asf beside it, {path.stem.split('_')[0]}.asf or the only one. "
        f"Found {list_names(file.name for file in beside)}."
    )


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that say something, with their numbers."""
    bare = ((number, line.partition("#")[0].strip()) for number, line in enumerate(read_text(path).splitlines(), 1))
    return [(number, line) for number, line in bare if line]


def _read_asf(path: Path) -> tuple[float, dict[str, _Bone]]:
    """Inches in one unit of length, and the bones, parents before children, the root first."""
    unit, degrees, section = 1.0, True, ""
    root: dict[str, str] = {}
    known: dict[str, dict[str, str]] = {}
    below: dict[str, list[str]] = {}
    bone: dict[str, str] = {}
    line = ""
    try:
        for _, line in _lines(path):
            key, rest = (*line.split(maxsplit=1), "")[:2]
            if key.startswith(":"):
                section = key.lower()
            elif key in ("begin", "end"):
                if section == ":bonedata" and key == "begin":
                    bone = {}
                elif section == ":bonedata":
                    known[bone["name"]] = bone
            elif section == ":units" and key == "length":
                unit = float(rest)
            elif section == ":units" and key == "angle":
                degrees = rest.lower().startswith("deg")
            elif section == ":root":
                root[key] = rest
            elif section == ":bonedata":
                bone[key] = rest
            elif section == ":hierarchy":
                below[key] = rest.split()
        if not known or not below or not unit > 0:
            raise ValueError("it lacks :bonedata or :hierarchy, or its unit of length is not positive")
        root |= {"axis": f"{root.get('orientation', '0 0 0')} {root['axis']}", "dof": root["order"]}
        bones = {_ROOT: _bone(_ROOT, "", root, degrees)}
        for parent in (waiting := [_ROOT]):
            for child in below.get(parent, []):
                if child in bones:
                    raise ValueError(f"{child} hangs from two bones in :hierarchy")
                bones[child] = _bone(child, parent, known[child], degrees)
                waiting.append(child)
        return 1 / unit, bones
    except KeyError as error:
        raise UserError(f"{path} is no ASF skeleton, or is damaged: it has no {error}.") from error
    except ValueError as error:
        raise UserError(f"{path} is no ASF skeleton, or is damaged, near '{line.strip()}': {error}.") from error


def _bone(name: str, parent: str, told: dict[str, str], degrees: bool) -> _Bone:
    """From its lines in the ASF, by their first words."""
    *angles, order = told["axis"].split()
    about = parse_numbers(" ".join(angles), 3)
    axes = np.eye(3)
    for axis, angle in zip(order.upper(), np.deg2rad(about) if degrees else about):
        axes = turn(axis, angle)[0] @ axes
    freedom = told.get("dof", "").lower().split()
    if strange := [each for each in freedom if not re.fullmatch("r[xyz]" if parent else "[rt][xyz]", each)]:
        raise ValueError(f"{name} has the degree of freedom '{strange[0]}'")
    offset = np.zeros(3)
    if parent:
        offset = parse_numbers(told["direction"], 3) * parse_numbers(told["length"], 1)
    return _Bone(name, parent, offset, axes, freedom)


def _read_frames(path: Path, skeleton: Path, bones: dict[str, _Bone]) -> dict[str, np.ndarray]:
    """The values of each bone's degrees of freedom, [T, D]; angles in rad."""
    angle, numbers = np.pi / 180, []
    frames: list[dict[str, np.ndarray]] = []
    for number, line in _lines(path):
        key, rest = (*line.split(maxsplit=1), "")[:2]
        try:
            if key.startswith(":"):
                angle = 1.0 if key.lower() == ":radians" else angle
            elif key.isdigit() and not rest:
                numbers.append(int(key))
                frames.append({})
            elif key not in bones or not frames:
                raise ValueError(f"'{key}' is no bone of {skeleton.name}" if frames else f"'{key}' is in no frame")
            else:
                frames[-1][key] = parse_numbers(rest, len(bones[key].freedom))
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}: {error}. It is no AMC, or damaged, or {skeleton.name} is another person's."
            ) from error
    moved = [name for name, bone in bones.items() if bone.freedom]
    for frame, number, expected in zip(frames, numbers, range(numbers[0] if numbers else 0, 10**9)):
        missing = [name for name in moved if name not in frame]
        if missing or number != expected:
            what = f"has no {missing[0]}" if missing else f"stands where {expected} should"
            raise UserError(f"{path}: frame {number} {what}. The file was cut off, or was edited; take it again.")
    if not frames:
        raise UserError(f"{path} holds 0 frames. Give an AMC with its motion.")
    scales = {name: [1.0 if each[0] == "t" else angle for each in bone.freedom] for name, bone in bones.items()}
    return {
        name: np.array([frame[name] for frame in frames]) * scales[name] if scales[name] else np.empty((len(frames), 0))
        for name in bones
    }
