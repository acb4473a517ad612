"""``model_cfg.augment_cfg``."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from opengait_meshgait.common.validation import Pair, Section, Share

Factor = Annotated[float, Field(ge=0.1, le=10)]


class Affine(Section):
    """Rotation, scale and translation in the picture's plane."""

    probability: Share = Field(description="Of changing a sequence.")
    degrees: float = Field(0.0, ge=0, le=180, description="Largest rotation, either way.")
    scale: Pair[Factor] = Field([1.0, 1.0], description="Smallest and largest factor.")
    translate: Share = Field(0.0, description="Largest shift along each axis, crop heights.")


class Perspective(Section):
    """A tilt of the picture's plane: its four corners move independently."""

    probability: Share = Field(description="Of changing a sequence.")
    distortion: float = Field(
        0.1, ge=0, le=0.5, description="Largest move of a corner, as a fraction of half the picture's width and height."
    )


class Erasing(Section):
    """A black rectangle (Zhong et al., "Random Erasing Data Augmentation", AAAI 2020)."""

    probability: Share = Field(description="Of changing a sequence.")
    area: Pair[Share] = Field([0.02, 0.2], description="Smallest and largest part of the picture.")


class AugmentCfg(Section):
    """Changes that are drawn once a sequence and move silhouettes and bodies together."""

    filled_in: ClassVar[Mapping[str, str]] = {"flips": "the body model fills it in: take it out."}
    flip: Share = Field(0.5, description="Probability of mirroring a sequence.")
    affine: Affine | None = Field(None, description="Rotation, scale and translation; null: none.")
    perspective: Perspective | None = Field(None, description="A tilt of the picture's plane; null: none.")
    erasing: Erasing | None = Field(None, description="A black rectangle; null: none.")
