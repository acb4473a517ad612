"""One process at a time writes a folder; one that was killed is in nobody's way."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.locks import lock

HOLD = """
import sys, time
from pathlib import Path
from opengait_meshgait.common.locks import lock
with lock(Path(sys.argv[1]), ""):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(path):
    """One that holds the lock; it lets go when its input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.communicate()


def test_who_comes_second_is_told_who_was_first(tmp_path):
    with another_process(tmp_path / "run") as process:
        told = f"/run is being written by process {process.pid} on .* since {time.strftime('%Y-%m-%d')}"
        with pytest.raises(UserError, match=told), lock(tmp_path / "run", "Wait."):
            pass
        with lock(tmp_path / "other", "Wait."):
            assert {path.name for path in tmp_path.iterdir()} == {".run.lock", ".other.lock"}
    assert not [*tmp_path.iterdir()]
    with lock(tmp_path / "run", "Wait."):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    with another_process(tmp_path / "run") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / ".run.lock").exists()
        with lock(tmp_path / "run", "Wait."):
            pass
    assert not [*tmp_path.iterdir()]


def test_a_damaged_note_is_no_matter(tmp_path):
    with another_process(tmp_path / "run"):
        (tmp_path / ".run.lock").write_text("{")
        with (
            pytest.raises(UserError, match=r"is being written by another process\. Wait\."),
            lock(tmp_path / "run", "Wait."),
        ):
            pass


def test_the_lock_is_let_go_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), lock(tmp_path / "run", ""):
        raise ZeroDivisionError
    assert not [*tmp_path.iterdir()]


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with another_process(tmp_path / "output/Walkers/MeshGait/demo"):
        assert main(["train", "--cfgs", "demo", "--device", "cpu"]) == 1
        assert "or name another run: trainer_cfg.save_name." in capsys.readouterr().err
    with another_process(tmp_path / "out"):
        assert main(["walkers", "--out", str(tmp_path / "out"), "--ids", "2"]) == 1
        assert "Wait for it, stop it, or give another --out." in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
