"""What there is to draw: the frames of a sequence, what a network found in them, and what is true; and as a film."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.networks.soft_argmax import VolumeExtent
from opengait_meshgait.visual.drawing import (
    ESTIMATED,
    HEIGHT,
    TRUE,
    WIDTH,
    draw_heatmaps,
    draw_markers,
    draw_mesh,
    draw_silhouette,
    draw_text,
)


@dataclass(frozen=True)
class BodyFrame:
    """One frame of a person in crop space (crop heights).

    Attributes:
        silhouette: uint8 ``[h, w]``.
        heatmaps: ``[K, D, h', w']``, each summing to 1.
        extent: of the heatmaps' volume.
        markers: estimated, ``[K, 3]``.
        vertices: estimated, ``[V, 3]``, or None without a body.
        faces: ``[F, 3]``, or None without a body.
        true_markers: ``[K, 3]``, or None where they are not known.
        true_vertices: ``[V, 3]``, or None where they are not known.
    """

    silhouette: np.ndarray
    heatmaps: np.ndarray
    extent: VolumeExtent
    markers: np.ndarray
    vertices: np.ndarray | None = None
    faces: np.ndarray | None = None
    true_markers: np.ndarray | None = None
    true_vertices: np.ndarray | None = None


@dataclass(frozen=True)
class BodyFrames:
    """Some frames of one sequence.

    Attributes:
        name: of the sequence.
        numbers: of the frames in the sequence, from 0.
        frames: what is in them.
        stature: metres that one crop height is taken for.
        errors_mm: mean distance of the estimated markers from the true ones, ``[s]``, NaN where these are not known;
            None for a sequence without bodies.
        notes: what is missing, and why.
        ious: of the estimated meshes with their silhouettes, 0…1, ``[s]``; None without meshes.
        low_iou: below this the mesh is marked as one that covers its silhouette badly.
    """

    name: str
    numbers: Sequence[int] | np.ndarray
    frames: Sequence[BodyFrame]
    stature: float
    errors_mm: np.ndarray | None
    notes: Sequence[str]
    ious: np.ndarray | None = None
    low_iou: float = 0.0

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_truth(self) -> bool:
        """Whether the sequence has true bodies, if not in every frame."""
        return self.errors_mm is not None

    def error(self, frame: int) -> str:
        """The marker error of a frame in words; empty where it is not known."""
        known = self.has_truth and np.isfinite(self.errors_mm[frame])
        return f"{self.errors_mm[frame]:.0f} mm" if known else ""

    @property
    def mean_error(self) -> str:
        """The mean marker error in words; empty where it is not known."""
        known = self.has_truth and np.isfinite(self.errors_mm).any()
        return f"{np.nanmean(self.errors_mm):.0f} mm" if known else ""

    def iou(self, frame: int) -> str:
        """The IoU of a frame, with a mark where it is low; empty without a mesh."""
        if self.ious is None:
            return ""
        return f"{self.ious[frame]:.2f}{' (low)' if self.ious[frame] < self.low_iou else ''}"

    def figures(self, frame: int) -> str:
        """A frame's figures for a line below or above it, each after a comma; empty where none is known."""
        known = {"marker error": self.error(frame), "IoU": self.iou(frame)}
        return "".join(f", {name} {value}" for name, value in known.items() if value)

    @property
    def mean_iou(self) -> str:
        """The mean IoU in words; empty without meshes."""
        return "" if self.ious is None else f"{self.ious.mean():.2f}"


def draw_frame(frame: BodyFrame, sides: dict[str, float], with_truth: bool) -> dict[str, np.ndarray]:
    """The pictures of a frame by what they show.

    Args:
        frame: what to draw.
        sides: from where meshes are seen: what their names end in, and degrees (:func:`draw_mesh`).
        with_truth: draw true bodies as well, or that they are not known.
    """
    pictures = {
        "silhouette": draw_silhouette(frame.silhouette),
        "heatmaps": draw_heatmaps(frame.heatmaps, frame.extent.half_width, frame.silhouette),
        "markers (red),\ntrue ones (green)" if with_truth else "markers": draw_markers(
            frame.silhouette, frame.markers, frame.true_markers
        ),
    }
    meshes = {} if frame.vertices is None else {"mesh": (frame.vertices, ESTIMATED)}
    if with_truth:
        meshes["true mesh"] = (frame.true_vertices, TRUE)
    for name, (vertices, colour) in meshes.items():
        for side, degrees in sides.items():
            if vertices is None:
                pictures[name + side] = draw_text("not known", WIDTH, HEIGHT)
            else:
                pictures[name + side] = draw_mesh(vertices, frame.faces, colour, degrees)
    return pictures


_FPS = 15
_SECONDS = 6  # that the film lasts at least, and a turn takes


def write_film(path: str | Path, shown: BodyFrames) -> None:
    """An MP4 (VP9, which browsers play), 15 frames a second; short sequences are repeated until it lasts six seconds.

    Raises:
        UserError: OpenCV cannot write films here, or not all of this one.
    """
    with atomic_path(path) as temporary:
        # OpenCV chooses the container by the file's name.
        film = temporary.with_suffix(".mp4")
        writer, written = None, 0
        try:
            for picture in _pictures(shown):
                if writer is None:
                    size = picture.shape[1::-1]
                    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"vp09"), _FPS, size)
                    if not writer.isOpened():
                        raise UserError(
                            f"OpenCV {cv2.__version__} cannot write {path} here: the disk is full, or its build has "
                            "no FFMPEG with a VP9 encoder. Make room, or `pip install opencv-python-headless`, which "
                            "has it; .html and .png need none."
                        )
                writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
                written += 1
            writer.release()
            # OpenCV does not tell that a disk is full.
            found = int(cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_COUNT))
            if found != written:
                raise UserError(
                    f"{path} has {found} of {written} pictures: is the disk full? Make room, or name another."
                )
            film.replace(temporary)
        finally:
            film.unlink(missing_ok=True)


def _pictures(shown: BodyFrames) -> Iterator[np.ndarray]:
    for moment in range(len(shown) * -(-_SECONDS * _FPS // len(shown))):
        place = moment % len(shown)
        degrees = moment * 360 / (_SECONDS * _FPS)
        panels = draw_frame(shown.frames[place], {"": degrees}, shown.has_truth)
        head, row = np.hstack([*map(draw_text, panels)]), np.hstack([*panels.values()])
        foot = f"{shown.name}, frame {shown.numbers[place]}{shown.figures(place)}"
        yield np.vstack([head, row, draw_text(foot, row.shape[1])])
