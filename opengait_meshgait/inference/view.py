"""What a network finds in one sequence, as a page, a film, a sheet of pictures or a mesh."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.body.overlap import mesh_iou
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.data.layout import find_sequence
from opengait_meshgait.data.reader import read_sequence
from opengait_meshgait.evaluation.bodies import LOW_IOU, point_errors
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.inference.silhouettes import InputSilhouettes, SilhouetteSize, describe_frames, prepared
from opengait_meshgait.inference.sources import find_sources
from opengait_meshgait.visual.drawing import write_png
from opengait_meshgait.visual.figures import sequence_figure
from opengait_meshgait.visual.frames import BodyFrame, BodyFrames, write_film

ENDINGS = {
    ".html": "a page that plays the sequence, with bodies to turn by mouse",
    ".mp4": "a film in which the bodies turn",
    ".png": "a sheet of evenly spread frames",
    ".obj": "the mesh of one frame",
}
_SHEET, _PAGE, _FILM = 8, 100, 720  # frames at most


@dataclass(frozen=True)
class InputSequence:
    """A sequence as its files have it.

    Attributes:
        name: ``id-type-view``, or what the file is called.
        silhouettes: as the model takes them, s frames.
        bodies: float32 [s, 85], or None.
        weights: of the bodies, float32 [s], or None.
        notes: what is worth saying about it.
    """

    name: str
    silhouettes: InputSilhouettes
    bodies: np.ndarray | None = None
    weights: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def check_ending(out: Path, frame: int | None) -> None:
    """Check, before the work, that ``out`` is of a kind that can be written.

    Raises:
        UserError: another ending, or a ``frame`` for a kind that shows more than one.
    """
    if out.suffix.lower() not in ENDINGS:
        kinds = ", ".join(f"{ending} ({what})" for ending, what in ENDINGS.items())
        raise UserError(f"--out {out} ends in '{out.suffix}', and there is {kinds}.")
    if frame is not None and out.suffix.lower() != ".obj":
        raise UserError(f"--frame is for the mesh of one frame, and {out} shows many: leave it out, or write an .obj.")


def write_view(model: GaitModel, source: str | Path, out: str | Path, frame: int | None = None) -> BodyFrames:
    """Write what the network finds in a sequence.

    Args:
        model: with a heatmap branch.
        source: see :func:`read_input`.
        out: the file; its ending says what it will be, see :data:`ENDINGS`. Whole or absent, whatever happens.
        frame: of an ``.obj``, from 0; None: the middle one.

    Returns:
        What was shown.

    Raises:
        UserError: an unknown ending, a sequence that cannot be used, no heatmap branch, no such frame, or no mesh for
            an ``.obj``.
    """
    out = Path(out)
    check_ending(out, frame)
    if model.net.HeatmapEstimator is None:
        raise UserError(
            f"{model.source} knows silhouettes only (heatmap_cfg: null): it finds no markers and no body to look at. "
            "Give a checkpoint with a heatmap branch."
        )
    ending = out.suffix.lower()
    if ending == ".obj" and model.no_body:
        raise UserError(f"{model.no_body}: there is no mesh for {out}. The markers are in .html, .mp4 and .png.")
    sequence = read_input(source, model.size)
    shown = reconstruct_frames(model, sequence, _frames(sequence, ending, frame))
    try:
        _write(shown, out)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return shown


def read_input(path: str | Path, size: SilhouetteSize) -> InputSequence:
    """One sequence: a folder ``id/type/view`` of pickles, or what ``meshgait embed`` takes, with one sequence in it.

    Args:
        path: the folder or file.
        size: of the silhouettes that the model was trained on.

    Raises:
        UserError: there is none, there are several, or it cannot be used.
    """
    path = Path(path)
    if path.is_dir() and any(path.glob("*.pkl")):
        info = find_sequence(path)
        stored, bodies, weights = read_sequence(info.sils_path, info.bodies_path, info.weights_path)
        sils = prepared(stored, size, info.sils_path)
        if bodies is not None and bodies.ndim != 2:
            note = "the true bodies are joints alone, so there is no true mesh"
            return InputSequence(info.name, sils, notes=[note])
        return InputSequence(info.name, sils, bodies, weights)
    sources = find_sources(path)
    if len(sources) > 1:
        names = ", ".join(source.name for source in sources[:3])
        raise UserError(
            f"{path} holds {len(sources)} sequences ({names}, …), and one is shown at a time: "
            + ("name its folder, id/type/view." if path.is_dir() else "give a file of one.")
        )
    found = sources[0].read(size, False)
    return InputSequence(
        sources[0].name, found, notes=[line[:-1] for line in describe_frames([sources[0].name], [found])]
    )


@torch.inference_mode()
def reconstruct_frames(model: GaitModel, sequence: InputSequence, frames: np.ndarray) -> BodyFrames:
    """Reconstruct some frames of a sequence, beside what is true.

    Args:
        model: with a heatmap branch.
        sequence: as its files have it.
        frames: which, int [s].

    Raises:
        UserError: the network has no heatmap branch, or the body here is not the one of the training.
    """
    # The whole sequence: what a frame shows depends on the others.
    found = model.reconstruct(sequence.silhouettes, heatmaps=True, shown=frames)
    seen = model.transform(torch.from_numpy(found.silhouettes))
    extent = model.net.HeatmapEstimator.extent(*seen.shape[-2:])
    meshes = [None] * len(frames) if found.vertices is None else found.vertices
    bodies = [
        BodyFrame(silhouette, heatmaps, extent, markers, vertices, found.faces)
        for silhouette, heatmaps, markers, vertices in zip(found.silhouettes, found.heatmaps, found.markers, meshes)
    ]
    notes, errors = list(sequence.notes), None
    if model.no_body:
        notes.append(f"{model.no_body}: markers only, no mesh")
    elif sequence.bodies is not None:
        given = (values for values in (sequence.bodies, sequence.weights) if values is not None)
        targets = model.body(*(torch.from_numpy(values[frames])[None].to(model.device) for values in given))
        markers, vertices, height = (each[0].cpu() for each in (targets.markers, targets.vertices, targets.height))
        known = (targets.mesh_weights[0] > 0).cpu().numpy()
        errors = np.where(known, point_errors(torch.from_numpy(found.markers), markers, height).mean(-1), np.nan)
        for place in np.flatnonzero(known):
            true = {"true_markers": markers[place].numpy(), "true_vertices": vertices[place].numpy()}
            bodies[place] = replace(bodies[place], **true)
        if not known.all():
            notes.append(f"of {int((~known).sum())} of these frames no true body is known")
    ious = None
    if found.vertices is not None:
        ious = mesh_iou(torch.from_numpy(found.vertices), torch.from_numpy(found.faces), seen).numpy()
        if low := int((ious < LOW_IOU).sum()):
            notes.append(
                f"in {low} of these frames, marked low, the mesh covers its silhouette badly (IoU below {LOW_IOU:.2f}) "
                "and the body is not to be trusted"
            )
    return BodyFrames(sequence.name, frames, bodies, found.stature, errors, notes, ious, LOW_IOU)


def upright(points: np.ndarray) -> np.ndarray:
    """Crop space ``[..., 3]`` turned for people: x right, y up from the soles, z to the viewer; the unit stays."""
    return points * np.array([1, -1, -1], points.dtype) + np.array([0, 1, 0], points.dtype)


def _frames(sequence: InputSequence, ending: str, frame: int | None) -> np.ndarray:
    """Which frames of the sequence to show."""
    length = len(sequence.silhouettes)
    if ending == ".obj":
        chosen = length // 2 if frame is None else frame
        if not 0 <= chosen < length:
            raise UserError(f"{sequence.name} has the frames 0 to {length - 1}, and --frame is {chosen}.")
        return np.array([chosen])
    if ending == ".png":
        return np.unique(np.linspace(0, length - 1, min(length, _SHEET)).round().astype(int))
    most = _PAGE if ending == ".html" else _FILM
    if length > most:
        sequence.notes.append(f"the first {most} of {length} frames")
    return np.arange(min(length, most))


def _write(shown: BodyFrames, out: Path) -> None:
    ending = out.suffix.lower()
    if ending == ".html":
        # plotly takes a second to load, which the others need not wait for.
        from opengait_meshgait.visual.player import write_player

        write_player(out, shown)
    elif ending == ".mp4":
        write_film(out, shown)
    elif ending == ".png":
        write_png(out, sequence_figure(shown))
    else:
        _write_obj(out, shown)


def _write_obj(out: Path, shown: BodyFrames) -> None:
    """The first frame's mesh as a Wavefront OBJ, m, y up; the format counts vertices from 1."""
    frame = shown.frames[0]
    lines = [f"# {shown.name}, frame {shown.numbers[0]}; m for a stature of {shown.stature:g} m, y up"]
    vertices = upright(frame.vertices) * np.float32(shown.stature)
    lines += ["v {:.5f} {:.5f} {:.5f}".format(*vertex) for vertex in vertices.tolist()]
    lines += ["f {} {} {}".format(*face) for face in (frame.faces + 1).tolist()]
    with atomic_path(out) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
