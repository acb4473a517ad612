"""Any dataset that lies as ``id/type/view``, pictures or OpenGait's pickles."""

from pathlib import Path

from opengait_meshgait.prepare.bodies import holds_bodies
from opengait_meshgait.prepare.raw import RawDataset, RawSequence, require_folder, three_levels

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
    found = list(three_levels(root))
    if with_bodies and bodies is None and found:
        bodies = root if holds_bodies(found[0][-1]) else None
    elif with_bodies and bodies is not None:
        require_folder(bodies, "bodies", "Give --bodies a folder that lies as id/type/view.")
    else:
        bodies = None
    sequences = [
        RawSequence(*names, path, None if bodies is None else str(bodies.joinpath(*names))) for *names, path in found
    ]
    known = {sequence.name for sequence in sequences}
    alone = [] if bodies in (None, root) else ["/".join(names) for *names, _ in three_levels(bodies)]
    return RawDataset(sequences, f"{root}/{LAYOUT}", [name for name in alone if name not in known])
