"""``meshgait configs``: list the shipped configs, show one whole, or copy it into a file to edit."""

import argparse
from pathlib import Path

from opengait_meshgait.common.configs import CONFIG_NAMES, describe_config, flat_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog, description="List, show or copy the shipped YAML files. `--cfgs NAME` finds them from any folder."
    )
    tasks = result.add_subparsers(dest="task", metavar="show|copy", title="without one of these, lists all names")
    show = tasks.add_parser("show", help="print a config as one complete YAML file")
    copy = tasks.add_parser("copy", help="write it to a file")
    for task in (show, copy):
        task.add_argument("name", metavar="NAME", help="for example gait3d_gaitset")
    copy.add_argument(
        "--to",
        type=Path,
        default=Path(),
        metavar="DIR|FILE.yaml",
        help="folder or file to write to (default: the current folder, under the config's name)",
    )
    return result


def run(arguments: argparse.Namespace) -> int:
    """List, show or copy."""
    if arguments.task is None:
        width = max(map(len, CONFIG_NAMES))
        print("\n".join(f"{name:<{width}}  {describe_config(name)}" for name in CONFIG_NAMES))
        return 0
    text = flat_config(arguments.name)
    if arguments.task == "show":
        print(text, end="")
        return 0
    path = arguments.to
    if path.suffix not in (".yaml", ".yml"):
        path = path / f"{Path(arguments.name).name.removesuffix('.yaml')}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already: delete it, or name another folder or file by --to.")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(path)
    return 0
