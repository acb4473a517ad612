"""People: what is fixed by a seed and a number."""

from dataclasses import dataclass, replace

import numpy as np

from opengait_meshgait.body.layout import NUM_BETAS
from opengait_meshgait.walkers.clothing import Wardrobe
from opengait_meshgait.walkers.gait_model import LearnedGait, WalkingModel
from opengait_meshgait.walkers.style import GaitStyle, Habits
from opengait_meshgait.walkers.world import WORLDS, World

CONDITIONS = ("nm", "bg", "cl")
"""Normal, with a bag, in a coat: CASIA-B's names."""
_BETA_RANGE = 2.2
# Streams of random numbers beside a person's first one: body and clothes do not depend on the gait, nor on each other.
_LEARNED, _CLOTHES = 1, 2


@dataclass(frozen=True)
class Person:
    """Who walks: shape of the body [10], way of walking, habits of trunk, head and arms, clothes and bag.

    With a ``learned`` gait, it takes the place of style and habits.
    """

    betas: np.ndarray
    style: GaitStyle
    habits: Habits
    wardrobe: Wardrobe
    learned: LearnedGait | None = None

    @classmethod
    def draw(
        cls,
        seed: int,
        number: int,
        same_body: bool = False,
        variety: float = 0.0,
        gait: WalkingModel | None = None,
        world: World = WORLDS["studio"],
    ) -> "Person":
        """Person ``number`` (from 1) of the crowd ``seed``.

        Args:
            same_body: in body and clothes like the first.
            variety: of the ways to walk, see :class:`~opengait_meshgait.walkers.options.WalkerSet`. Bodies and clothes
                do not depend on it.
            gait: from which the person's is drawn; None for a style and habits.
            world: how widely bodies and clothes differ.
        """
        if same_body:
            mover = cls.draw(seed, number, variety=variety, gait=gait)
            return replace(
                cls.draw(seed, 1, world=world), style=mover.style, habits=mover.habits, learned=mover.learned
            )
        rng = np.random.default_rng([seed, number])
        betas = world.bodies * np.clip(rng.normal(size=NUM_BETAS), -_BETA_RANGE, _BETA_RANGE)
        style, wardrobe = GaitStyle.draw(rng, variety), Wardrobe.draw(rng)
        wardrobe = wardrobe.widened(world.clothes, np.random.default_rng([seed, number, _CLOTHES]))
        learned = gait.draw(np.random.default_rng([seed, number, _LEARNED])) if gait else None
        return cls(betas, style, Habits.draw(rng, variety), wardrobe, learned)


@dataclass(frozen=True, order=True)
class WalkName:
    """One walk of one person, seen from every view at once.

    Attributes:
        number: of the person, from 1.
        condition: one of :data:`CONDITIONS`.
        take: from 1.
    """

    number: int
    condition: str
    take: int

    @property
    def label(self) -> str:
        """The person's folder, ``0001``."""
        return f"{self.number:04d}"

    @property
    def type(self) -> str:
        """The walk's folder, ``nm-01``."""
        return f"{self.condition}-{self.take:02d}"

    def rng(self, seed: int, *purpose: int) -> np.random.Generator:
        """The random numbers of this walk; ``purpose`` separates independent streams (positive numbers).

        All words after the person's are positive, because NumPy's seeding takes a missing word for 0.
        """
        return np.random.default_rng([seed, self.number, CONDITIONS.index(self.condition) + 1, self.take, *purpose])


def view_folder(view: int) -> str:
    """The folder of a view, ``018``."""
    return f"{view:03d}"


def sequence_name(walk: WalkName, view: int) -> str:
    """``id-type-view``."""
    return f"{walk.label}-{walk.type}-{view_folder(view)}"
