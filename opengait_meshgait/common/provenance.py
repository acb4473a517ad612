"""Where figures come from: versions, commit, machine and command."""

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import opengait_meshgait

_PACKAGES = ("torch", "numpy", "kornia", "opencv-python-headless")


def command() -> str:
    """What was typed."""
    return shlex.join(["meshgait", *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Of this package, Python and what the figures depend on."""
    ours = {"opengait-meshgait": opengait_meshgait.__version__, "python": platform.python_version()}
    return ours | {name: metadata.version(name) for name in _PACKAGES}


def commit() -> str | None:
    """The git commit of this package's source tree, with ``-dirty`` behind it if files were changed since.

    None where it is installed without its repository, or there is no git.
    """
    root = Path(opengait_meshgait.__file__).resolve().parents[1]
    # An installed package may lie somewhere inside a repository that is not its own.
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root:
        return None
    return _git(root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")


def machine(device: str) -> str:
    """The machine in words; ``device`` is that of ``--device``."""
    import torch

    from opengait_meshgait.common.distributed import pick_device

    where = pick_device(device)
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores of {_processor()}"
    if where.type == "cuda":
        return f"{torch.cuda.get_device_name(where)}; {threads}"
    return f"CPU: {threads}"


def origin(device: str) -> dict[str, Any]:
    """All of these, for a file of results."""
    return {"command": command(), "versions": versions(), "commit": commit(), "machine": machine(device)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
