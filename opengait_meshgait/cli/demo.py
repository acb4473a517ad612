"""``meshgait demo``: make walkers, train Mesh-Gait and its silhouette-only baseline alike, write a report."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_out_folder, add_set


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    add_out_folder(result, Path("output/demo"), "all files")
    result.add_argument("--seed", type=int, default=0, help="of the walkers and of both trainings (%(default)s)")
    add_set(result, "change keys of the demo's config")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run every step; one that an interrupted demo finished is not done again."""
    from opengait_meshgait.benchmark.demo import run_demo

    print(f"\n{run_demo(arguments.out, arguments.seed, arguments.set)}")
    return 0
