"""What a wheel holds works without the project's folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opengait_meshgait.common.configs import CONFIG_NAMES

ROOT = Path(__file__).parents[1]


def test_configs_and_assets_are_packaged(tmp_path):
    pytest.importorskip("setuptools")
    build = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "lib")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    package = tmp_path / "lib" / "opengait_meshgait"
    for folder in ("assets", "networks/backbones"):
        assert {p.name for p in (package / folder).glob("[!_]*.*")} == {
            p.name for p in (ROOT / package.name / folder).glob("[!_]*.*")
        }
    command = [sys.executable, "-m", "opengait_meshgait", "configs"]
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    listed = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == len(CONFIG_NAMES)
    assert len([*package.glob("configs/**/*.yaml")]) == len([*ROOT.glob("configs/meshgait/**/*.yaml")])
