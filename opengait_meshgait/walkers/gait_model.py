"""A model of how people walk, learned from recordings: Gaussian vectors, between people and within a person."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.common.npz import read_npz
from opengait_meshgait.walkers.gait_cycle import CYCLE_LENGTH, GAIT_JOINTS

PROCEDURAL = "procedural"
"""The gait that is not learned: :func:`~opengait_meshgait.walkers.gait.walk`."""
LEARNED_GAITS = ("cmu",)
"""Those that come with the package."""
_FARTHEST = 2.2  # standard deviations along each factor: nobody walks in a way far from all that was seen
_LEARN = "Learn one with: meshgait gait learn --motion FILE.npz … --out gait.npz"


@dataclass(frozen=True, eq=False)
class WalkingModel:
    """Gaits as vectors of :data:`~opengait_meshgait.walkers.gait_cycle.CYCLE_LENGTH` numbers.

    Attributes:
        reference: rotations from which those of the joints count, [20, 3, 3].
        mean: of all people, [D].
        between: how people differ, factors times independent standard normal numbers, [K, D].
        within: how a person's strides differ from the person's mean, alike, [K', D].
        waver: the share of ``within`` (of its standard deviation) that differs from stride to stride; the rest differs
            from walk to walk.
        learned_from: for each recording its ``file``, ``sha256`` and ``person``.
    """

    reference: np.ndarray
    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    waver: float
    learned_from: tuple[Mapping[str, str], ...] = ()

    @property
    def people(self) -> list[str]:
        """From whom it was learned."""
        return sorted({recording["person"] for recording in self.learned_from})

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for all that decides over a walk."""
        digest = hashlib.sha256()
        for array in (self.reference, self.mean, self.between, self.within, np.float64(self.waver)):
            digest.update(np.ascontiguousarray(array, np.float32).tobytes())
        return digest.hexdigest()[:16]

    def draw(self, rng: np.random.Generator) -> "LearnedGait":
        """A new person's gait."""
        return LearnedGait(self, self.mean + draw_normal(rng, len(self.between)) @ self.between)


@dataclass(frozen=True, eq=False)
class LearnedGait:
    """One person's gait, or one walk's: ``vector`` [D] of ``model``."""

    model: WalkingModel
    vector: np.ndarray

    def vary(self, rng: np.random.Generator) -> "LearnedGait":
        """The same person's gait in another walk."""
        steady = np.sqrt(1 - self.model.waver**2)
        change = draw_normal(rng, len(self.model.within)) @ self.model.within
        return LearnedGait(self.model, self.vector + steady * change)


def draw_normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal numbers, none of them extreme."""
    return np.clip(rng.normal(size=shape), -_FARTHEST, _FARTHEST)


def save_gait(model: WalkingModel, path: str | Path) -> None:
    """Write ``model`` as a compressed .npz, whole or not at all. The same model gives the same bytes."""
    arrays: dict[str, Any] = {
        "reference": model.reference.astype(np.float32),
        "mean": model.mean.astype(np.float32),
        "between": model.between.astype(np.float16),
        "within": model.within.astype(np.float16),
        "waver": np.float32(model.waver),
        "learned_from": np.array(json.dumps([*map(dict, model.learned_from)])),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def choose_gait(source: str) -> WalkingModel | None:
    """The model of a gait, see :func:`load_gait`; :data:`PROCEDURAL` has none."""
    return None if source == PROCEDURAL else load_gait(source)


@cache
def load_gait(source: str) -> WalkingModel:
    """Read a gait model.

    Args:
        source: one of :data:`LEARNED_GAITS`, or a file that ``meshgait gait learn`` wrote.

    Raises:
        UserError: there is no such model, or the file holds none; the message says what is wrong with it.
    """
    if source in LEARNED_GAITS:
        with as_file(files("opengait_meshgait") / "assets" / f"gait_{source}.npz") as path:
            return _read(path)
    if source == PROCEDURAL:
        raise UserError(f"The {PROCEDURAL} gait is no model. Give {', '.join(LEARNED_GAITS)} or a file. {_LEARN}")
    if Path(source).suffix != ".npz":
        raise UserError(f"Unknown gait '{source}'. {did_you_mean(source, (PROCEDURAL, *LEARNED_GAITS))} {_LEARN}")
    return _read(Path(source))


def describe_gait(source: str) -> str | dict[str, object]:
    """For ``dataset.json``: which gait it is, and from whom it was learned."""
    model = choose_gait(source)
    if model is None:
        return source
    return {"name": Path(source).name, "fingerprint": model.fingerprint, "people": model.people}


def _read(path: Path) -> WalkingModel:
    names = tuple(WalkingModel.__dataclass_fields__)
    try:
        arrays = read_npz(path, names)
    except ValueError as error:
        raise UserError(f"Cannot read {path}: {error}. {_LEARN}") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(f"{path} is no gait model: it has no {', '.join(missing)}. {_LEARN}")
    shapes = {"reference": (len(GAIT_JOINTS), 3, 3), "mean": (CYCLE_LENGTH,), "waver": ()}
    shapes |= {name: (*arrays[name].shape[:1], CYCLE_LENGTH) for name in ("between", "within")}
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise UserError(
                f"{path}: {name} is {array.dtype} {[*array.shape]}, and must be finite numbers {[*shape]}. {_LEARN}"
            )
    if not 0 <= arrays["waver"] <= 1:
        raise UserError(f"{path}: waver is {arrays['waver']}, and must be from 0 to 1. {_LEARN}")
    try:
        entries = json.loads(str(arrays["learned_from"]))
        learned_from = tuple({key: entry[key] for key in ("file", "sha256", "person")} for entry in entries)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: learned_from is no list of files, hashes and persons. {_LEARN}") from error
    reference, mean, between, within = (arrays[name].astype(float) for name in names[:4])
    return WalkingModel(reference, mean, between, within, float(arrays["waver"]), learned_from)
