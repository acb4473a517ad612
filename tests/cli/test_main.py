"""The command itself: help, and what is said of commands that are not there."""

import errno
import io
import os
import subprocess
import sys

import pytest

from opengait_meshgait.cli.main import COMMANDS, main
from opengait_meshgait.common.errors import place_refused


def test_without_a_command_it_prints_help(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n    {name} " in said for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_written_for_users(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    usage, description, *_ = (text := capsys.readouterr().out).split("\n\n")
    assert usage.startswith(f"usage: meshgait {command} ")
    assert description[0].isupper() and description.endswith(".")
    assert "``" not in text


@pytest.mark.parametrize(("typed", "message"), [("trian", "Did you mean 'train'?"), ("xyz", "Known: attach, bench")])
def test_commands_that_are_not_there(typed, message, capsys):
    with pytest.raises(SystemExit) as error:
        main([typed, "--cfgs", "walkers"])
    assert error.value.code == 2
    assert f"there is no command '{typed}'. {message}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["configs"], ["train", "--keys"]])
def test_a_reader_that_stops_early(arguments):
    command = [sys.executable, "-m", "opengait_meshgait", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["train", "test"])
def test_processes(command, monkeypatch):
    started = []
    monkeypatch.setattr("opengait_meshgait.common.torchrun.torchrun", lambda *given: started.append(given) or 7)
    typed = [command, "--cfgs", "walkers", "--nproc", "2"]
    assert main(typed) == 7
    launcher = ["--standalone", "--nproc_per_node=2", "-m", "opengait_meshgait"]
    assert started == [(launcher, typed)]


_WRITERS = [
    ("embed --ckpt c.pt --in F --out F", ".npz"),
    ("identify --gallery a.npz --probe b.npz --json F --validation v.npz --save F", ".json"),
    ("identify --gallery a.npz --probe b.npz --unknown F --json F", ".json"),
    ("lda --ckpt F --out F", ".pt"),
    ("view --ckpt c.pt --in F --out F", ".mp4"),
    ("export --ckpt F --out F", ".onnx"),
    ("gait learn --motion a.bvh F --out F", ".npz"),
    ("gait show --gait F --out F", ".png"),
    ("markers learn --body F --out F", ".npz"),
    ("markers show --markers F --out F", ".png"),
    ("markers import --from m --body b.pkl --indices F --out F", ".npz"),
]


@pytest.mark.parametrize(("typed", "suffix"), _WRITERS)
def test_no_file_that_is_read_is_written(typed, suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"x{suffix}").write_bytes(b"precious")
    (tmp_path / f"link{suffix}").symlink_to(f"x{suffix}")
    for other in (f"x{suffix}", f"{tmp_path}/x{suffix}", f"link{suffix}"):
        assert main([f"x{suffix}" if word == "F" else word for word in typed.replace("F", other, 1).split()]) == 1
        assert "is named a second time, and would be overwritten" in capsys.readouterr().err
        assert (tmp_path / f"x{suffix}").read_bytes() == b"precious"


def test_no_picture_is_written_among_those_that_are_read(tmp_path, capsys):
    assert main(["view", "--ckpt", "c.pt", "--in", str(tmp_path), "--out", str(tmp_path / "00001.png")]) == 1
    assert "would lie among the pictures of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("configs copy walkers --to mine", "File too large. Give another place."),
        ("walkers --out w --ids 2 --views 0 --seqs nm:1 --frames 8 --workers 1", "File too large."),
        (f"configs copy walkers --to {'x' * 300}.yaml", "File name too long. Give another place."),
    ],
)
def test_a_place_that_cannot_be_written(typed, message, tmp_path, monkeypatch, capsys, room):
    monkeypatch.chdir(tmp_path)
    room(1000)
    assert main(typed.split()) == 1
    assert message in capsys.readouterr().err


def test_what_a_place_refuses_and_what_is_a_fault_of_ours():
    assert place_refused(OSError(errno.ENOSPC, "No space left on device")).endswith(
        "device. Make room, and run the same command again."
    )
    assert place_refused(FileNotFoundError(errno.ENOENT, "No such file or directory", "x")) is None


def test_a_console_that_lacks_letters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", console)
    assert main(["configs", "copy", "walkers", "--to", "张三"]) == 0
    assert console.buffer.getvalue().decode() == "\\u5f20\\u4e09/walkers.yaml" + os.linesep
