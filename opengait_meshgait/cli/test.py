"""``meshgait test``: test a checkpoint from a YAML file."""

import argparse
from collections.abc import Mapping
from typing import Any

from opengait_meshgait.cli.arguments import (
    add_config,
    add_device,
    add_precision,
    add_processes,
    in_processes,
    iteration,
)
from opengait_meshgait.common.errors import UserError


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    add_config(result)
    add_device(result)
    result.add_argument(
        "--iter", type=iteration, metavar="N|best|last", help="which weights; default: evaluator_cfg.restore_hint"
    )
    result.add_argument(
        "--match",
        choices=["embeddings", "lda"],
        help="features to match: the network's embeddings, or the LDA head's (default: lda where it is fitted)",
    )
    add_precision(result, None, "as evaluator_cfg.enable_float16 says")
    add_processes(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Test, and print a table."""
    from opengait_meshgait.engine.config import load_config

    config = load_config(arguments.cfgs, arguments.set, bool(arguments.opengait))
    if arguments.opengait:
        from opengait_meshgait.opengait.launch import hand_over

        if arguments.match:
            raise UserError("OpenGait matches lda where a head is fitted: leave out --match, or --opengait.")
        if arguments.precision:
            raise UserError("OpenGait takes evaluator_cfg.enable_float16: leave out --precision, or --opengait.")
        return hand_over(arguments.opengait, config, "test", arguments.device, arguments.nproc, arguments.iter)
    if (status := in_processes(arguments)) is not None:
        return status
    from opengait_meshgait.engine.testing import test

    result = test(config, arguments.iter, arguments.device, match=arguments.match, precision=arguments.precision)
    if result:
        print("\n".join(table(result)))
        print(f"Wrote {result['file']}")
    return 0


def table(result: Mapping[str, Any]) -> list[str]:
    """A test's figures, line by line."""
    figures = [(name, f"{value:6.2f} %") for name, value in result["metrics"].items()]
    for name, value in (result["bodies"] or {}).items():
        name, unit = name.rsplit("_", 1)
        figures.append((name, f"{value:6.1f} {'%' if unit == 'percent' else unit}"))
    if result["iou"] is not None:
        figures.append(("iou", f"{result['iou']:6.2f}"))
        figures.append(("iou_low", f"{result['iou_low_percent']:6.1f} %"))
    width = max(len(name) for name, _ in figures)
    sequences = f"{result['sequences']} sequences of the {result['split']} set"
    head = f"{result['checkpoint']}, {sequences}, matched: {result['matched']}, {result['precision']}"
    return [head, *(f"  {name:<{width}}  {value}" for name, value in figures), *result["notes"]]
