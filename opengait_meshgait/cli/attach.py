"""``meshgait attach``: let an OpenGait checkout find MeshGait."""

import argparse


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    result.add_argument("root", metavar="ROOT", help="the checkout, the folder that holds opengait/main.py")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Attach, and say what was written and what is missing."""
    from opengait_meshgait.opengait.attach import attach, in_short
    from opengait_meshgait.opengait.checkout import Checkout, install

    written = attach(arguments.root)
    checkout = Checkout(arguments.root)
    print(f"OpenGait {checkout.commit} in {checkout.root}")
    print("\n".join(f"  wrote {line}" for line in in_short(written)) or "  was attached already")
    missing = checkout.missing_packages()
    if missing:
        print(f"OpenGait's models import packages that are not installed here: {', '.join(missing)}.")
        print(install(missing))
    print(
        f"Now, in {checkout.root}: python opengait/main.py --cfgs configs/meshgait/gait3d.yaml --phase train\n"
        "With N GPUs: torchrun --nproc_per_node=N opengait/main.py …"
    )
    return 0
