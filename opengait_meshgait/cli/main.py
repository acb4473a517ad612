"""The ``meshgait`` command: one module of this package a subcommand."""

import argparse
import importlib
import io
import os
import sys
import time

from opengait_meshgait import __version__
from opengait_meshgait.common.errors import UserError, did_you_mean, place_refused
from opengait_meshgait.common.interruption import Interruptible, Stopped

COMMANDS = {
    "demo": "make walkers, train Mesh-Gait and its silhouette-only baseline, write a report",
    "walkers": "write a synthetic dataset in OpenGait's layout",
    "gait": "learn or show models of how people walk",
    "prepare": "turn a raw dataset (Gait3D, OUMVLP with its meshes, generic: pictures in folders) into training data",
    "markers": "learn, show or import the virtual markers of a body",
    "doctor": "check everything that a training needs, and say what must be fixed first",
    "configs": "list, show or copy the shipped YAML files",
    "train": "train from a YAML file, resuming where an earlier run was stopped",
    "test": "test a checkpoint from a YAML file",
    "lda": "give a trained checkpoint an LDA head, without training anew",
    "embed": "turn sequences of silhouettes into embeddings, with a trained model",
    "identify": "name the people of a gallery who are nearest to each probe, or nobody",
    "bench": "compare networks by accuracy or speed, and time the evaluation",
    "report": "tables and pictures of results: CMC curves, views, t-SNE; HTML, Markdown, LaTeX, CSV",
    "view": "show what a trained model finds in a sequence: heatmaps, markers, meshes",
    "export": "write a trained model as an ONNX file",
    "attach": "let an OpenGait checkout find MeshGait",
    "detach": "take MeshGait out of an OpenGait checkout again",
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 when all went well or only help was asked for, 1 when a check or the data failed, 2 for wrong usage,
        128 and its number when a signal ended it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that lacks a person's letters shows their numbers.
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run_command(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has read enough, as `head` does; what is left in the buffers must not complain at the exit.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 0


def _run_command(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="meshgait", description="Recognise people by how they walk: prepare data, train, test and use Mesh-Gait."
    )
    parser.add_argument("--version", action="version", version=f"meshgait {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        # Only the chosen command's module is imported: torch and kornia cost seconds that `--help` need not pay.
        subparsers.add_parser(name, help=summary, add_help=False)
    if not argv:
        parser.print_help()
        return 0
    if argv[0] not in COMMANDS and not argv[0].startswith("-"):
        parser.error(f"there is no command '{argv[0]}'. {did_you_mean(argv[0], COMMANDS)}")
    chosen, rest = parser.parse_known_args(argv)
    command = importlib.import_module(f"opengait_meshgait.cli.{chosen.command}")
    parser = command.parser(f"meshgait {chosen.command}")
    summary = COMMANDS[chosen.command]
    parser.description = parser.description or f"{summary[0].upper()}{summary[1:]}."
    arguments = parser.parse_args(rest, argparse.Namespace(typed=argv))
    first = os.environ.get("RANK", "0") == "0"
    try:
        with Interruptible():
            return command.run(arguments) or 0
    except (UserError, OSError) as error:
        said = place_refused(error) if isinstance(error, OSError) else error
        if said is None:
            raise
        if not first:
            # Where all processes made one mistake, the first one's end is that of this one: it is told once.
            time.sleep(5)
        print(f"meshgait {chosen.command}: {said}", file=sys.stderr)
        return 1
    except Stopped as stop:
        if first:
            print(f"meshgait {chosen.command}: stopped by {stop}", file=sys.stderr)
        return stop.status
