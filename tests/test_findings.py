"""findings/: scripts that say what surprises, stop at the first error and install exact versions. Here none is run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

FINDINGS = Path(__file__).parents[1] / "findings"
SCRIPTS = sorted(FINDINGS.glob("*.sh"))


def test_each_is_in_the_list_and_nothing_else():
    assert re.findall(r"^\| `(.+?\.sh)`", (FINDINGS / "README.md").read_text(), re.M) == [s.name for s in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_says_what_surprises_and_pins_what_it_installs(script: Path):
    text = script.read_text()
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    head, strict, _ = text.partition("\nset -euo pipefail\n")
    comment = head.splitlines()
    assert strict and comment[0] == "#!/usr/bin/env bash" and len(comment) > 3
    assert all(line.startswith("# ") for line in comment[1:])
    installs = re.findall(r"^\S*pip\S* (?:install )?((?:[^\n]*\\\n)*[^\n]*)", text, re.M)
    words = " ".join(installs).replace("\\\n", " ").split()
    packages = [word for word in words if re.match(r"[a-z]", word)]
    assert packages and all(re.fullmatch(r"[\w-]+==[\w.]+", package) for package in packages)
