"""A checkout of OpenGait: whether it is one, which commit, and what its models need."""

import ast
import importlib.util
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from opengait_meshgait.common.errors import UserError

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
    """What to type for packages, one line each where they need options of their own.

    The PyTorch that is here is named as well, so that pip takes the versions that fit it rather than another PyTorch.
    """
    torch = version("torch")
    build = torch.partition("+")[2]  # cpu, cu128, …: such builds are not on PyPI, and torchvision must be of the same
    own = {"torchvision": f" --index-url https://download.pytorch.org/whl/{build}"} if build else {}
    plain = [package for package in packages if " " not in package and package not in own]
    groups = [" ".join(plain)] if plain else []
    groups += [f"{package}{own.get(package, '')}" for package in packages if package not in plain]
    lines = "".join(f"\n  pip install torch=={torch} {group}" for group in groups)
    return f"Install them; torch=={torch} keeps PyTorch as it is:{lines}"
