"""BVH files: a skeleton and how it moved, as motion capture programs write them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.bones import turn

_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)


@dataclass
class JointMotion:
    """What a motion file says, in its own unit of length.

    Attributes:
        names: of the joints, parents before children; the end of a last bone is called after it, ``LeftHand_end``.
        parents: for each joint its parent's index, -1 for the first.
        offsets: from the parent, [J, 3].
        rotations: against the parent, [T, J, 3, 3].
        positions: relative to the parent, [T, J, 3]: the offsets, but where the file has channels for them.
        fps: frames/s.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    positions: np.ndarray
    fps: float


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[int, str]] = field(default_factory=list)  # axis, position or rotation


def read_bvh(path: str | Path) -> JointMotion:
    """Read a BVH file: any order of channels, on any joints.

    Raises:
        UserError: it cannot be read, is not a BVH, has more than one skeleton, holds no frame, or fewer or other values
            than it says; the message names the line.
    """
    path = Path(path)
    text = read_text(path)
    motion = re.search(r"(?m)^[ \t]*MOTION\b", text)
    if not text.lstrip().startswith("HIERARCHY") or not motion:
        raise UserError(f"{path} is not a BVH file: that begins with a part HIERARCHY, which a part MOTION follows.")
    hierarchy, frames = text[: motion.start()], text[motion.end() :]
    joints = _hierarchy(path, hierarchy)
    first = 1 + text[: motion.end()].count("\n")
    fps, values = _frames(path, frames.splitlines(), first, sum(len(joint.channels) for joint in joints))

    offsets = np.array([joint.offset for joint in joints])
    positions = np.tile(offsets, (len(values), 1, 1))
    rotations = np.tile(np.eye(3), (len(values), len(joints), 1, 1))
    columns = iter(values.T)
    for index, joint in enumerate(joints):
        for axis, kind in joint.channels:
            column = next(columns)
            if kind == "position":
                positions[:, index, axis] = column
            else:
                rotations[:, index] @= turn("XYZ"[axis], np.deg2rad(column))
    names, parents = (tuple(getattr(joint, key) for joint in joints) for key in ("name", "parent"))
    return JointMotion(names, parents, offsets, rotations, positions, fps)


def _hierarchy(path: Path, text: str) -> list[_Joint]:
    joints: list[_Joint] = []
    open_joints = [-1]
    for line in re.sub(r"([{}])", r"\n\1\n", text).splitlines()[1:]:
        key, rest = (*line.split(maxsplit=1), "", "")[:2]
        try:
            if key in ("ROOT", "JOINT"):
                joints.append(_Joint(rest.strip(), open_joints[-1]))
            elif key == "End":
                joints.append(_Joint(f"{joints[open_joints[-1]].name}_end", open_joints[-1]))
            elif key == "{":
                open_joints.append(len(joints) - 1)
            elif key == "}":
                open_joints.pop()
            elif key == "OFFSET":
                joints[-1].offset = parse_numbers(rest, 3)
            elif key == "CHANNELS":
                count, *names = rest.split()
                matches = [_CHANNEL.fullmatch(name) for name in names]
                if len(names) != int(count):
                    raise ValueError(f"{count} channels are announced and {len(names)} named")
                joints[-1].channels = [("XYZ".index(match[1].upper()), match[2].lower()) for match in matches]
            elif key:
                raise ValueError("it is none of ROOT, JOINT, End Site, OFFSET, CHANNELS, { and }")
        except (ValueError, IndexError, TypeError) as error:
            raise UserError(f"{path}: cannot make sense of '{line.strip()}' in HIERARCHY ({error}).") from error
    roots = [joint.name for joint in joints if joint.parent < 0]
    if len(roots) != 1 or open_joints != [-1]:
        found = f"{len(roots)} of them ({', '.join(roots)})" if len(roots) != 1 else "one whose braces do not close"
        raise UserError(f"{path}: HIERARCHY must hold one skeleton, and there is {found}. Export one person alone.")
    return joints


def _frames(path: Path, lines: list[str], first: int, width: int) -> tuple[float, np.ndarray]:
    """Frames/s and the channels' values, [T, C]; ``lines`` begin on line ``first`` of the file."""
    filled = [(number, line) for number, line in enumerate(lines, first) if line.strip()]
    head = " ".join(line.strip() for _, line in filled[:2])
    match = re.fullmatch(r"Frames:\s*(\d+)\s+Frame Time:\s*(\S+)", head)
    try:
        count, step = int(match[1]), float(match[2])
        if not 0 < step < np.inf:
            raise ValueError("it must be positive")
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: MOTION must begin with 'Frames: N' and 'Frame Time: SECONDS', and begins with '{head}'."
        ) from error
    if count == 0:
        raise UserError(f"{path} holds 0 frames. Export it again with its motion.")
    values = np.empty((len(filled) - 2, width))
    for row, (number, line) in zip(values, filled[2:]):
        try:
            row[:] = parse_numbers(line, width)
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}: {error}. The file is damaged, or was cut off; export it again."
            ) from error
    if len(values) != count:
        raise UserError(
            f"{path} announces {count} frames, and holds {len(values)}. It was cut off, or was edited; export it again."
        )
    return 1 / step, values


def read_text(path: Path) -> str:
    """A text file of any encoding that has ASCII in it.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error


def parse_numbers(text: str, count: int) -> np.ndarray:
    """So many finite numbers, float64 [count].

    Raises:
        ValueError: there are others, or other words.
    """
    words = text.split()
    if len(words) != count:
        raise ValueError(f"{len(words)} values, where {count} are expected")
    numbers = np.array(words, float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"value {int(np.isfinite(numbers).argmin()) + 1} is {words[np.isfinite(numbers).argmin()]}")
    return numbers
