"""``meshgait configs``: what ships, whole, from any folder."""

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.configs import CONFIG_NAMES, compose, parse_yaml, read_yaml


def test_list(capsys):
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CONFIG_NAMES)
    assert lines[0].endswith("Mesh-Gait as published, on Gait3D")


def test_show(capsys):
    assert main(["configs", "show", "gait3d_gaitset"]) == 0
    assert parse_yaml(capsys.readouterr().out) == compose("gait3d_gaitset")
    assert main(["configs", "show", "gait3d_gaitst"]) == 1
    assert "Did you mean 'gait3d_gaitset'" in capsys.readouterr().err


def test_copy(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["configs", "copy", "walkers_lda.yaml", "--to", "mine"]) == 0
    assert capsys.readouterr().out == "mine/walkers_lda.yaml\n"
    assert read_yaml("mine/walkers_lda.yaml") == compose("walkers_lda")
    assert main(["configs", "copy", "walkers_lda", "--to", "mine"]) == 1
    assert "walkers_lda.yaml is there already" in capsys.readouterr().err
    assert main(["configs", "copy", "walkers_lda", "--to", "own/x.yaml"]) == 0
    assert read_yaml("own/x.yaml") == compose("walkers_lda")
    assert main(["configs", "copy", "demo"]) == 0 and (tmp_path / "demo.yaml").is_file()
