"""A process that fails has the last word: no traceback of torchrun's comes behind it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("code", [0, 1])
def test_exit_code_and_no_traceback(tmp_path, code):
    script = tmp_path / "child.py"
    script.write_text(f"import sys\nprint('said')\nsys.exit({code})\n")
    launcher = [sys.executable, "-m", "opengait_meshgait.opengait.processes", "--standalone", "--nproc_per_node=1"]
    done = subprocess.run([*launcher, str(script)], capture_output=True, text=True)
    assert done.returncode == code
    assert "said" in done.stdout
    assert "Traceback" not in done.stderr
