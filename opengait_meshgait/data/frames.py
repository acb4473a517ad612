"""Which frames of a sequence enter a batch: OpenGait's ``sample_type`` and its numbers."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from opengait_meshgait.common.errors import UserError, did_you_mean

_SAMPLE_TYPES = [f"{length}_{order}" for length in ("fixed", "unfixed") for order in ("unordered", "ordered")]
_SAMPLE_TYPES += ["fixed_allordered", "unfixed_allordered", "all_ordered", "all_unordered"]


@dataclasses.dataclass(frozen=True)
class FrameSampling:
    """How many frames to take, and in which order.

    ``sample_type`` is ``<length>_<order>``. Length: ``fixed`` takes ``frames_num_fixed`` frames; ``unfixed`` between
    ``frames_num_min`` and ``frames_num_max``, drawn a sequence; ``all`` takes all, in their order whatever the second
    word, and at most the first ``frames_all_limit``. Order: ``unordered`` draws frames from the whole sequence, as they
    come; ``allordered`` draws the same and sorts them (in OpenGait they stay unsorted); ``ordered`` draws them, sorted,
    from a window that is longer by ``frames_skip_num``, and repeats a sequence that is shorter than the window. Frames
    repeat only where the sequence is too short.

    Raises:
        UserError: an unknown ``sample_type``, or a number that it needs is missing or impossible.
    """

    sample_type: str
    frames_num_fixed: int | None = None
    frames_num_min: int | None = None
    frames_num_max: int | None = None
    frames_skip_num: int = 0
    frames_all_limit: int | None = None

    def __post_init__(self) -> None:
        if self.sample_type not in _SAMPLE_TYPES:
            raise UserError(
                f"Unknown sample_type '{self.sample_type}'. {did_you_mean(str(self.sample_type), _SAMPLE_TYPES)}"
            )
        needed = {"fixed": ["frames_num_fixed"], "unfixed": ["frames_num_min", "frames_num_max"], "all": []}
        for key in needed[self.length]:
            if getattr(self, key) is None:
                raise UserError(f"sample_type {self.sample_type} needs {key}: add it to the sampler.")
        for key in ("frames_num_fixed", "frames_num_min", "frames_num_max", "frames_all_limit"):
            if getattr(self, key) is not None and getattr(self, key) < 1:
                raise UserError(f"{key} must be at least 1, found {getattr(self, key)}.")
        if self.frames_skip_num < 0:
            raise UserError(f"frames_skip_num must be at least 0, found {self.frames_skip_num}.")
        if self.length == "unfixed" and self.frames_num_min > self.frames_num_max:
            raise UserError(f"frames_num_min {self.frames_num_min} is above frames_num_max {self.frames_num_max}.")

    @classmethod
    def from_config(cls, sampler_cfg: Mapping[str, Any]) -> "FrameSampling":
        """From the YAML's ``sampler``, whose other keys belong to the sampler of sequences."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: sampler_cfg[name] for name in names if sampler_cfg.get(name) is not None})

    @property
    def length(self) -> str:
        """``fixed``, ``unfixed`` or ``all``; only ``fixed`` sequences stack to a rectangle."""
        return self.sample_type.split("_")[0]

    def sample(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from a sequence.

        Args:
            frames: the sequence's length, at least 1.
            rng: where the draws come from.

        Returns:
            Frame indices, int64 [s].
        """
        length, order = self.sample_type.split("_")
        if length == "all":
            return np.arange(frames)[: self.frames_all_limit]
        if length == "fixed":
            number = self.frames_num_fixed
        else:
            number = int(rng.integers(self.frames_num_min, self.frames_num_max, endpoint=True))
        if order == "ordered":
            window = number + self.frames_skip_num
            repeated = frames * math.ceil(window / frames)
            start = rng.integers(repeated - window, endpoint=True)
            return (start + np.sort(rng.choice(window, number, replace=False))) % frames
        chosen = rng.choice(frames, number, replace=frames < number)
        return np.sort(chosen) if order == "allordered" else chosen
