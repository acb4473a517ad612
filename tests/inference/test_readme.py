"""The README's section on trained models runs as it stands, with a tiny model."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from opengait_meshgait.cli import export
from opengait_meshgait.cli.main import main

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def here(tmp_path, monkeypatch, checkpoint, dataset, sequences):
    """A folder with all that the section names."""
    monkeypatch.chdir(tmp_path)
    for name in ("gallery", "people"):
        (tmp_path / name).symlink_to(dataset)
    (tmp_path / "C.pt").symlink_to(checkpoint)
    np.savez(tmp_path / "visitors.npz", first=sequences[0], second=sequences[1])
    return tmp_path


def section(language):
    text = README.read_text(encoding="utf-8").partition("## Around a trained model")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_commands(here, capsys):
    for block in section("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] in (["meshgait", "embed"], ["meshgait", "identify"], ["meshgait", "view"]):
                # The validation set of this test is small.
                words = ["0.2" if word == "0.01" else word for word in words]
                assert main([*words[1:], "--device", "cpu"]) == 0
            elif words[:2] == ["meshgait", "export"]:
                # Run in test_export.py: it takes long.
                assert export.parser("meshgait export").parse_args(words[2:]).out.suffix == ".onnx"
    out = capsys.readouterr().out
    assert "2 probes" in out
    assert "Unknown from a distance of" in out


def test_python(here, sequences):
    names = {"sils": sequences[1]}
    for block in section("python"):
        exec(block, names)  # noqa: S102
    assert names["e"].shape == (1, 8, 4)
