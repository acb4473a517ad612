"""The gait command."""

import cv2
import pytest

from opengait_meshgait.cli.main import main


def test_show(tmp_path, capsys):
    assert main(["gait", "show", "--out", str(tmp_path / "gait.png")]) == 0
    assert "cmu: gaits learned from 14 people" in capsys.readouterr().out
    height, width, _ = cv2.imread(str(tmp_path / "gait.png")).shape
    assert width > 800 and height > 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "--gait", "procedural", "--out", "gait.png"], "procedural gait is no model"),
        (["show", "--out", "gait.npz"], "should end in .png"),
        (["learn", "--motion", "walk.npz", "--out", "gait.png"], "should end in .npz"),
        (["learn", "--motion", "walk.npz", "--out", "gait.npz"], "walk.npz"),
    ],
)
def test_what_cannot_be_done(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["gait", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("share", ["2", "much"])
def test_a_share_is_from_0_to_1(share, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["gait", "learn", "--motion", "walk.npz", "--out", "gait.npz", "--broaden", share])
    assert f"'{share}' is not a number from 0 to 1" in capsys.readouterr().err
