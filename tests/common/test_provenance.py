"""Where figures come from."""

import shutil
import subprocess

import pytest

import opengait_meshgait
from opengait_meshgait.common import provenance


def repository(folder):
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=folder, check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_commit_is_that_of_the_source_tree_alone(tmp_path, monkeypatch):
    package = tmp_path / "opengait_meshgait" / "__init__.py"
    package.parent.mkdir()
    package.touch()
    monkeypatch.setattr(opengait_meshgait, "__file__", str(package))
    head = repository(tmp_path)
    assert provenance.commit() == head
    package.write_text("x = 1\n")
    assert provenance.commit() == f"{head}-dirty"
    # Installed into an environment inside somebody's repository.
    inside = tmp_path / "env" / "opengait_meshgait" / "__init__.py"
    inside.parent.mkdir(parents=True)
    inside.touch()
    monkeypatch.setattr(opengait_meshgait, "__file__", str(inside))
    assert provenance.commit() is None


def test_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None


def test_machine_in_words():
    assert "threads on" in provenance.machine("cpu")
