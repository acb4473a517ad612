"""Arguments that several subcommands share."""

import argparse


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--cfgs`` and ``--set``."""
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="YAML file, see docs/config.md")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the file: trainer_cfg.total_iter=100 loss_cfg.1.scale=30",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto takes CUDA if it is there"
    )
