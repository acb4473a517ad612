"""``meshgait detach``: take MeshGait out of an OpenGait checkout again."""

import argparse


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    result.add_argument("root", metavar="ROOT", help="the checkout that `meshgait attach` was given")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Detach, and say what was removed."""
    from opengait_meshgait.opengait.attach import detach, in_short

    removed = detach(arguments.root)
    print("\n".join(f"removed {line}" for line in in_short(removed)) or "There was nothing to remove.")
    return 0
