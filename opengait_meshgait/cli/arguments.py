"""Arguments that several subcommands share."""

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import end_with_parent


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--cfgs`` and ``--set``."""
    parser.add_argument(
        "--cfgs",
        required=True,
        nargs="+",
        metavar="FILE",
        help="YAML file, or the name of a shipped one (`meshgait configs`); several are merged from left to right",
    )
    add_set(parser, "change keys of what the files say: trainer_cfg.total_iter=100 loss_cfg.1.scale=30")


def add_set(parser: argparse.ArgumentParser, what: str) -> None:
    """``--set``; ``what`` is its help."""
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=what)


def add_motion(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """``--motion`` and ``--person``; ``what`` is the beginning of the help."""
    parser.add_argument(
        "--motion",
        nargs="+",
        action="append",
        required=required,
        metavar="FILE",
        help=f"{what} (.bvh; .amc with its .asf beside it, 120 frames/s; .npz of AMASS; .smpl; .npz with names, "
        "parents, offsets, local_rot, root, fps); give the option once for each collection: people of one name in two "
        "of them are two people",
    )
    parser.add_argument(
        "--person",
        metavar="PATTERN",
        help="who walks in a file: a regular expression with one group, looked for in the file's name without its "
        "ending, or with a / in it in its path: '(subject[0-9]+)' (default: the name up to the first _, or the subject "
        "of an .npz)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto takes CUDA if it is there"
    )


def add_precision(parser: argparse.ArgumentParser, default: str | None, otherwise: str) -> None:
    """``--precision``; ``otherwise`` says what holds without it."""
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16", "fp16"],
        default=default,
        help=f"auto takes 16 bits where the device is faster with them (default: {otherwise})",
    )


def add_index(parser: argparse.ArgumentParser, what: str) -> None:
    """``--index``, of a gallery."""
    parser.add_argument("--index", choices=["exact", "faiss"], default="exact", help=f"{what} (default: %(default)s)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--ckpt`` and ``--cfgs`` of a trained model."""
    parser.add_argument("--ckpt", required=True, metavar="C.pt", help="checkpoint, of this package or of OpenGait")
    parser.add_argument(
        "--cfgs",
        metavar="FILE",
        help="YAML file of its training: needed for OpenGait's checkpoints, which do not hold it; else it may say "
        "where the body lies (model_cfg.body_cfg)",
    )


def add_clock(parser: argparse.ArgumentParser) -> None:
    """``--clock``."""
    parser.add_argument(
        "--clock",
        choices=["wall", "processor"],
        default="wall",
        help="processor: the time that all threads spent computing, steadier where others use the machine too "
        "(default: %(default)s)",
    )


def add_processes(parser: argparse.ArgumentParser) -> None:
    """``--nproc`` and ``--opengait``."""
    parser.add_argument(
        "--nproc",
        type=positive(1),
        metavar="N",
        help="processes on this machine, which share the batches (default: 1; in OpenGait one for each GPU)",
    )
    parser.add_argument("--opengait", metavar="ROOT", help="hand over to the OpenGait checkout in ROOT (needs CUDA)")


def in_processes(arguments: argparse.Namespace) -> int | None:
    """Run the command that was typed in the processes that ``--nproc`` asks for.

    Returns:
        The exit code; None where this is the only process, or one of them.
    """
    if "WORLD_SIZE" in os.environ:
        end_with_parent(signal.SIGTERM)  # else one that torchrun started would train on beside those of its next start
        return None
    if arguments.nproc in (None, 1):
        return None
    from opengait_meshgait.common.torchrun import torchrun

    return torchrun(["--standalone", f"--nproc_per_node={arguments.nproc}", "-m", "opengait_meshgait"], arguments.typed)


def add_out_folder(parser: argparse.ArgumentParser, default: Path, content: str) -> None:
    """``--out``, a folder."""
    parser.add_argument(
        "--out", type=Path, default=default, metavar="DIR", help=f"folder for {content} (default: %(default)s)"
    )


def positive(least: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers, ``least`` or more."""

    def convert(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"found '{text}'; expected a whole number, {least} or more")
        return int(text)

    return convert


def iteration(text: str) -> int | str:
    """A type of arguments: an iteration, ``best`` or ``last``."""
    if text in ("best", "last"):
        return text
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected an iteration, best or last")
    return int(text)


def check_out(arguments: argparse.Namespace, suffix: str, option: str = "out") -> None:
    """Make sure, before the work, that a file of this kind can be written where ``option`` says, and costs no other.

    Raises:
        UserError: another suffix, a folder, a place where nothing can be written, a file that another option names too,
            or a picture among those of a folder that is read.
    """
    path: Path = getattr(arguments, option)
    if path.suffix.lower() != suffix:
        raise UserError(f"--{option} {path} should end in {suffix}.")
    if path.is_dir():
        raise UserError(f"--{option} {path} is a folder. Name a file.")
    place = path.resolve()
    # typed: the whole command.
    for other in _paths([value for name, value in vars(arguments).items() if name not in (option, "typed")]):
        if Path(other).resolve() == place:
            raise UserError(f"--{option} {path} is named a second time, and would be overwritten. Name another file.")
        if suffix == ".png" and isinstance(other, Path) and other.resolve() in place.parents:
            raise UserError(f"--{option} {path} would lie among the pictures of {other}. Name another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder of --{option} {path}: {error.strerror}.") from error


def _paths(value: object) -> Iterator[str | Path]:
    """What may be a path in an option's value."""
    if isinstance(value, str | Path):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _paths(each)
