"""The whole network: silhouettes in, embeddings out, a body on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.networks.chunks import frame_windows, in_chunks, joined
from opengait_meshgait.networks.estimator import HeatmapEstimator
from opengait_meshgait.networks.heatmap_features import build_fusion
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence
from opengait_meshgait.networks.lda_head import LDAHead
from opengait_meshgait.networks.packing import Packing
from opengait_meshgait.networks.part_backbone import FrameBackbone, PartBackbone
from opengait_meshgait.networks.reconstruction import Reconstruction
from opengait_meshgait.networks.registry import BACKBONES, ESTIMATORS, LAYERS
from opengait_meshgait.networks.seen_frames import SeenFrames
from opengait_meshgait.networks.soft_argmax import soft_argmax

SILHOUETTE_SIZE = (64, 44)
"""Rows and columns of the silhouettes that gait models see."""
MATCHED = ("embeddings", "lda")
"""Which features of :class:`MeshGaitOutput` may be matched."""


@dataclass
class MeshGaitOutput:
    """What a forward pass gives; the last four are None unless a body was asked for."""

    embeddings: Tensor | None  # [n, c, p], of the network itself; None, like logits, where 3D alone is trained
    logits: Tensor | None  # [n, class_num, p]
    lda: Tensor | None = None  # [n, c', p'], features of the LDA head; None in training and where none is fitted
    alone: Tensor | None = None  # [n, c, p], embeddings if there were no heatmaps; for an LDA head that needs them
    heatmaps: Tensor | None = None  # [n, s, K, D, h, w], each volume sums to 1
    markers: Tensor | None = None  # [n, s, K, 3] crop space
    joints: Tensor | None = None  # [n, s, 24, 3] crop space
    vertices: Tensor | None = None  # [n, s, V, 3] crop space


@dataclass
class _Read:
    """What is read off the volumes of some frames."""

    markers: Tensor  # [n, w, K, 3] crop space
    features: Tensor | None  # [n, c, h, w], their maximum over these frames; [sequences, c, h, w] of packed frames
    heatmaps: Tensor | None  # [n, w, K, D, h, w]


class MeshGaitNet(nn.Module):
    """Gait recognition from silhouettes, with 3D heatmaps as a second source of features.

    Wang et al., "Mesh-Gait" (arXiv 2510.10406, 2025). Without ``heatmap_cfg`` it is GaitBase (Fan et al., "OpenGait",
    CVPR 2023), down to the keys of the state dict.

    Args:
        backbone_cfg: ``{type: ResNet9, ...}``, the silhouette backbone.
        SeparateFCs: ``{out_channels: 256, ...}``. ``in_channels`` and ``parts_num`` follow from the rest, here and in
            ``SeparateBNNecks``; where they are given (not None) they must be right.
        SeparateBNNecks: ``{class_num: 74, ...}``.
        bin_num: horizontal strips, one entry a scale.
        heatmap_cfg: ``{type: HeatmapEstimator, ...}``, or None for silhouettes alone.
        HeatmapFeatures: ``{channels: [128, 256]}``, the network over the heatmaps, or None for none.
        Discriminant: ``{marker_weight: auto}``, the LDA head, or None for none.
        fusion: ``concat``, ``add`` or ``gated``.
        shrink: the silhouettes are averaged over squares of so many pixels first. 2 saves most of the work of a small
            network, for experiments; strides that suit 64×44 px must be one half smaller then.
        reconstruction: markers to mesh and joints; needed for supervision and for looking, never for recognition.

    Attributes:
        recognises: false while 3D alone is trained: then training computes no embeddings, and no backbone that only
            recognition needs.
        untaught: names of weights that no loss of a training depends on, and that it freezes.

    Raises:
        UserError: parts of the config do not fit each other; the message gives the right number.
    """

    def __init__(
        self,
        backbone_cfg: Mapping[str, Any],
        SeparateFCs: Mapping[str, Any],
        SeparateBNNecks: Mapping[str, Any],
        bin_num: Sequence[int] = (16,),
        heatmap_cfg: Mapping[str, Any] | None = None,
        HeatmapFeatures: Mapping[str, Any] | None = None,
        Discriminant: Mapping[str, Any] | None = None,
        fusion: str = "concat",
        shrink: int = 1,
        reconstruction: Reconstruction | None = None,
    ):
        super().__init__()
        self.shrink, self.recognises = shrink, True
        self.untaught: list[str] = []
        frames = torch.zeros(1, 4, 1, *(side // shrink for side in SILHOUETTE_SIZE))
        self.Backbone = _build_backbone(backbone_cfg, bin_num)
        parts, maps = _dry_run(self.Backbone.with_maps, frames)
        channels, parts_num = parts.shape[1:]
        self.HeatmapEstimator: HeatmapEstimator | None = None
        self.HeatmapFeatures: nn.Module | None = None
        self.Discriminant: LDAHead | None = None
        self.reconstruction: Reconstruction | None = None
        markers = 0
        if heatmap_cfg is not None:
            estimator = self.HeatmapEstimator = _build_estimator(heatmap_cfg, maps)
            volumes = _dry_run(estimator, maps if estimator.reads == "backbone" else frames)
            markers, depth = volumes.shape[2:4]
            if HeatmapFeatures is not None:
                self.HeatmapFeatures = _build_layer("HeatmapFeatures", HeatmapFeatures, in_channels=markers * depth)
                self.TP = PackSequence()
                # Cut as the silhouettes' parts are, so that the two meet strip by strip.
                self.HPP = HorizontalPooling(self.Backbone.part_bins, repeat_rows=True)
                found = self.HPP(_dry_run(self.HeatmapFeatures, volumes[0])).shape[1]
                self.Fusion = build_fusion(fusion, channels, found)
                channels = self.Fusion.out_channels
        self.FCs = _build_layer("SeparateFCs", SeparateFCs, in_channels=channels, parts_num=parts_num)
        out_channels = self.FCs.fc_bin.shape[2]
        self.BNNecks = _build_layer("SeparateBNNecks", SeparateBNNecks, in_channels=out_channels, parts_num=parts_num)
        if Discriminant is not None:
            fused = self.HeatmapFeatures is not None
            sizes = {"features": out_channels * parts_num, "markers": markers, "fused": fused}
            self.Discriminant = LAYERS.build({**Discriminant, "type": "Discriminant"}, **sizes)
        if self.HeatmapEstimator and not self.sees_body and self.HeatmapEstimator.reads == "silhouettes":
            raise UserError(
                "heatmap_cfg reads silhouettes, and neither HeatmapFeatures nor a Discriminant with a marker_weight is "
                "there: recognition would see nothing of the heatmaps. Write one of them, `Discriminant: {}` say, or "
                "heatmap_cfg.reads: backbone, or heatmap_cfg: null."
            )
        if self.HeatmapEstimator and reconstruction is not None:
            self._know_body(self.HeatmapEstimator, reconstruction, markers)

    def forward(self, sils: Tensor, seqL: Tensor | None = None, reconstruct: bool | None = None) -> MeshGaitOutput:
        """Recognise, and reconstruct where asked to.

        Args:
            sils: float ``[n, s, h, w]``, 0…1; with ``seqL``, the sequences lie one after the other in
                ``[1, sum of lengths, h, w]``.
            seqL: int ``[1, n]``, lengths of the packed sequences.
            reconstruct: return heatmaps, markers and, where the network has a ``reconstruction``, joints and vertices.
                By default in training only. Packed frames stay packed: n is 1 then.

        Raises:
            ValueError: ``sils`` or ``seqL`` has another shape.
        """
        frames = self._frames(sils)
        packing = Packing.of_several(seqL, frames)
        # The head's own mode: inside OpenGait the parts of this network are switched, not the network.
        recognise = self.recognises or not self.FCs.training
        reconstruct = self.training if reconstruct is None else reconstruct
        parts, seen = self._look(frames, packing, recognise, looks=self.sees_body or reconstruct)
        body, markers, alone, head = {}, None, None, self.Discriminant
        if seen is not None:
            features = recognise and self.HeatmapFeatures is not None
            found = [self._read(seen, looked, packing, features, reconstruct) for looked in seen.each_window()]
            markers = joined([window.markers for window in found])
            if features:
                heatmap_parts = self.HPP(reduce(torch.maximum, (window.features for window in found)))
                if head is not None and not head.training:
                    alone = self.FCs(self.Fusion(parts, torch.zeros_like(heatmap_parts)))
                parts = self.Fusion(parts, heatmap_parts)
            if reconstruct:
                body = self._body(markers, joined([window.heatmaps for window in found]))
        if not recognise:
            return MeshGaitOutput(None, None, **body)
        embeddings = self.FCs(parts)
        _, logits = self.BNNecks(embeddings)
        fitted = head is not None and head.fitted and not head.training
        lda = head(embeddings, markers, packing, alone) if fitted else None
        return MeshGaitOutput(embeddings, logits, lda, alone, **body)

    def bodies(self, sils: Tensor, shown: Tensor, heatmaps: bool) -> MeshGaitOutput:
        """The bodies in some frames of a sequence: all of it is looked at, and nobody is recognised.

        Args:
            sils: float ``[1, s, h, w]``, 0…1.
            shown: the frames, int ``[m]``; the bodies are of these alone.
            heatmaps: return these too.

        Raises:
            ValueError: ``sils`` has another shape, or the network finds no bodies.
        """
        _, seen = self._look(self._frames(sils), None, recognise=False, looks=True)
        if seen is None:
            raise ValueError("a network without a heatmap estimator finds no bodies")
        found = self._read(seen, seen.some(shown), None, features=False, keep=heatmaps)
        return MeshGaitOutput(None, None, **self._body(found.markers, found.heatmaps))

    def _frames(self, sils: Tensor) -> Tensor:
        """What the branches see, ``[n, s, 1, h, w]``."""
        if sils.dim() != 4:
            raise ValueError(f"expected silhouettes [n, s, h, w], got {tuple(sils.shape)}")
        return (F.avg_pool2d(sils, self.shrink) if self.shrink > 1 else sils).unsqueeze(2)

    def _look(
        self, frames: Tensor, packing: Packing | None, recognise: bool, looks: bool
    ) -> tuple[Tensor | None, SeenFrames | None]:
        """Parts, to ``recognise``; what the estimator has seen, if there is one and it ``looks``."""
        estimator, backbone = self.HeatmapEstimator, self.Backbone
        reads_maps = estimator is not None and estimator.reads == "backbone"
        reach, step = (backbone.reach, backbone.step) if recognise or reads_maps else (0, 1)
        windows = frame_windows(frames.shape[1], reach, step, whole=self.FCs.training or packing is not None)
        seen = None if estimator is None or not looks else SeenFrames(estimator, frames, windows)
        pooled, maps = [], None
        for window in windows:
            some = frames[:, window.seen]
            if recognise or reads_maps:
                maxima, maps = backbone.pool(some, packing, window.own)
                pooled.append(maxima)
            if seen is not None:
                seen.look(maps if reads_maps else some[:, window.own])
        if seen is not None:
            seen.relate(packing)
        parts = backbone.parts(*(reduce(torch.maximum, maxima) for maxima in zip(*pooled))) if recognise else None
        return parts, seen

    def _read(
        self, seen: SeenFrames, looked: Sequence[Tensor], packing: Packing | None, features: bool, keep: bool
    ) -> _Read:
        """Draw the volumes of frames, and read off them what is asked for."""
        extent = seen.extent

        def read(*some: Tensor) -> list[Tensor]:
            heatmaps = seen.estimator.draw(extent, *some)
            found = [soft_argmax(heatmaps, extent)]
            if features:
                found.append(self.HeatmapFeatures(heatmaps))
            # By far the largest tensors.
            return [*found, heatmaps] if keep else found

        frames = looked[0].shape[:2]
        found = in_chunks(read, *(each.flatten(0, 1) for each in looked), whole=self.training)
        markers, *more = (each.unflatten(0, frames) for each in found)
        heatmaps = more.pop() if keep else None
        return _Read(markers, self.TP(more[0], packing) if features else None, heatmaps)

    def _body(self, markers: Tensor, heatmaps: Tensor | None) -> dict[str, Tensor | None]:
        """What :class:`MeshGaitOutput` says of a body."""
        body = {"heatmaps": heatmaps, "markers": markers}
        if self.reconstruction is not None:
            body["vertices"], body["joints"] = self.reconstruction(markers)
        return body

    def matched(self, match: str | None = None) -> str:
        """The features to be matched, by their name in :class:`MeshGaitOutput`.

        Args:
            match: ``embeddings`` or ``lda``; None for ``lda`` where it is fitted, else ``embeddings``.

        Raises:
            UserError: there is no such kind of features, or ``lda`` is asked for and not fitted.
        """
        if match not in (None, *MATCHED):
            raise UserError(f"Cannot match '{match}'. {did_you_mean(str(match), MATCHED)}")
        fitted = self.Discriminant is not None and self.Discriminant.fitted
        if match == "lda" and not fitted:
            absent = "has no LDA head" if self.Discriminant is None else "has an LDA head that is not fitted yet"
            raise UserError(
                f"These weights cannot be matched by lda: the network {absent}. Match embeddings, or fit a head with "
                "`meshgait lda --ckpt C.pt --out C_lda.pt`."
            )
        return match or ("lda" if fitted else "embeddings")

    @property
    def sees_body(self) -> bool:
        """Whether recognition uses the heatmaps; if not, they are an auxiliary task for the backbone."""
        return self.HeatmapFeatures is not None or (
            self.Discriminant is not None and self.Discriminant.markers is not None
        )

    def train_3d_alone(self) -> None:
        """Leave recognition out of training; its weights stay as they are.

        Raises:
            UserError: there is an LDA head, which would be fitted to what nothing taught.
        """
        if self.Discriminant is not None:
            raise UserError(
                "loss_cfg teaches 3D alone, and the LDA head would be fitted to embeddings that nothing taught: write "
                "Discriminant: null, or add TripletLoss and CrossEntropyLoss."
            )
        self.recognises = False
        self.requires_grad_(False)
        self.HeatmapEstimator.requires_grad_(True)
        if self.HeatmapEstimator.reads == "backbone":
            self.Backbone.requires_grad_(True)

    def feature_shape(self, matched: str) -> tuple[int, int]:
        """(c, p), channels and parts of the features that :meth:`matched` names."""
        if matched == "lda" and self.Discriminant is not None:
            return self.Discriminant.shape
        parts, _, channels = self.FCs.fc_bin.shape
        return channels, parts

    def _know_body(self, estimator: HeatmapEstimator, reconstruction: Reconstruction, markers: int) -> None:
        """Take what is known of the body before training: whose markers they are, where they start, left and right."""
        expected = reconstruction.interpolation.shape[1]
        if expected != markers:
            raise UserError(
                f"heatmap_cfg has {markers} markers, but the marker set has {expected}: write markers: {expected}, "
                "or name another marker set in body_cfg."
            )
        self.reconstruction = reconstruction
        estimator.start_at(reconstruction.start)
        if self.Discriminant is not None:
            self.Discriminant.set_sides(reconstruction.side, reconstruction.flip)


def _dry_run(forward: Any, x: Tensor | None) -> Any:
    """One forward pass of a module, or of a method of it, that leaves batch normalisation's statistics alone."""
    module = getattr(forward, "__self__", forward)
    module.eval()
    with torch.no_grad():
        out = forward(x)
    module.train()
    return out


def _build_backbone(cfg: Mapping[str, Any], bin_num: Sequence[int]) -> PartBackbone:
    """The silhouette backbone that ``cfg`` names, whatever its kind."""
    kind = BACKBONES.get(str(cfg.get("type"))) if "type" in cfg else None
    if isinstance(kind, type) and issubclass(kind, PartBackbone):
        return BACKBONES.build(cfg, bin_num=tuple(bin_num))
    return FrameBackbone(BACKBONES.build(cfg), bin_num)


def _build_estimator(cfg: Mapping[str, Any], maps: Tensor | None) -> HeatmapEstimator:
    """The heatmap estimator that ``cfg`` names, which may read the backbone's ``maps [n, s, c, h, w]``."""
    channels = {}
    if cfg.get("reads") == "backbone":
        if maps is None:
            raise UserError(
                "heatmap_cfg.reads is backbone, but this backbone has no feature maps of single frames: write reads: "
                "silhouettes, or take another backbone."
            )
        channels["in_channels"] = maps.shape[2]
    return ESTIMATORS.build(cfg, **channels)


def _build_layer(name: str, cfg: Mapping[str, Any], **found: Any) -> Any:
    """Build the layer ``name`` for the sizes ``found`` by the dry run, which ``cfg`` may repeat but not contradict."""
    for key, value in found.items():
        if cfg.get(key) not in (None, value):
            raise UserError(
                f"{name}.{key} is {cfg[key]}, but the layers before it give {value}: write {key}: {value}, "
                "or leave it out."
            )
    given = {key: value for key, value in cfg.items() if key not in found}
    return LAYERS.build({**given, "type": name}, **found)
