"""Closed meshes of what is worn or carried and does not follow the skin: coat hems, skirts, buns, hats and bags."""

from dataclasses import dataclass

import numpy as np

from opengait_meshgait.body.layout import NUM_JOINTS
from opengait_meshgait.walkers.clothing import Wardrobe

_SEGMENTS, _RINGS = 20, 7
_GIRDLE = 40  # vertices around the body whose extent stands for its girth
HANGING = NUM_JOINTS
"""Index of a frame that hangs upright from the hand, after those of the joints."""
HANDS = {1: 22, -1: 23}
"""Hand joint of each side."""
_HEAD = 15


@dataclass(frozen=True)
class Accessory:
    """A closed mesh and the frames that carry it.

    Attributes:
        vertices: in the rest pose, m, [P, 3].
        faces: [Q, 3].
        weights: of the 24 joints and of :data:`HANGING`, [P, 25].
    """

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray


def make_accessories(
    wardrobe: Wardrobe, condition: str, rest: np.ndarray, weights: np.ndarray, joints: np.ndarray
) -> list[Accessory]:
    """What is worn and carried on a walk.

    Args:
        wardrobe: the person's.
        condition: nm, bg or cl.
        rest, weights, joints: of the dressed body in the rest pose, m, [V, 3]; for skinning, [V, 24]; m, [24, 3].
    """
    worn = []
    if wardrobe.skirt:
        worn.append(_hem(rest, weights, joints, wardrobe.skirt, 0.02, 0.005))
    if condition == "cl":
        worn.append(_hem(rest, weights, joints, wardrobe.coat_length, wardrobe.coat_flare, wardrobe.coat))
    head = rest[weights[:, _HEAD] > 0.5]
    if wardrobe.hair_style == "bun":
        worn.append(_bun(head, 0.03 + wardrobe.hair))
    if wardrobe.hat in ("cap", "hat"):
        worn += _hat(head, all_around=wardrobe.hat == "hat")
    if condition == "bg":
        worn.append(_bag(wardrobe, rest, weights, joints))
    return worn


def _bun(head: np.ndarray, radius: float) -> Accessory:
    low, high = head.min(0), head.max(0)
    centre = np.array([0, low[1] + 0.75 * (high[1] - low[1]), low[2] - 0.3 * radius])
    return _lump(centre, np.full(3, radius), 1.0, _HEAD)


def _hat(head: np.ndarray, all_around: bool) -> list[Accessory]:
    """A crown over the top of the head [P, 3], with a brim all around or a peak in front."""
    low, high = head.min(0), head.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    height = 0.07 if all_around else 0.035
    crown = np.array([half[0] + 0.006, half[1] * 0.5 + height / 2, half[2] + 0.006])
    rim = high[1] + height - 2 * crown[1]
    worn = [_lump(np.array([0, rim + crown[1], middle[2]]), crown, 0.7, _HEAD)]
    out = 0.06 if all_around else 0.0
    brim = np.array([crown[0] + out, 0.008, crown[2] + out])
    worn.append(_lump(np.array([0, rim + 0.01, middle[2] + (0.0 if all_around else 0.07)]), brim, 1.0, _HEAD))
    return worn


def _bag(wardrobe: Wardrobe, rest: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> Accessory:
    size = np.array(wardrobe.bag_size) / 2
    side = wardrobe.bag_side
    if wardrobe.bag == "handbag":
        hand = joints[HANDS[side]]
        return _lump(hand - [0, 0.12 + size[1], 0], size, 0.4, HANGING)
    torso = rest[weights[:, [0, 3, 6, 9]].sum(1) > 0.8]
    if wardrobe.bag == "backpack":
        level = torso[np.abs(torso[:, 1] - joints[9, 1]) < 0.08]
        centre = np.array([0, joints[9, 1] - 0.3 * size[1], level[:, 2].min() - 0.8 * size[2]])
        return _lump(centre, size, 0.5, 9)
    hips = torso[np.abs(torso[:, 1] - joints[0, 1]) < 0.08]
    centre = np.array([side * (np.abs(hips[:, 0]).max() + 0.8 * size[0]), joints[0, 1] + 0.02, joints[0, 2] - 0.05])
    return _lump(centre, size, 0.5, 0)


def _lump(centre: np.ndarray, radii: np.ndarray, roundness: float, frame: int) -> Accessory:
    """A superquadric (Barr, "Superquadrics and Angle-Preserving Transformations", 1981): 1 is an ellipsoid, 0 a box."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, _RINGS)[:, None]
    longitude = np.arange(_SEGMENTS) * 2 * np.pi / _SEGMENTS

    def power(x: np.ndarray) -> np.ndarray:
        return np.sign(x) * np.abs(x) ** roundness

    x, y, z = np.broadcast_arrays(
        power(np.cos(latitude)) * power(np.cos(longitude)),
        power(np.sin(latitude)),
        power(np.cos(latitude)) * power(np.sin(longitude)),
    )
    vertices = centre + radii * np.stack([x, y, z], -1).reshape(-1, 3)
    weights = np.zeros((len(vertices), NUM_JOINTS + 1))
    weights[:, frame] = 1
    return Accessory(vertices, _tube_faces(), weights)


def _hem(
    rest: np.ndarray, weights: np.ndarray, joints: np.ndarray, length: float, flare: float, gap: float
) -> Accessory:
    """Cloth from the waist around both thighs: a tube of elliptic rings whose halves follow a thigh each.

    It ends ``length`` thighs below the hips, ``flare`` m wider than the body; ``gap`` m are between body and cloth.
    """
    body = rest[weights[:, [0, 1, 2, 3, 4, 5, 6]].sum(1) > 0.8]
    top, hips, knees = joints[3, 1], joints[1, 1], joints[4, 1]
    levels = np.linspace(top, hips + length * (knees - hips), _RINGS)
    thigh = abs(hips - knees)
    longitude = np.arange(_SEGMENTS) * 2 * np.pi / _SEGMENTS
    vertices, follow = [], []
    width = front = back = 0.0
    for level in levels:
        girdle = body[np.abs(body[:, 1] - level).argsort()[:_GIRDLE]]
        below = np.clip((hips - level) / thigh, 0, None)
        # Cloth hangs: it never gets narrower downwards.
        width = max(width, np.abs(girdle[:, 0]).max() + gap)
        front = max(front, girdle[:, 2].max() + gap)
        back = max(back, -girdle[:, 2].min() + gap)
        depth = np.where(np.sin(longitude) > 0, front, back) + flare * below
        x = (width + flare * below) * np.cos(longitude)
        vertices.append(np.stack([x, np.full_like(x, level), depth * np.sin(longitude)], -1))
        left = 0.5 + 0.5 * np.sin(np.clip(1.6 * np.cos(longitude), -np.pi / 2, np.pi / 2))
        share = np.zeros((_SEGMENTS, NUM_JOINTS + 1))
        bound = np.clip(below * 1.6 + 0.15, 0, 0.85) if level < hips else 0.0
        share[:, 1], share[:, 2], share[:, 0] = bound * left, bound * (1 - left), 1 - bound
        follow.append(share)
    return Accessory(np.concatenate(vertices), _tube_faces(), np.concatenate(follow))


def _tube_faces() -> np.ndarray:
    """Triangles of _RINGS rings of _SEGMENTS vertices, closed at both ends by fans."""
    segment = np.arange(_SEGMENTS)
    after = (segment + 1) % _SEGMENTS
    faces = []
    for ring in range(_RINGS - 1):
        low, high = ring * _SEGMENTS, (ring + 1) * _SEGMENTS
        faces += [np.stack([low + segment, low + after, high + segment], 1)]
        faces += [np.stack([low + after, high + after, high + segment], 1)]
    fan, last = segment[1:-1], (_RINGS - 1) * _SEGMENTS
    faces += [np.stack([0 * fan, fan + 1, fan], 1), last + np.stack([0 * fan, fan, fan + 1], 1)]
    return np.concatenate(faces)
