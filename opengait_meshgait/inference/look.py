"""All that there is to look at in one sequence."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.layout import find_sequence
from opengait_meshgait.data.reader import read_sequence
from opengait_meshgait.evaluation.bodies import point_errors
from opengait_meshgait.inference.model import BodySequence, GaitModel
from opengait_meshgait.inference.sources import find_sources, require_prepared


@dataclass(frozen=True)
class Truth:
    """The true bodies of s frames in crop space; zeros where they are not known.

    Attributes:
        markers: crop heights, float32 [s, K, 3].
        vertices: crop heights, float32 [s, V, 3].
        known: bool [s].
        errors_mm: mean distance of the estimated markers from the true ones, [s]; NaN where they are not known.
    """

    markers: np.ndarray
    vertices: np.ndarray
    known: np.ndarray
    errors_mm: np.ndarray


@dataclass(frozen=True)
class Seen:
    """A sequence as its files have it.

    Attributes:
        name: ``id-type-view``, or what the file is called.
        silhouettes: uint8 [s, 64, 64].
        bodies: float32 [s, 85], or None.
        weights: of the bodies, float32 [s], or None.
        notes: what is worth saying about it.
    """

    name: str
    silhouettes: np.ndarray
    bodies: np.ndarray | None = None
    weights: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """A sequence, what the network finds in it, and what is true where that is known.

    Attributes:
        name: of the sequence.
        numbers: of the frames in the sequence, from 0, int [s].
        found: silhouettes, heatmaps, markers and, where there is a body, meshes.
        truth: or None.
        half_width: of the heatmaps' volume, crop heights.
        notes: what is missing, and why.
    """

    name: str
    numbers: np.ndarray
    found: BodySequence
    truth: Truth | None
    half_width: float
    notes: list[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def error(self, frame: int) -> str:
        """The marker error of a frame in words; empty where it is not known."""
        known = self.truth is not None and self.truth.known[frame]
        return f"{self.truth.errors_mm[frame]:.0f} mm" if known else ""

    @property
    def mean_error(self) -> str:
        """The mean marker error in words; empty where it is not known."""
        known = self.truth is not None and self.truth.known.any()
        return f"{np.nanmean(self.truth.errors_mm):.0f} mm" if known else ""


def read_seen(path: str | Path) -> Seen:
    """One sequence: a folder ``id/type/view`` of pickles, or what ``meshgait embed`` takes, with one sequence in it.

    Raises:
        UserError: there is none, there are several, or it cannot be used.
    """
    path = Path(path)
    if path.is_dir() and any(path.glob("*.pkl")):
        info = find_sequence(path)
        sils, bodies, weights = read_sequence(info.sils_path, info.bodies_path, info.weights_path)
        require_prepared(sils, info.sils_path)
        if bodies is not None and bodies.ndim != 2:
            return Seen(info.name, sils, notes=["the true bodies are joints alone, so there is no true mesh"])
        return Seen(info.name, sils, bodies, weights)
    sources = find_sources(path)
    if len(sources) > 1:
        names = ", ".join(source.name for source in sources[:3])
        raise UserError(
            f"{path} holds {len(sources)} sequences ({names}, …), and one is shown at a time: "
            + ("name its folder, id/type/view." if path.is_dir() else "give a file of one.")
        )
    return Seen(sources[0].name, sources[0].read())


def look(model: GaitModel, seen: Seen, frames: np.ndarray) -> Look:
    """Reconstruct some frames of a sequence, beside what is true.

    Args:
        model: with a heatmap branch.
        seen: the sequence.
        frames: which, int [s].

    Raises:
        UserError: the network has no heatmap branch, or the body here is not the one of the training.
    """
    # The whole sequence: what a frame shows depends on the others.
    found = model.reconstruct(seen.silhouettes, heatmaps=True).at(frames)
    size = model.transform(torch.from_numpy(found.silhouettes[:1])).shape[-2:]
    notes = list(seen.notes)
    truth = None
    if model.no_body:
        notes.append(f"{model.no_body}: markers only, no mesh")
    elif seen.bodies is not None:
        truth = _truth(model, found, seen, frames)
        if not truth.known.all():
            notes.append(f"of {int((~truth.known).sum())} of these frames no true body is known")
    return Look(seen.name, frames, found, truth, model.net.HeatmapEstimator.extent(*size).half_width, notes)


@torch.inference_mode()
def _truth(model: GaitModel, found: BodySequence, seen: Seen, frames: np.ndarray) -> Truth:
    weights = None if seen.weights is None else torch.from_numpy(seen.weights[frames])[None].to(model.device)
    targets = model.body(torch.from_numpy(seen.bodies[frames])[None].to(model.device), weights)
    markers, vertices, height = (values[0].cpu() for values in (targets.markers, targets.vertices, targets.height))
    known = (targets.mesh_weights[0] > 0).cpu().numpy()
    errors = point_errors(torch.from_numpy(found.markers), markers, height).mean(-1).numpy()
    return Truth(markers.numpy(), vertices.numpy(), known, np.where(known, errors, np.nan))
