"""What a person wears and carries, fixed for that person."""

from dataclasses import dataclass

import numpy as np

from opengait_meshgait.walkers.gait import Burden

HAIR = ("short", "full", "long", "bun")
BAGS = ("backpack", "handbag", "shoulder bag")


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
