"""What a person wears and carries, and the clothes that follow the skin, as offsets of its vertices."""

from dataclasses import dataclass, replace

import numpy as np

from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.walkers.gait import Burden

HAIR = ("short", "full", "long", "bun")
BAGS = ("backpack", "handbag", "shoulder bag")
HATS = ("none", "cap", "hat", "hood")
_TORSO = [0, 3, 6, 9, 13, 14]
_THIGHS = [1, 2]
_SHINS = [4, 5]
_FEET = [7, 8, 10, 11]
_UPPER_ARMS = [16, 17]
_FOREARMS = [18, 19]
_HEAD, _NECK = 15, 12
_SHOE = 0.04  # m: what of the feet is below stands on soles


@dataclass(frozen=True)
class Wardrobe:
    """Clothes as thicknesses over the skin, m, and a bag.

    Attributes:
        top, sleeves, trousers, shoes, hair: thickness of what a person always wears.
        hair_style: one of :data:`HAIR`.
        skirt: length over that of the thigh, 0 for trousers.
        coat: thickness that a coat adds; coat_length: of its hem over the thigh's; coat_flare: of the hem, m.
        bag: one of :data:`BAGS`; bag_size: width, height, depth, m; bag_side: 1 left, -1 right.
        soles: height of the shoes' soles, m; hat: one of :data:`HATS`.
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
    soles: float = 0.0
    hat: str = "none"

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

    def widened(self, level: float, rng: np.random.Generator) -> "Wardrobe":
        """With looser clothes, more hair, thicker soles, and more skirts and hats; 0 changes nothing, 1 much."""
        top, trousers = (rng.uniform(0, 0.025 * level) for _ in range(2))
        skirted = rng.random() < 0.2 * level
        skirt = rng.uniform(0.6, 1.5)
        return replace(
            self,
            top=self.top + top,
            sleeves=self.sleeves + 0.6 * top,
            trousers=self.trousers + trousers,
            hair=self.hair + rng.uniform(0, 0.02 * level),
            skirt=skirt if skirted else self.skirt,
            coat_flare=self.coat_flare + rng.uniform(0, 0.06 * level),
            soles=rng.uniform(0, 0.04 * level),
            hat=str(rng.choice(HATS, p=(1 - 0.45 * level, *np.full(3, 0.15 * level)))),
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
    offsets = vertex_normals(rest, body.faces.numpy()) * thickness[:, None]
    feet = weights[:, _FEET].sum(1)
    above = rest[:, 1] - rest[feet > 0.5, 1].min()
    offsets[:, 1] -= wardrobe.soles * feet * np.clip(1 - above / _SHOE, 0, 1)
    return offsets


def _hair(rest: np.ndarray, weights: np.ndarray, wardrobe: Wardrobe) -> np.ndarray:
    """Thickness of the hair, m, [V]: on the skull above the face, down the neck if long."""
    head = weights[:, _HEAD] > 0.5
    low, high = rest[head].min(0), rest[head].max(0)
    height = (rest[:, 1] - low[1]) / (high[1] - low[1])
    back = np.clip(0.75 - (rest[:, 2] - low[2]) / (high[2] - low[2]), 0, 0.5) * 2
    crown = np.clip((height - 0.72) * 5, 0, 1)
    hairline = {"short": 0.4, "bun": 0.4, "full": 0.15, "long": -0.6}[wardrobe.hair_style]
    grown = np.clip((height - hairline) * 3, 0, 1) * np.maximum(back, crown)
    if wardrobe.hat == "hood":  # over the hair, around the face and down the neck
        return (
            (0.008 + wardrobe.hair) * weights[:, [_HEAD, _NECK]].sum(1) * np.clip(1.2 * np.maximum(back, crown), 0.2, 1)
        )
    # Long hair lies on the neck and between the shoulders.
    covered = weights[:, [_HEAD, _NECK, 9]].sum(1) if wardrobe.hair_style == "long" else weights[:, _HEAD]
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
