"""What a training says of itself before it begins."""

from pathlib import Path

import torch
from torch import nn

from opengait_meshgait.common.distributed import world_size
from opengait_meshgait.common.provenance import machine
from opengait_meshgait.data import GaitDataset


def describe_training(
    folder: Path,
    net: nn.Module,
    train_set: GaitDataset,
    tests: tuple[str, GaitDataset | None],
    device: torch.device,
    half: torch.dtype | None,
) -> list[str]:
    """Machine, network, data and the run's folder, one line each.

    Args:
        folder: of the run.
        net: the bare network.
        train_set: the training sequences.
        tests: the split of the tests in between and its sequences; None: there are none.
        device: where to compute.
        half: the 16-bit type that the network computes in; None for float32.
    """
    precision = str(half or torch.float32).removeprefix("torch.")
    shared = f", {world_size()} processes" if world_size() > 1 else ""
    learn = sum(p.numel() for p in net.parameters() if p.requires_grad)
    split, test_set = tests
    tested = "none" if test_set is None else f"{_count(test_set)} of the {split} set"
    return [
        f"Machine: {machine(device.type)}{shared}; {precision}",
        f"Network: {learn / 1e6:.2f} million parameters that learn",
        f"Data: {_count(train_set)} in {Path(train_set.seqs[0].sils_path).parents[3]}; tests in between: {tested}",
        f"Run: {folder} (log.jsonl, checkpoints/)",
        f"Curves and pictures: tensorboard --logdir {folder / 'summary'}",
    ]


def _count(dataset: GaitDataset) -> str:
    return f"{len(dataset):,} sequences of {len(dataset.label_set):,} people"
