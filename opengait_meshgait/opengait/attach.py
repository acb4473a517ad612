"""Writes into an OpenGait checkout what makes its own command find Mesh-Gait, and removes it again.

Every file written begins with a line that holds the hash of the rest. It distinguishes our files from others, and from
one of ours that somebody has edited since.
"""

import hashlib
import re
from collections import Counter
from pathlib import Path

from opengait_meshgait.common.configs import CONFIG_NAMES, FOLDER, flat_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.opengait.checkout import Checkout

SHIM = Path("opengait/modeling/models/meshgait_plugin.py")
_HEAD = "# Written by `meshgait attach`; `meshgait detach` takes it out. Do not edit: "
_SHIM = '''"""Makes MeshGait known to OpenGait; it is in the package opengait_meshgait."""

import os

try:
    from opengait_meshgait.opengait.register import register, supply_one_process

    register()
    supply_one_process()
except Exception as error:
    # Whatever is wrong with the package, OpenGait's other models must run.
    if os.environ.get("RANK", "0") == "0":
        print(f"MeshGait is not available: {type(error).__name__}: {error}")
'''


def attach(root: str | Path) -> list[Path]:
    """Make OpenGait's ``main.py`` in ``root`` find MeshGait and its configs. May be repeated.

    Returns:
        The files that were written, relative to ``root``; those that were there already are not among them.

    Raises:
        UserError: ``root`` is no checkout, or a file is in the way that is not ours or was edited. Nothing is written.
    """
    checkout = Checkout(root)
    contents = {SHIM: _SHIM, **shipped_configs()}
    in_the_way = [name for name in contents if (checkout.root / name).exists() and not _is_ours(checkout.root / name)]
    if in_the_way:
        raise UserError(
            f"In the way in {checkout.root}, not written by `meshgait attach` or edited since: "
            f"{', '.join(map(str, in_the_way))}. Rename or delete each of them."
        )
    written = []
    for name, content in contents.items():
        text = _signed(content)
        path = checkout.root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def detach(root: str | Path) -> list[Path]:
    """Take out of the checkout what :func:`attach` wrote, whichever version of this package wrote it.

    Returns:
        The files that were removed, relative to ``root``.

    Raises:
        UserError: ``root`` is no checkout, or some of the files were edited; those are left, all others removed.
    """
    checkout = Checkout(root)
    removed, edited = [], []
    for name in [SHIM, *sorted(path.relative_to(checkout.root) for path in (checkout.root / FOLDER).glob("*.yaml"))]:
        path = checkout.root / name
        if not path.exists():
            continue
        if _is_ours(path):
            path.unlink()
            removed.append(name)
        elif path.read_text(encoding="utf-8").startswith(_HEAD):
            edited.append(name)
    for compiled in (checkout.root / SHIM).parent.glob(f"__pycache__/{SHIM.stem}.*.pyc"):
        compiled.unlink()
    folder = checkout.root / FOLDER
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if edited:
        raise UserError(
            f"Left in {checkout.root}, edited since `meshgait attach`: {', '.join(map(str, edited))}. Move each of "
            "them to another folder, or delete it."
        )
    return removed


def is_attached(root: str | Path) -> bool:
    """Whether the checkout finds this version of MeshGait by itself."""
    shim = Path(root) / SHIM
    return shim.is_file() and shim.read_text(encoding="utf-8", errors="replace") == _signed(_SHIM)


def shipped_configs() -> dict[Path, str]:
    """The config files that OpenGait gets, each complete, by their places in a checkout."""
    names = (name for name in CONFIG_NAMES if not name.startswith(("demo", "walkers_small", "walkers_full")))
    return {FOLDER / f"{name}.yaml": flat_config(name) for name in sorted(names)}


def _signed(content: str) -> str:
    return f"{_HEAD}{hashlib.sha256(content.encode()).hexdigest()}\n{content}"


def _is_ours(path: Path) -> bool:
    """Whether a file is just as some version of this package wrote it."""
    head, _, content = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    match = re.fullmatch(re.escape(_HEAD) + "([0-9a-f]{64})", head)
    return bool(match) and match[1] == hashlib.sha256(content.encode()).hexdigest()


def in_short(paths: list[Path]) -> list[str]:
    """A line for each path, but one for all configs of a folder."""
    configs = Counter(path.parent for path in paths if path.suffix == ".yaml")
    lines = [str(path) for path in paths if path.suffix != ".yaml"]
    return lines + [f"{number} configs in {folder}" for folder, number in configs.items()]
