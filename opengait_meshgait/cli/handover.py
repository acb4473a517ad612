"""``--opengait ROOT``: OpenGait's own trainer and tester instead of the embedded engine."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opengait_meshgait.engine.schema import Config


def add_opengait(parser: argparse.ArgumentParser) -> None:
    """``--opengait`` and ``--nproc``."""
    group = parser.add_argument_group("OpenGait")
    group.add_argument("--opengait", metavar="ROOT", help="hand over to the OpenGait checkout in ROOT (needs CUDA)")
    group.add_argument("--nproc", type=int, metavar="N", help="processes; default: one for each GPU")


def hand_over(
    arguments: argparse.Namespace, phase: str, iteration: int | str | None = None, fresh: bool = False
) -> int:
    """Check the config as the embedded engine does, spell out what it leaves out, and start OpenGait.

    Args:
        arguments: of the command.
        phase: ``train`` or ``test``.
        iteration: which weights to test: a number, ``last``, or None for what the config says.
        fresh: train from iteration 0 even where there are checkpoints.

    Returns:
        OpenGait's exit code.
    """
    from opengait_meshgait.common.errors import UserError
    from opengait_meshgait.engine.config import load_config
    from opengait_meshgait.opengait.launch import launch

    if arguments.device == "cpu":
        raise UserError("OpenGait runs on CUDA only: leave out --opengait, or --device cpu.")
    if iteration == "best":
        raise UserError("OpenGait does not note which weights were best: name an iteration, or last.")
    config = load_config(arguments.cfgs, arguments.set)
    cfgs = spelled_out(config)
    if iteration is not None:
        cfgs["evaluator_cfg"]["restore_hint"] = 0 if iteration == "last" else iteration
    return launch(arguments.opengait, cfgs, phase, arguments.nproc, fresh)


def spelled_out(config: "Config") -> dict[str, Any]:
    """A config as OpenGait reads it: with every default that would be another one there."""
    from opengait_meshgait.engine.config import save_name

    cfgs = config.model_dump()
    cfgs["evaluator_cfg"]["save_name"] = save_name(config, training=False)
    # OpenGait would take CASIA-B where nothing is written.
    cfgs["data_cfg"]["test_dataset_name"] = config.data_cfg.test_dataset_name or config.data_cfg.dataset_name
    return cfgs
