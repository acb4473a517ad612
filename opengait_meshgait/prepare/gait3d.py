"""Gait3D (Zheng et al., "Gait Recognition in the Wild with Dense 3D Representations and A Benchmark", CVPR 2022)."""

from pathlib import Path

from opengait_meshgait.prepare.raw import RawDataset, pair, require_folder

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
    if with_bodies:
        remedy = "Give --bodies the folder of 3D_SMPLs, or take --silhouettes-only."
        bodies = require_folder(bodies or root / "3D_SMPLs", "bodies of Gait3D", remedy)
    return pair(silhouettes, bodies if with_bodies else None, f"{root}/{LAYOUT}")
