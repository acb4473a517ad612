"""The command itself: help, and what is said of commands that are not there."""

import subprocess
import sys

import pytest

from opengait_meshgait.cli.main import COMMANDS, main


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


def test_a_reader_that_stops_early():
    command = [sys.executable, "-m", "opengait_meshgait", "configs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
