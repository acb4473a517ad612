"""`meshgait attach` and `detach` on a folder with OpenGait's landmarks, under git."""

import subprocess
import sys

import pytest
import yaml

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.configs import CONFIG_NAMES, FOLDER, compose
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.opengait import attach as module
from opengait_meshgait.opengait.attach import SHIM, attach, detach, shipped_configs
from opengait_meshgait.opengait.checkout import Checkout, install


def git(root, *arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(autouse=True)
def few_configs(monkeypatch):
    """Three of the many, which take a second to write."""
    monkeypatch.setattr(module, "CONFIG_NAMES", ("gait3d", "walkers", "walkers_lda"))


@pytest.fixture
def checkout(tmp_path):
    """What attach looks at, without OpenGait's code."""
    root = tmp_path / "OpenGait"
    files = {
        "opengait/main.py": "import argparse, torch, yaml\nfrom modeling import models\n",
        "opengait/modeling/base_model.py": "import os.path as osp\nimport cv2, no_such_package\nfrom . import x\n",
        "opengait/modeling/models/__init__.py": "from no_such.sub import y\nif 1:\n    import optional_one\n",
        "opengait/utils/__init__.py": "",
        "configs/default.yaml": "data_cfg: {}\n",
        ".gitignore": "__pycache__/\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    git(root.parent, "init", "-q", root.name)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    return root


def test_attach_writes_shim_and_configs(checkout, monkeypatch):
    monkeypatch.setattr(module, "CONFIG_NAMES", CONFIG_NAMES)
    written = attach(checkout)
    configs = [*shipped_configs()]
    assert {FOLDER / f"{name}.yaml" for name in ("gait3d", "oumvlp_gaitset_shared", "walkers_swingait_lda")} <= {
        *configs
    }
    assert written == [SHIM, *configs]
    compile((checkout / SHIM).read_text(), "shim", "exec")
    for name in configs:
        # As OpenGait reads it: with PyYAML, from this one file.
        assert yaml.load((checkout / name).read_text(), yaml.CSafeLoader) == compose(name.stem)


def test_attaching_again_writes_nothing(checkout):
    attach(checkout)
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*")}
    assert attach(checkout) == []
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*")} == before


def test_a_file_of_another_version_is_replaced(checkout):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SHIM", "# an older one\n")
        attach(checkout)
    assert attach(checkout) == [SHIM]
    assert "register()" in (checkout / SHIM).read_text()


def test_detach_leaves_no_trace(checkout):
    attach(checkout)
    subprocess.run([sys.executable, "-m", "py_compile", checkout / SHIM], check=True)
    assert git(checkout, "status", "--short", "--ignored")
    removed = detach(checkout)
    assert SHIM in removed
    assert git(checkout, "status", "--short") == ""
    assert not list(checkout.rglob("*.pyc"))
    assert not (checkout / FOLDER).exists()
    assert detach(checkout) == []


@pytest.mark.parametrize("name", [SHIM, FOLDER / "walkers.yaml"])
def test_a_foreign_file_is_never_touched(checkout, name):
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(UserError, match=f"not written by .*: {name}\\. Rename"):
        attach(checkout)
    assert git(checkout, "status", "--short", "-uall") == f"?? {name}\n"
    detach(checkout)
    assert path.read_text() == "mine"


def test_an_edited_config_is_kept(checkout):
    attach(checkout)
    path = checkout / FOLDER / "walkers.yaml"
    path.write_text(path.read_text().replace("total_iter: ", "total_iter: 1"))
    with pytest.raises(UserError, match="edited since"):
        attach(checkout)
    with pytest.raises(UserError, match=r"Left in .*, edited since .*walkers.yaml\. Move"):
        detach(checkout)
    assert path.exists() and not (checkout / SHIM).exists()


def test_configs_of_the_users_own_stay(checkout):
    attach(checkout)
    own = checkout / FOLDER / "own.yaml"
    own.write_text("a: 1\n")
    detach(checkout)
    assert [path.name for path in (checkout / FOLDER).iterdir()] == ["own.yaml"]


def test_only_a_checkout_will_do(tmp_path):
    for function in (attach, detach):
        with pytest.raises(UserError, match=r"is no checkout of OpenGait: opengait/main.py is missing"):
            function(tmp_path)


def test_missing_packages(checkout):
    assert Checkout(checkout).missing_packages() == ["no_such", "no_such_package"]


@pytest.mark.parametrize(
    ("torch", "more"),
    [("2.9.1", []), ("2.9.1+cu128", [" --index-url https://download.pytorch.org/whl/cu128"])],
)
def test_advice_keeps_torch(monkeypatch, torch, more):
    """pip would replace it, 3 GB, by the newest that the newest torchvision asks for."""
    monkeypatch.setattr("opengait_meshgait.opengait.checkout.version", {"torch": torch}.get)
    lines = install(["a", "lightly --no-deps", "torchvision"]).splitlines()[1:]
    pip = f"  pip install torch=={torch} "
    expected = [f"{pip}a", f"{pip}lightly --no-deps"] + [f"{pip}torchvision{option}" for option in more]
    assert lines == expected if more else [f"{pip}a torchvision", f"{pip}lightly --no-deps"]


def test_the_commands(checkout, capsys):
    assert main(["attach", str(checkout)]) == 0
    said = capsys.readouterr().out
    assert f"OpenGait {git(checkout, 'rev-parse', '--short', 'HEAD').strip()}" in said
    assert f"wrote {SHIM}" in said
    assert "no_such_package" in said
    assert main(["attach", str(checkout)]) == 0
    assert "attached already" in capsys.readouterr().out
    assert main(["detach", str(checkout)]) == 0
    number = len(shipped_configs())
    assert f"wrote {number} configs in configs/meshgait\n" in said
    assert capsys.readouterr().out == f"removed {SHIM}\nremoved {number} configs in configs/meshgait\n"
    assert main(["attach", str(checkout / "opengait")]) == 1
    assert "is no checkout of OpenGait" in capsys.readouterr().err


def test_the_shim_fails_soft(checkout, tmp_path):
    """Without the package, or with a broken one, importing the shim prints one line and gives no class."""
    attach(checkout)
    for broken in (None, "raise RuntimeError('broken')"):
        folder = tmp_path / "packages"
        if broken:
            (folder / "opengait_meshgait").mkdir(parents=True)
            (folder / "opengait_meshgait" / "__init__.py").write_text(broken)
        code = f"import runpy; names = runpy.run_path({str(checkout / SHIM)!r})\n"
        code += "assert not any(isinstance(value, type) for value in names.values() if value is not type), names"
        command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = [{str(folder)!r}]\n{code}"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={})
        assert result.returncode == 0, result.stderr
        (line,) = result.stdout.splitlines()
        assert line.startswith("MeshGait is not available: " + ("RuntimeError" if broken else "ModuleNotFoundError"))
