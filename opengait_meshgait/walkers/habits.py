"""How a person holds and swings trunk, head and arms, beside the style of gait: nobody is symmetrical."""

from dataclasses import dataclass

import numpy as np

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.rotations import matrices
from opengait_meshgait.walkers.style import within_person

# Standard deviations between people at variety 1, degrees about each axis: how joints are held, how they swing.
_SPREAD = {
    **dict.fromkeys(("spine1", "spine2", "spine3"), (2.0, 1.0)),
    **dict.fromkeys(("neck", "head"), (3.0, 0.7)),
    **dict.fromkeys(("left_collar", "right_collar"), (3.0, 1.4)),
    **dict.fromkeys(("left_shoulder", "right_shoulder"), (6.0, 2.0)),
}
_HELD, _SWUNG = np.deg2rad([_SPREAD.get(name, (0.0, 0.0)) for name in JOINT_NAMES]).T


@dataclass(frozen=True)
class Habits:
    """Rotations of the joints against their parents, added to those of the style.

    Attributes:
        turns: rotation vectors, rad, [3, 24, 3]: held all the time, and times cosine and sine of the stride.
    """

    turns: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, variety: float) -> "Habits":
        """A new person's; none at 0."""
        return cls(np.zeros((3, len(JOINT_NAMES), 3)))._spread(rng, variety)

    def vary(self, rng: np.random.Generator, variety: float) -> "Habits":
        """The same person's in another walk."""
        return self._spread(rng, within_person(variety) * variety)

    def at(self, phase: np.ndarray) -> np.ndarray:
        """Rotation matrices at phases [T], in strides: [T, 24, 3, 3]."""
        cycle = 2 * np.pi * phase
        waves = np.stack([np.ones_like(cycle), np.cos(cycle), np.sin(cycle)], 1)
        return matrices(np.einsum("tw,wjc->tjc", waves, self.turns))

    def _spread(self, rng: np.random.Generator, amount: float) -> "Habits":
        spread = amount * np.stack([_HELD, _SWUNG, _SWUNG])[..., None]
        return Habits(self.turns + spread * rng.normal(size=self.turns.shape))
