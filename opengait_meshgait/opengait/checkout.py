"""A checkout of OpenGait: whether it is one, which commit, what its models need, and what Mesh-Gait writes into it.

Every file written begins with a line that holds the hash of the rest. It distinguishes our files from others,
and from one of ours that somebody has edited since.
"""

import ast
import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from opengait_meshgait.common.configs import CONFIG_NAMES, FOLDER, flat_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path

_LANDMARKS = (
    "opengait/main.py",
    "opengait/modeling/base_model.py",
    "opengait/modeling/models/__init__.py",
    "configs/default.yaml",
)
# Packages that are installed under another name than they are imported by.
_INSTALLED_AS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "lightly": "lightly --no-deps",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}


class Checkout:
    """A folder that holds OpenGait.

    Args:
        root: the folder that has ``opengait/main.py``.

    Raises:
        UserError: it is none.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root).resolve()
        missing = [name for name in _LANDMARKS if not (self.root / name).is_file()]
        if missing:
            raise UserError(
                f"{self.root} is no checkout of OpenGait: {missing[0]} is missing. Name the folder that "
                "`git clone https://github.com/ShiqiYu/OpenGait` made."
            )

    @property
    def commit(self) -> str:
        """The commit that is checked out, abbreviated; ``unknown`` without git."""
        command = ["git", "-C", str(self.root), "rev-parse", "--short", "HEAD"]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    def losses(self) -> set[str]:
        """The names of the classes in its loss modules, read without importing them."""
        files = sorted((self.root / "opengait/modeling/losses").glob("*.py"))
        trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
        return {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}

    def missing_packages(self) -> list[str]:
        """What importing its models takes and this Python lacks, by the names to install."""
        code = self.root / "opengait"
        own = {path.stem for path in code.iterdir()}
        needed = set()
        for path in code.rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Import):
                    needed |= {name.name.partition(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    needed.add(node.module.partition(".")[0])
        foreign = needed - own - set(sys.stdlib_module_names)
        return sorted(_INSTALLED_AS.get(name, name) for name in foreign if importlib.util.find_spec(name) is None)

    def require_packages(self) -> None:
        """Refuse to continue without the packages that its models import.

        Raises:
            UserError: with the command that installs them.
        """
        missing = self.missing_packages()
        if missing:
            raise UserError(
                f"{self.root} imports Python packages that {sys.executable} lacks: {', '.join(missing)}.\n"
                f"{install(missing)}"
            )


def install(packages: list[str]) -> str:
    """What to type for packages, one line each where they need options of their own."""
    plain = [package for package in packages if " " not in package]
    lines = [f"pip install {' '.join(plain)}"] if plain else []
    lines += [f"pip install {package}" for package in packages if " " in package]
    return "Install them:\n" + "\n".join(f"  {line}" for line in lines)


SHIM = Path("opengait/modeling/models/meshgait_plugin.py")
_HEAD = "# Written by `meshgait attach`; `meshgait detach` takes it out. Do not edit: "
_SHIM = '''"""Makes MeshGait known to OpenGait; it is in the package opengait_meshgait."""

import os

try:
    from opengait_meshgait.opengait.register import register

    register()
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
