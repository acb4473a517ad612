"""What the doctor asks of bodies in their silhouettes: the true ones, and those that trained weights reconstruct."""

from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import build_transforms
from opengait_meshgait.data.layout import SPLITS, SequenceInfo
from opengait_meshgait.data.reader import read_sequence
from opengait_meshgait.doctor.checks import NotApplicable
from opengait_meshgait.doctor.data import Findings
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import Checkpoints, run_folder
from opengait_meshgait.engine.overlap import sequence_ious
from opengait_meshgait.networks import load_checkpoint, load_weights
from opengait_meshgait.prepare.alignment import align

_SEQUENCES = 8
_FRAMES = 60  # of a sequence at most


def check_overlap(findings: Findings) -> str:
    """How well bodies cover the silhouettes of some sequences."""
    seqs = findings.sequences(*SPLITS)
    chosen = np.unique(np.linspace(0, len(seqs) - 1, min(_SEQUENCES, len(seqs))).round().astype(int))
    infos = [seqs[index] for index in chosen]
    found = []
    if true := _true_ious(findings, infos):
        found.append(f"true bodies cover their silhouettes with a mean IoU of {np.mean(true):.2f}")
    if (weights := _weights(findings)) is not None:
        try:
            found.append(f"the meshes of {weights} do with {np.mean(_estimated_ious(findings, infos, weights)):.2f}")
        except UserError as error:
            # Whether a training could begin with them is not the question here.
            found.append(f"the meshes of {weights} cannot be looked at: {str(error).splitlines()[0]}")
    if not found:
        raise NotApplicable("there are no true bodies with parameters, and no trained weights")
    return f"{'; '.join(found)} ({len(infos)} sequences)"


def _true_ious(findings: Findings, infos: list[SequenceInfo]) -> list[float]:
    ious: list[float] = []
    for info in infos:
        sils, bodies, _ = (None if a is None else a[:_FRAMES] for a in read_sequence(info.sils_path, info.bodies_path))
        if bodies is not None and bodies.ndim == 2:
            alignment = align(sils, bodies, findings.body)
            ious += alignment.ious[alignment.present].tolist()
    return ious


def _weights(findings: Findings) -> Path | None:
    """The newest weights of the run, or else those that it begins with."""
    folder = run_folder(findings.config, Path(findings.opengait or "", "output"), training=True)
    checkpoints, hint = Checkpoints(folder), findings.config.trainer_cfg.restore_hint
    if saved := checkpoints.iterations():
        return checkpoints.path(saved[-1])
    return Path(hint) if isinstance(hint, str) and Path(hint).is_file() else None


@torch.no_grad()
def _estimated_ious(findings: Findings, infos: list[SequenceInfo], weights: Path) -> list[float]:
    config = findings.config
    net = build.build_network(config, findings.supervision).eval()
    load_weights(net, load_checkpoint(weights), config.trainer_cfg.restore_ckpt_strict, weights)
    transform, _ = build_transforms(config.evaluator_cfg.transform, findings.bodies)
    ious: list[float] = []
    for info in infos:
        seen = transform(torch.from_numpy(read_sequence(info.sils_path)[0][None, :_FRAMES]))
        ious += sequence_ious(net(seen, reconstruct=True), findings.body.faces, seen, None)[0]
    return ious
