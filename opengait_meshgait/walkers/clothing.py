"""What a person wears and carries: clothes that follow the skin, as offsets of its vertices, and closed meshes of what
does not: coat hems, skirts, buns and bags."""

from dataclasses import dataclass

import numpy as np

from opengait_meshgait.body.layout import NUM_JOINTS
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.walkers.gait import Burden

HAIR = ("short", "full", "long", "bun")
BAGS = ("backpack", "handbag", "shoulder bag")
_TORSO = [0, 3, 6, 9, 13, 14]
_THIGHS = [1, 2]
_SHINS = [4, 5]
_FEET = [7, 8, 10, 11]
_UPPER_ARMS = [16, 17]
_FOREARMS = [18, 19]
_HEAD = 15
_SEGMENTS, _RINGS = 20, 7
_GIRDLE = 40  # vertices around the body whose extent stands for its girth
HANGING = NUM_JOINTS
"""Index of a frame that hangs upright from the hand, after those of the joints."""
HANDS = {1: 22, -1: 23}
"""Hand joint of each side."""


@dataclass(frozen=True)
class Wardrobe:
    """Clothes as thicknesses over the skin, m, and a bag.

    Attributes:
        top, sleeves, trousers, shoes, hair: thickness of what a person always wears.
        hair_style: one of :data:`HAIR`.
        skirt: length over that of the thigh, 0 for trousers.
        coat: thickness that a coat adds; coat_length: of its hem over the thigh's; coat_flare: of the hem, m.
        bag: one of :data:`BAGS`; bag_size: width, height, depth, m; bag_side: 1 left, -1 right.
    """

    top: float
    sleeves: float
    trousers: float
    shoes: float
    hair: float
    hair_style: str
    skirt: float
    coat: float
    coat_length: float
    coat_flare: float
    bag: str
    bag_size: tuple[float, float, float]
    bag_side: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Wardrobe":
        """A new person's wardrobe."""
        bag = str(rng.choice(BAGS))
        typical = {"backpack": (0.30, 0.42, 0.18), "handbag": (0.14, 0.30, 0.36), "shoulder bag": (0.12, 0.28, 0.34)}
        return cls(
            top=rng.uniform(0.001, 0.005),
            sleeves=rng.uniform(0.001, 0.003),
            trousers=rng.uniform(0.001, 0.005),
            shoes=rng.uniform(0.001, 0.004),
            hair=rng.uniform(0.001, 0.012),
            hair_style=str(rng.choice(HAIR, p=(0.4, 0.25, 0.2, 0.15))),
            skirt=rng.uniform(0.75, 1.15) if rng.random() < 0.06 else 0.0,
            coat=rng.uniform(0.015, 0.040),
            coat_length=rng.uniform(0.35, 1.2),
            coat_flare=rng.uniform(0.01, 0.06),
            bag=bag,
            bag_size=tuple(rng.uniform(0.75, 1.2, 3) * typical[bag]),
            bag_side=int(rng.choice((1, -1))),
        )

    def burden(self, condition: str) -> Burden:
        """What the clothes and the bag of ``condition`` (nm, bg, cl) do to the posture."""
        if condition == "cl":
            return Burden(arm_swing=(0.9, 0.9), arm_out=(4.0, 4.0))
        if condition != "bg":
            return Burden()
        if self.bag == "backpack":
            return Burden(lean=4.0, arm_swing=(0.9, 0.9), arm_out=(2.0, 2.0))
        still = 0.35 if self.bag == "handbag" else 0.5
        out = 2.0 if self.bag == "handbag" else 7.0
        carrying = self.bag_side > 0
        return Burden(
            arm_swing=(still, 1.0) if carrying else (1.0, still), arm_out=(out, 0.0) if carrying else (0.0, out)
        )


def clothing_offsets(body: BodyModel, rest: np.ndarray, wardrobe: Wardrobe, coat: bool) -> np.ndarray:
    """Offsets of the rest-pose vertices, m, [V, 3].

    Each part of the wardrobe covers the skin of some joints, weighted as the skin follows them, so that clothes end as
    smoothly as skinning blends.

    Args:
        rest: vertices of ``body`` in the rest pose with the person's shape, m, [V, 3].
        coat: wear the coat over the rest.
    """
    over = wardrobe.coat if coat else 0.0
    weights = body.weights.numpy()
    thickness = (
        weights[:, _TORSO].sum(1) * (wardrobe.top + over)
        + weights[:, _THIGHS].sum(1) * wardrobe.trousers
        + weights[:, _SHINS].sum(1) * wardrobe.trousers * 1.1
        + weights[:, _FEET].sum(1) * wardrobe.shoes
        + weights[:, _UPPER_ARMS].sum(1) * (wardrobe.sleeves + 0.6 * over)
        + weights[:, _FOREARMS].sum(1) * (wardrobe.sleeves + 0.5 * over)
        + _hair(rest, weights, wardrobe)
    )
    return vertex_normals(rest, body.faces.numpy()) * thickness[:, None]


def _hair(rest: np.ndarray, weights: np.ndarray, wardrobe: Wardrobe) -> np.ndarray:
    """Thickness of the hair, m, [V]: on the skull above the face, down the neck if long."""
    head = weights[:, _HEAD] > 0.5
    low, high = rest[head].min(0), rest[head].max(0)
    height = (rest[:, 1] - low[1]) / (high[1] - low[1])
    back = np.clip(0.75 - (rest[:, 2] - low[2]) / (high[2] - low[2]), 0, 0.5) * 2
    crown = np.clip((height - 0.72) * 5, 0, 1)
    hairline = {"short": 0.4, "bun": 0.4, "full": 0.15, "long": -0.6}[wardrobe.hair_style]
    grown = np.clip((height - hairline) * 3, 0, 1) * np.maximum(back, crown)
    # Long hair lies on the neck and between the shoulders.
    covered = weights[:, [_HEAD, 12, 9]].sum(1) if wardrobe.hair_style == "long" else weights[:, _HEAD]
    # On top it adds to the height of the silhouette, and it lies flatter there.
    return wardrobe.hair * covered * grown * (1.6 - 0.9 * crown)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3], weighted by the area of the triangles."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


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
    if wardrobe.hair_style == "bun":
        head = rest[weights[:, 15] > 0.5]
        low, high = head.min(0), head.max(0)
        radius = 0.03 + wardrobe.hair
        centre = np.array([0, low[1] + 0.75 * (high[1] - low[1]), low[2] - 0.3 * radius])
        worn.append(_lump(centre, np.full(3, radius), 1.0, 15))
    if condition == "bg":
        worn.append(_bag(wardrobe, rest, weights, joints))
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
