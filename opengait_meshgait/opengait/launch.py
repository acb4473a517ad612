"""Starts OpenGait's trainer or tester on a config of ours, without touching its checkout."""

import copy
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

import opengait_meshgait
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import Stopped
from opengait_meshgait.data.several import as_one, as_several
from opengait_meshgait.engine.config import save_name
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.evaluation.protocols import is_protocol_file
from opengait_meshgait.opengait.checkout import Checkout
from opengait_meshgait.opengait.checks import saved_iterations


def hand_over(
    root: str | Path,
    config: Config,
    phase: str,
    device: str = "auto",
    processes: int | None = None,
    iteration: int | str | None = None,
    fresh: bool = False,
) -> int:
    """Train or test a config by OpenGait instead of the embedded engine.

    Args:
        root: the checkout.
        config: as the embedded engine checked it.
        phase: ``train`` or ``test``.
        device: as for ``--device``.
        processes: how many; None for one on each GPU.
        iteration: which weights to test: a number, ``last``, or None for what the config says.
        fresh: train from iteration 0 even where there are checkpoints.

    Returns:
        OpenGait's exit code.

    Raises:
        UserError: OpenGait cannot do what is asked for; or of :func:`launch`.
    """
    if device == "cpu":
        raise UserError("OpenGait runs on CUDA only: leave out --opengait, or --device cpu.")
    if iteration == "best":
        raise UserError("OpenGait does not note which weights were best: name an iteration, or last.")
    cfgs = spelled_out(config)
    if iteration is not None:
        cfgs["evaluator_cfg"]["restore_hint"] = 0 if iteration == "last" else iteration
    return launch(root, cfgs, phase, processes, fresh)


def spelled_out(config: Config) -> dict[str, Any]:
    """A config as OpenGait reads it: with every default that would be another one there."""
    cfgs = config.model_dump()
    cfgs["evaluator_cfg"]["save_name"] = save_name(config, training=False)
    # OpenGait would take CASIA-B where nothing is written.
    cfgs["data_cfg"]["test_dataset_name"] = config.data_cfg.test_dataset_name or config.data_cfg.dataset_name
    several = as_several(cfgs["data_cfg"])
    cfgs["data_cfg"] = several if len(several) > 1 else several[0]
    return cfgs


def launch(
    root: str | Path, cfgs: Mapping[str, Any], phase: str, processes: int | None = None, fresh: bool = False
) -> int:
    """Run OpenGait in its own processes, one a GPU, and wait for them.

    Args:
        root: the checkout; runs are written to its ``output/``.
        cfgs: a whole config, with every default spelled out.
        phase: ``train`` or ``test``.
        processes: how many; None for one on each GPU.
        fresh: train from iteration 0 even where there are checkpoints.

    Returns:
        The exit code.

    Raises:
        UserError: no checkout, packages or GPUs are missing, or the run is finished already.
    """
    checkout = Checkout(root)
    checkout.require_packages()
    gpus = torch.cuda.device_count()
    if gpus == 0:
        raise UserError("OpenGait needs CUDA, and PyTorch sees no GPU here. Without --opengait, CPUs will do.")
    if processes not in (None, gpus):
        raise UserError(
            f"OpenGait takes one process for every GPU it sees: {gpus} here, and --nproc asks for {processes}. Leave "
            "it out, or hide the other GPUs by CUDA_VISIBLE_DEVICES."
        )
    cfgs = resolve_paths(cfgs, checkout.root)
    if phase == "train" and not fresh:
        _resume(cfgs, checkout.root)
    # The package itself need not be installed: its folder is passed on, for the processes start in the checkout.
    package = str(Path(opengait_meshgait.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(yaml.safe_dump(cfgs), encoding="utf-8")
        launcher = ["-m", "opengait_meshgait.common.torchrun", "--standalone", f"--nproc_per_node={gpus}"]
        inside = ["-m", "opengait_meshgait.opengait.inside", "--cfgs", str(config), "--phase", phase]
        command = [sys.executable, *launcher, *inside]
        with subprocess.Popen(command, cwd=checkout.root, env={**os.environ, "PYTHONPATH": path}) as process:
            try:
                return process.wait()
            except Stopped as stop:
                if stop.signal is signal.SIGTERM:  # of Ctrl-C the terminal tells all of them
                    process.terminate()
                process.wait()  # they save
                raise


def resolve_paths(cfgs: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """A copy of a config whose files are named so that they are found from the checkout too.

    A relative path is looked up in the working directory first, then in the checkout.
    """
    found = copy.deepcopy(dict(cfgs))
    several = as_several(as_one(found["data_cfg"]))
    places = [(data, key) for data in several for key in ("dataset_root", "dataset_partition")]
    places += [(found["model_cfg"].get("body_cfg") or {}, key) for key in ("body", "markers")]
    places += [(found[f"{section}_cfg"], "restore_hint") for section in ("trainer", "evaluator")]
    places += [(data, "test_dataset_name") for data in several if is_protocol_file(data.get("test_dataset_name"))]
    for section, key in places:
        value = section.get(key)
        if isinstance(value, str):
            candidates = [Path(value).expanduser().absolute(), root / value]
            section[key] = str(next((path for path in candidates if path.exists()), candidates[0]))
    found["data_cfg"] = several if len(several) > 1 else several[0]
    return found


def _resume(cfgs: dict[str, Any], root: Path) -> None:
    """``restore_hint: 0`` means the newest checkpoint of the run, as in the embedded engine."""
    trainer = cfgs["trainer_cfg"]
    saved = saved_iterations(cfgs, "trainer_cfg", root)
    if trainer["restore_hint"] != 0 or not saved:
        return
    if saved[-1] >= trainer["total_iter"]:
        raise UserError(
            f"The run {trainer['save_name']} in {root}/output is at iteration {saved[-1]} already: raise "
            "trainer_cfg.total_iter, choose another trainer_cfg.save_name, or start again with --fresh."
        )
    trainer["restore_hint"] = saved[-1]
