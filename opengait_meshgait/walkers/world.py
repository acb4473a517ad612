"""Worlds: the distributions that a dataset of walkers is drawn from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from opengait_meshgait.common.configs import read_yaml
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.validation import Pair, Section, Share, mistake, validate
from opengait_meshgait.walkers.damage import ALL_KINDS, Damage

_LIKE = "like"


class Distribution(Section):
    """Numbers drawn at random: the name of one distribution, and its numbers.

    Attributes:
        uniform: smallest, largest.
        log_uniform: smallest, largest; their logarithms are uniform.
        triangular: smallest, most likely, largest.
        normal: mean, standard deviation.
    """

    model_config = ConfigDict(frozen=True)
    uniform: Pair[float] | None = None
    log_uniform: Pair[Annotated[float, Field(gt=0)]] | None = None
    triangular: Annotated[list[float], Field(min_length=3, max_length=3)] | None = None
    normal: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Distribution":
        given = [*self.model_dump(exclude_none=True)]
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise mistake(f"found {' and '.join(given) or 'no distribution'}; expected one of {known}.")
        if self.triangular and (sorted(self.triangular) != self.triangular or np.ptp(self.triangular) == 0):
            raise mistake(f"found triangular {self.triangular}; expected smallest, most likely and largest number.")
        if self.normal and self.normal[1] < 0:
            raise mistake(f"found normal {self.normal}; expected a mean and a standard deviation of 0 or more.")
        return self

    @property
    def lowest(self) -> float:
        """No number is smaller."""
        bounded = self.uniform or self.log_uniform or self.triangular
        return bounded[0] if bounded else -np.inf

    def draw(self, rng: np.random.Generator) -> float:
        """A number."""
        if self.log_uniform:
            return float(np.exp(rng.uniform(*np.log(self.log_uniform))))
        ((kind, numbers),) = self.model_dump(exclude_none=True).items()
        return float(getattr(rng, kind)(*numbers))


def _uniform(low: float, high: float) -> Distribution:
    return Distribution(uniform=[low, high])


def _at_least(least: float) -> AfterValidator:
    def check(distribution: Distribution) -> Distribution:
        if distribution.lowest < least:
            raise mistake(f"its numbers start at {distribution.lowest:g}; expected a distribution from {least:g} on.")
        return distribution

    return AfterValidator(check)


class World(Section):
    """How walkers walk and are seen. The defaults are those of the world ``studio``: cameras at the views' angles, at
    some distance and at the height of a person, that look straight at the walker, and straight ways."""

    model_config = ConfigDict(frozen=True)
    view_bin: Share = Field(
        0.0,
        description="Of a view's bin, the part in which its cameras stand, evenly: 1 is all angles up to half way to "
        "the nearest other view; a single view has the whole circle.",
    )
    azimuth: Distribution = Field(Distribution(normal=[0.0, 1.5]), description="Added to that angle, degrees.")
    distance: Annotated[Distribution, _at_least(1.0)] = Field(
        _uniform(9.0, 12.0), description="From the camera to the middle of the walker's way, on the ground, m."
    )
    nearest: float = Field(
        0.0, ge=0, description="Cameras that a walker would come nearer to, on the ground, are moved back; m."
    )
    height: Annotated[Distribution, _at_least(0.0)] = Field(
        _uniform(1.2, 2.2), description="Of the camera above the ground, m."
    )
    roll: Distribution = Field(_uniform(0.0, 0.0), description="Of the camera about its axis, degrees.")
    aim: Distribution = Field(
        _uniform(0.0, 0.0),
        description="By how much the camera's axis passes the walker, degrees; sideways and upwards are drawn each.",
    )
    turn: float = Field(0.0, ge=0, le=90, description="Largest change of the heading, degrees/s; 0 is a straight way.")
    bodies: float = Field(1.0, ge=0, le=1.5, description="Spread of the body's shape parameters (betas).")
    clothes: Share = Field(
        0.0,
        description="How much looser clothes are, how much more hair, how much thicker soles, how many more skirts and "
        "hats; 1 is the most.",
    )
    stop: Share = Field(0.0, description="Probability that a walk in a learned gait starts from, or ends in, standing.")
    damage: Damage = Field(Damage(), description="Of the silhouettes; bodies stay those of the whole person.")

    def damaged(self, level: float) -> "World":
        """The same world with all silhouettes damaged at one level, 0 … 1; 0 leaves them whole."""
        damage = self.damage.model_copy(update={"probability": float(level > 0), "level": [level, level]})
        return self.model_copy(update={"damage": damage})


WORLDS: Mapping[str, World] = {
    "studio": World(),
    "street": World(
        view_bin=1.0,
        azimuth=_uniform(0.0, 0.0),
        distance=Distribution(log_uniform=[2.5, 15.0]),
        nearest=2.5,
        height=Distribution(triangular=[0.4, 1.4, 4.5]),
        roll=_uniform(-3.0, 3.0),
        aim=Distribution(normal=[0.0, 4.0]),
        turn=30.0,
        bodies=1.2,
        clothes=0.5,
        stop=0.15,
        damage=Damage(probability=0.5, level=[0.1, 0.8], kinds=ALL_KINDS),
    ),
}
"""By name."""


def load_world(name: str | Path) -> World:
    """A world by its name, or from a YAML file with fields of :class:`World`.

    What a file does not say is as in ``studio``, or as in the world that its key ``like`` names.

    Raises:
        UserError: there is neither such a world nor such a file, or the file cannot be used; the message says why.
    """
    if str(name) in WORLDS:
        return WORLDS[str(name)]
    path = Path(name).expanduser()
    if not path.exists() and not path.suffix:
        raise UserError(
            f"There is no world '{name}', and no file of that name. {did_you_mean(str(name), WORLDS)} Or give a YAML "
            "file with fields of a world."
        )
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no world: expected fields such as {', '.join([*World.model_fields][:4])}.")
    like = content.pop(_LIKE, "studio")
    if not isinstance(like, str) or like not in WORLDS:
        raise UserError(f"{path}: {_LIKE} names no world: '{like}'. {did_you_mean(str(like), WORLDS)}")
    return validate(World, describe_world(WORLDS[like]) | content, str(path))


def describe_world(world: World) -> dict[str, Any]:
    """All fields, as a YAML file or ``dataset.json`` holds them."""
    return world.model_dump(exclude_none=True)
