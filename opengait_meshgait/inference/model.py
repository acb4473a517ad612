"""A trained network, ready for silhouettes."""

import functools
import hashlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait_meshgait.body.supervision import BodySupervision, load_supervision
from opengait_meshgait.common.distributed import PRECISIONS
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import build_transforms
from opengait_meshgait.data.transforms import Transform
from opengait_meshgait.inference.silhouettes import (
    SilhouetteSize,
    describe_frames,
    normalize_sequence,
    split_sequences,
)
from opengait_meshgait.networks import SILHOUETTE_SIZE, MeshGaitNet, Recognition, Reconstruction
from opengait_meshgait.networks.chunks import FRAMES_AT_ONCE
from opengait_meshgait.recipe.training_step import reconstruction

STATURE = 1.7
"""Assumed height of a person, m."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BodySequence:
    """The bodies of the s frames of one sequence in crop space, float32.

    Crop space (see :mod:`opengait_meshgait.body.crop`): x right, y down, z away from the camera; the unit is the height
    of the silhouette, the origin its top at the median column and the depth of the pelvis.

    Attributes:
        silhouettes: what the network saw, before its sides were cut, uint8 [s, h, w], 0…255.
        frames: which frames of the input these are, int64 [s].
        markers: crop heights, [s, K, 3].
        joints: crop heights, [s, 24, 3] in SMPL's order, or None without a body.
        vertices: crop heights, [s, V, 3], or None without a body.
        faces: triangles of the vertices, int64 [F, 3], or None without a body.
        heatmaps: [s, K, D, h, w], each volume sums to 1, or None where they were not asked for.
        stature: metres that one crop height is taken for.
    """

    silhouettes: np.ndarray
    frames: np.ndarray
    markers: np.ndarray
    joints: np.ndarray | None
    vertices: np.ndarray | None
    faces: np.ndarray | None
    heatmaps: np.ndarray | None
    stature: float

    def metres(self, points: np.ndarray) -> np.ndarray:
        """Markers, joints or vertices, crop heights -> m, with the same axes and origin.

        A silhouette has no size: what it measures from top to bottom is taken for the ``stature``, in every frame. In
        a stride people are lower than that by some per cent, seen from above by more.
        """
        return points * np.float32(self.stature)


class GaitModel:
    """A trained network in evaluation mode; :func:`load` makes it.

    Attributes:
        net: on ``device``, in evaluation mode, without gradients.
        device: where it computes.
        config: of its training, a nested mapping.
        source: the checkpoint's file.
        iteration: of the checkpoint, or None where the file does not say.
        fingerprint: hex of the weights and of what is done to silhouettes before them. Embeddings can be compared where
            it is the same.
        embedding_shape: (c, p), channels and parts of an embedding.
        metric: ``euc`` or ``cos``, the distance of two embeddings by the config.
        size: of the silhouettes that it was trained on. Checkpoints of OpenGait and of earlier versions do not say it:
            it is the transform's ``img_w`` then, or 64 x 64 px with a warning.
        transform: uint8 [..., h, w] of that size to what ``net`` takes.
        frames_limit: so many frames of a sequence are looked at, the first ones; None: all.
        precision: ``fp32``, ``bf16`` or ``fp16``, in which :meth:`embed` computes.
    """

    def __init__(
        self,
        net: MeshGaitNet,
        config: Mapping[str, Any],
        state: Mapping[str, Any],
        source: str | Path,
        precision: str = "fp32",
    ):
        evaluator = config.get("evaluator_cfg") or {}
        transforms = evaluator.get("transform") or {"type": "BaseSilCuttingTransform"}
        transforms = [transforms] if isinstance(transforms, dict) else transforms
        self.transform: Transform = build_transforms(transforms, with_bodies=False)[0]
        # OpenGait's defaults, where the config is a file of its own.
        self.frames_limit: int | None = (evaluator.get("sampler") or {}).get("frames_all_limit", 720)
        self.metric: str = evaluator.get("metric", "euc")
        self.net = net.eval().requires_grad_(False)
        self.device = next(net.parameters()).device
        self.config, self.source, self.iteration = config, Path(source), state.get("iteration")
        self.size = self._size(state.get("silhouettes"))
        self.fingerprint = _fingerprint(net, self.transform, self.size)
        self.matched = net.matched()
        self.embedding_shape = net.feature_shape(self.matched)
        self.precision = precision
        self._recognise = Recognition(net, PRECISIONS[precision])
        self._trained_with = state.get("body", {})

    def _size(self, trained: Sequence[int] | None) -> SilhouetteSize:
        """The size that the checkpoint says, or what is taken for it."""
        width = getattr(self.transform, "img_w", None)
        if trained is None and width is None:
            logger.warning(
                "%s does not say what size its silhouettes had: %d x %d px is expected. If they had another one, say "
                "so by img_w in evaluator_cfg.transform.",
                *(self.source, SILHOUETTE_SIZE[0], SILHOUETTE_SIZE[0]),
            )
        height, width = trained or [width or SILHOUETTE_SIZE[0]] * 2
        seen = self.transform(torch.zeros(1, height, width, dtype=torch.uint8)).shape[-1]
        return SilhouetteSize(height, width, seen)

    @torch.inference_mode()
    def embed(self, sils: Any, names: Sequence[str] | None = None, largest: bool = False) -> np.ndarray:
        """The features that are matched, of sequences of any length; how many are given at once changes nothing.

        Args:
            sils: one sequence or a list of them, each an array or tensor ``[s, h, w]``, normalised as the training's
                were or raw, see :func:`~opengait_meshgait.inference.silhouettes.normalize_sequence`; or ``[n, s, h,
                w]``. A list of pictures, ``[h, w]`` or ``[h, w, 3]``, is one sequence.
            names: of the sequences, for messages.
            largest: take of each raw picture the largest connected part alone.

        Frames that are left out, those that hold several parts, and sequences longer than ``frames_limit`` are counted
        in a warning.

        Returns:
            float32 ``[n, c, p]``, in the order of the sequences; n is 1 for a single one.

        Raises:
            UserError: a sequence that cannot be used, more or fewer names than sequences, or embeddings that are not
                finite.
        """
        sequences = split_sequences(sils)
        if names is not None and len(names) != len(sequences):
            raise UserError(f"Found {len(names)} names for {len(sequences)} sequences; expected one for each.")
        names = names or [f"Sequence {number}" for number in range(len(sequences))]
        normalized = [normalize_sequence(one, self.size, name, largest) for one, name in zip(sequences, names)]
        if sequences and normalized[0] is not sequences[0]:
            for line in describe_frames(names, normalized, largest, self.frames_limit):
                logger.warning(line)
        pictures = [one.pictures[: self.frames_limit] for one in normalized]
        found = np.empty((len(pictures), *self.embedding_shape), np.float32)
        for places in _batches([len(one) for one in pictures]):
            packed = torch.from_numpy(np.concatenate([pictures[place] for place in places])[None])
            lengths = torch.tensor([[len(pictures[place]) for place in places]])
            output = self._recognise(self.transform(packed.to(self.device)), lengths)
            found[places] = getattr(output, self.matched).float().cpu().numpy()
        bad = np.flatnonzero(~np.isfinite(found).all((1, 2)))
        if len(bad):
            raise UserError(
                f"{names[bad[0]]}: the embedding is not finite{f' (and {len(bad) - 1} more)' if len(bad) > 1 else ''}. "
                f"{self.source} may hold damaged weights: `meshgait test` it, or take another checkpoint."
            )
        return found

    @torch.inference_mode()
    def reconstruct(
        self,
        sils: Any,
        stature: float = STATURE,
        heatmaps: bool = False,
        shown: Sequence[int] | np.ndarray | None = None,
    ) -> BodySequence:
        """The bodies in one sequence.

        Args:
            sils: ``[s, h, w]``, normalised or raw, as for :meth:`embed`.
            stature: the person's height, m, which only :meth:`BodySequence.metres` uses.
            heatmaps: return the heatmaps too, some 0.4 MB a frame.
            shown: the bodies of these frames alone, in this order, counted from 0 among those in which somebody is
                seen; None: of all.

        Raises:
            UserError: the network has no heatmap branch, the sequence cannot be used or has no such frame, the stature
                is no height, or the body here is not the one of the training.
        """
        if not 0 < stature < math.inf:
            raise UserError(f"stature is a height in m, such as {STATURE}; found {stature}.")
        if self.net.HeatmapEstimator is None:
            raise UserError(f"{self.source} knows silhouettes only (heatmap_cfg: null): there is no body in it.")
        found = normalize_sequence(sils, self.size)
        pictures, frames = found.pictures, found.frames
        seen = self.transform(torch.from_numpy(pictures).to(self.device))
        # All frames are looked at: each is estimated with a view to the others.
        chosen = np.arange(len(pictures)) if shown is None else _numbers(shown, len(pictures))
        output = self.net.bodies(seen[None], torch.from_numpy(chosen).to(self.device), heatmaps)
        markers = output.markers[0]
        vertices, joints = (None, None) if self._reconstruction is None else self._reconstruction(markers)
        return BodySequence(
            pictures[chosen],
            frames[chosen],
            _array(markers),
            _array(joints),
            _array(vertices),
            None if self.body is None else self.body.body.faces.cpu().numpy(),
            _array(output.heatmaps[0] if heatmaps else None),
            stature,
        )

    @property
    def body(self) -> BodySupervision | None:
        """The body and the markers that the network was trained with; None where they are not here.

        Raises:
            UserError: the body here is another one, or its file cannot be used.
        """
        return self._body[0]

    @property
    def no_body(self) -> str | None:
        """Why there is no :attr:`body`; None where there is one."""
        return self._body[1]

    @functools.cached_property
    def _body(self) -> tuple[BodySupervision | None, str | None]:
        # Only when asked for: recognition needs no body, and a licensed one may be on another machine.
        if self.net.HeatmapEstimator is None:
            return None, f"{self.source} knows silhouettes only"
        if self._trained_with is None:
            return None, f"{self.source} was trained without bodies"
        files = {key: value for key, value in (self.config["model_cfg"].get("body_cfg") or {}).items() if value}
        for key, file in files.items():
            if not Path(file).is_file():
                return None, f"{file} (body_cfg.{key}) is not here"
        supervision = load_supervision(**files).to(self.device)
        trained, here = self._trained_with, supervision.body
        if trained and trained["fingerprint"] != here.fingerprint:
            raise UserError(
                f"{self.source} was trained with the body {trained['name']} ({trained['fingerprint'][:8]}), and "
                f"body_cfg names {here.name} ({here.fingerprint[:8]}): its mesh would be wrong. Name the body of the "
                "training in body_cfg of a config, and give that config too."
            )
        markers, estimated = len(supervision.markers.flip), self.net.HeatmapEstimator.markers
        if markers != estimated:
            raise UserError(
                f"{self.source} finds {estimated} markers, and the marker set has {markers}. Name the markers of the "
                "training in body_cfg of a config, and give that config too."
            )
        return supervision, None

    @functools.cached_property
    def _reconstruction(self) -> Reconstruction | None:
        return reconstruction(self.body)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of sequences that go together: of like lengths, and not too many frames in all."""
    batch: list[int] = []
    frames = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and frames + lengths[place] > FRAMES_AT_ONCE:
            yield batch
            batch, frames = [], 0
        batch.append(place)
        frames += lengths[place]
    if batch:
        yield batch


def _numbers(shown: Sequence[int] | np.ndarray, frames: int) -> np.ndarray:
    chosen = np.asarray(shown)
    whole = chosen.ndim == 1 and chosen.size and np.issubdtype(chosen.dtype, np.integer)
    if not whole or chosen.min() < 0 or chosen.max() >= frames:
        raise UserError(f"shown names frames by whole numbers from 0 to {frames - 1}; found {shown}.")
    return chosen


def _array(values: torch.Tensor | None) -> np.ndarray | None:
    return None if values is None else values.float().cpu().numpy()


def _fingerprint(net: MeshGaitNet, transform: Transform, size: SilhouetteSize) -> str:
    # The usual size stays unnamed, as it was before there were others.
    usual = (size.height, size.width) == (SILHOUETTE_SIZE[0],) * 2
    sized = "" if usual else str(size)
    digest = hashlib.sha256(f"{type(transform).__name__} {sorted(vars(transform).items())}{sized}".encode())
    for name, value in sorted(net.state_dict().items()):
        digest.update(f"{name} {list(value.shape)}".encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
