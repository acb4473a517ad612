"""The whole network: silhouettes in, embeddings out, a body on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.backbone import FrameBackbone, PartBackbone
from opengait_meshgait.networks.fusion import build_fusion
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence
from opengait_meshgait.networks.reconstruction import Reconstruction
from opengait_meshgait.networks.registry import BACKBONES, LAYERS
from opengait_meshgait.networks.soft_argmax import soft_argmax

# Rows and columns of the silhouettes that gait models see.
SILHOUETTE_SIZE = (64, 44)


@dataclass
class MeshGaitOutput:
    """What a forward pass gives; the last four are None unless a body was asked for."""

    embeddings: Tensor  # [n, c, p]
    logits: Tensor  # [n, class_num, p]
    heatmaps: Tensor | None = None  # [n, s, K, D, h, w], each volume sums to 1
    markers: Tensor | None = None  # [n, s, K, 3] crop space
    joints: Tensor | None = None  # [n, s, 24, 3] crop space
    vertices: Tensor | None = None  # [n, s, V, 3] crop space


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
        HeatmapFeatures: ``{channels: [128, 256]}``, the network over the heatmaps.
        fusion: ``concat``, ``add`` or ``gated``.
        reconstruction: markers to mesh and joints; needed for supervision and for looking, never for recognition.

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
        fusion: str = "concat",
        reconstruction: Reconstruction | None = None,
    ):
        super().__init__()
        frame = torch.zeros(1, 1, *SILHOUETTE_SIZE)
        self.Backbone = _build_backbone(backbone_cfg, bin_num)
        channels, parts_num = _dry_run(self.Backbone, frame.expand(1, 4, -1, -1).unsqueeze(2)).shape[1:]
        self.HeatmapEstimator = None
        self.reconstruction = None
        if heatmap_cfg is not None:
            self.HeatmapEstimator = BACKBONES.build(heatmap_cfg)
            volumes = _dry_run(self.HeatmapEstimator, frame)
            _require_axes("heatmap_cfg", heatmap_cfg, volumes, "[n, K, D, h, w]")
            markers, depth = volumes.shape[1:3]
            self.HeatmapFeatures = _build_layer("HeatmapFeatures", HeatmapFeatures or {}, in_channels=markers * depth)
            self.TP = PackSequence()
            # Cut as the silhouettes' parts are, so that the two meet strip by strip.
            self.HPP = HorizontalPooling(self.Backbone.part_bins, repeat_rows=True)
            heatmap_parts = self.HPP(_dry_run(self.HeatmapFeatures, volumes))
            self.Fusion = build_fusion(fusion, channels, heatmap_parts.shape[1])
            channels = self.Fusion.out_channels
            if reconstruction is not None and reconstruction.interpolation.shape[1] != markers:
                expected = reconstruction.interpolation.shape[1]
                raise UserError(
                    f"heatmap_cfg has {markers} markers, but the marker set has {expected}: write markers: {expected}, "
                    "or name another marker set in body_cfg."
                )
            self.reconstruction = reconstruction
        self.FCs = _build_layer("SeparateFCs", SeparateFCs, in_channels=channels, parts_num=parts_num)
        out_channels = self.FCs.fc_bin.shape[2]
        self.BNNecks = _build_layer("SeparateBNNecks", SeparateBNNecks, in_channels=out_channels, parts_num=parts_num)

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
        if sils.dim() != 4:
            raise ValueError(f"expected silhouettes [n, s, h, w], got {tuple(sils.shape)}")
        frames = sils.unsqueeze(2)
        parts = self.Backbone(frames, seqL)
        body = {}
        if self.HeatmapEstimator is not None:
            heatmaps = self.HeatmapEstimator(frames.flatten(0, 1))
            features = self.HeatmapFeatures(heatmaps).unflatten(0, sils.shape[:2])
            parts = self.Fusion(parts, self.HPP(self.TP(features, seqL)))
            if self.training if reconstruct is None else reconstruct:
                body = self._reconstruct(heatmaps.unflatten(0, sils.shape[:2]), sils)
        embeddings = self.FCs(parts)
        _, logits = self.BNNecks(embeddings)
        return MeshGaitOutput(embeddings, logits, **body)

    def _reconstruct(self, heatmaps: Tensor, sils: Tensor) -> dict[str, Tensor]:
        markers = soft_argmax(heatmaps, self.HeatmapEstimator.extent(*sils.shape[-2:]))
        body = {"heatmaps": heatmaps, "markers": markers}
        if self.reconstruction is not None:
            body["vertices"], body["joints"] = self.reconstruction(markers)
        return body


def _dry_run(module: nn.Module, x: Tensor) -> Tensor:
    """One forward pass that leaves the batch normalisation's statistics alone."""
    module.eval()
    with torch.no_grad():
        out = module(x)
    module.train()
    return out


def _build_backbone(cfg: Mapping[str, Any], bin_num: Sequence[int]) -> PartBackbone | FrameBackbone:
    """The silhouette backbone that ``cfg`` names, whatever its kind."""
    kind = BACKBONES.get(str(cfg.get("type"))) if "type" in cfg else None
    if isinstance(kind, type) and issubclass(kind, PartBackbone):
        return BACKBONES.build(cfg, bin_num=tuple(bin_num))
    backbone = BACKBONES.build(cfg)
    _require_axes("backbone_cfg", cfg, _dry_run(backbone, torch.zeros(1, 1, *SILHOUETTE_SIZE)), "[n, c, h, w]")
    return FrameBackbone(backbone, bin_num)


def _require_axes(key: str, cfg: Mapping[str, Any], out: Tensor, shape: str) -> None:
    """Refuse a module whose output for a frame has not as many axes as ``shape``."""
    if out.dim() != len(shape.split()):
        raise UserError(
            f"{key} names {cfg['type']}, whose output {list(out.shape)} is not {shape}: "
            "backbone_cfg takes a silhouette backbone, heatmap_cfg a heatmap estimator."
        )


def _build_layer(name: str, cfg: Mapping[str, Any], **found: int) -> nn.Module:
    """Build the layer ``name`` for the sizes ``found`` by the dry run, which ``cfg`` may repeat but not contradict."""
    for key, value in found.items():
        if cfg.get(key) not in (None, value):
            raise UserError(
                f"{name}.{key} is {cfg[key]}, but the layers before it give {value}: write {key}: {value}, "
                "or leave it out."
            )
    return LAYERS.build({**cfg, **found, "type": name})
