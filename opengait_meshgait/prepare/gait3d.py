"""Gait3D (Zheng et al., "Gait Recognition in the Wild with Dense 3D Representations and A Benchmark", CVPR 2022)."""

from pathlib import Path

from opengait_meshgait.prepare.raw import RawDataset, RawSequence, require_folder, three_levels

LAYOUT = "2D_Silhouettes/<id>/<camera>/<sequence>/*.png and 3D_SMPLs/<id>/<camera>/<sequence>/*.npz"


def find(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """The sequences of Gait3D.

    Args:
        root: the folder with ``2D_Silhouettes`` and ``3D_SMPLs``.
        bodies: where ``3D_SMPLs`` is, if not there.
        with_bodies: whether bodies are asked for.

    Raises:
        UserError: a folder is missing.
    """
    silhouettes = require_folder(
        root / "2D_Silhouettes", "silhouettes of Gait3D", "Give the folder that holds 2D_Silhouettes."
    )
    if not with_bodies:
        return _pair(silhouettes, None)
    remedy = "Give --bodies the folder of 3D_SMPLs, or take --silhouettes-only."
    return _pair(silhouettes, require_folder(bodies or root / "3D_SMPLs", "bodies of Gait3D", remedy))


def _pair(silhouettes: Path, bodies: Path | None) -> RawDataset:
    sequences = [
        RawSequence(*names, path, None if bodies is None else str(bodies.joinpath(*names)))
        for *names, path in three_levels(silhouettes)
    ]
    known = {sequence.name for sequence in sequences}
    alone = [] if bodies is None else ["/".join(names) for *names, _ in three_levels(bodies)]
    return RawDataset(sequences, f"{silhouettes.parent}/{LAYOUT}", [name for name in alone if name not in known])
