"""``meshgait bench``: tables that compare networks."""

import argparse
import importlib
from types import ModuleType

BENCHMARKS = {
    "accuracy": "train and test configs with several seeds, and tell which differences are more than chance",
    "speed": "time and memory of recognition and training, beside OpenGait's own models",
    "evaluation": "check and time Gait3D's and the cross-view metrics, beside OpenGait's own",
}


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command; each benchmark is a module ``bench_<name>`` beside this one."""
    result = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    benchmarks = result.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, summary in BENCHMARKS.items():
        module = _module(name)
        module.add_arguments(benchmarks.add_parser(name, help=summary, description=module.DESCRIPTION))
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run one benchmark."""
    return _module(arguments.benchmark).run(arguments)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"opengait_meshgait.cli.bench_{name}")
