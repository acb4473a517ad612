"""A process that fails has the last word: no traceback of torchrun's comes behind it."""

import os
import signal
import threading
import time

import pytest

from opengait_meshgait.common.torchrun import torchrun


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """A function that runs a script by one process and gives the exit code."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*lines):
        script = tmp_path / "child.py"
        script.write_text("\n".join(["import os, pathlib, signal, sys, time", *lines]))
        return torchrun(["--standalone", "--nproc_per_node=1", str(script)], ["--nproc", "2"])

    return run


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("os.kill(os.getpid(), 9)", 137, "Process 0 was ended by SIGKILL"),
    ],
)
def test_exit_codes_and_no_traceback(launch, capfd, last, code, said):
    assert launch("print(*sys.argv[1:], flush=True)", last) == code
    out, err = capfd.readouterr()
    assert "--nproc 2" in out
    assert "Traceback" not in err and err.strip().startswith(said)


def test_a_signal_is_handed_on(launch, tmp_path, capfd):
    ready, saved = tmp_path / "ready", tmp_path / "saved"

    def send():
        while not ready.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send, daemon=True).start()
    save = f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(saved)!r}).touch(), sys.exit(143)))"
    assert launch(save, f"pathlib.Path({str(ready)!r}).touch()", "time.sleep(60)") == 143
    assert saved.exists()
    assert "Traceback" not in capfd.readouterr().err
