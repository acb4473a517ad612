"""Any dataset that lies as ``id/type/view``, pictures or OpenGait's pickles."""

from pathlib import Path

from opengait_meshgait.prepare.bodies import holds_bodies
from opengait_meshgait.prepare.raw import RawDataset, pair, require_folder, three_levels

LAYOUT = "<id>/<type>/<view>/ with *.png or a pickle of silhouettes, and .npz or .pkl of bodies"


def find(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """The sequences of a dataset.

    Args:
        root: the folder of silhouettes, ``id/type/view``.
        bodies: the folder of bodies, ``id/type/view`` too; None looks beside the silhouettes.
        with_bodies: whether bodies are asked for. Without ``bodies``, they are so only where the first sequence has
            some beside its silhouettes.

    Raises:
        UserError: a folder is missing.
    """
    require_folder(root, "silhouettes", f"Give a folder with {LAYOUT}.")
    if with_bodies and bodies is None:
        first = next(three_levels(root), None)
        bodies = root if first and holds_bodies(first[-1]) else None
    elif with_bodies:
        require_folder(bodies, "bodies", "Give --bodies a folder that lies as id/type/view.")
    return pair(root, bodies if with_bodies else None, f"{root}/{LAYOUT}")
