"""The training set as the network's discriminant analysis is to see it."""

from collections.abc import Iterator

import torch
from tqdm import tqdm

from opengait_meshgait.common.distributed import rank
from opengait_meshgait.data import FrameSampling, GaitDataset, build_transforms, whole_sequences
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.losses.gather import world_size
from opengait_meshgait.networks import MeshGaitNet, Seen, fit_discriminant


def fit(net: MeshGaitNet, dataset: GaitDataset, config: Config, device: torch.device, quiet: bool) -> None:
    """Fit ``net.Discriminant``, which is there, to the training people.

    Args:
        net: on ``device``; left in evaluation mode.
        dataset: the training sequences. They are seen here as tests see theirs: whole, in order, not augmented.
        config: of the run.
        device: where to compute.
        quiet: no progress bar.

    Raises:
        UserError: the training set has too few people or sequences.
    """
    net.eval()
    fit_discriminant(net, net.Discriminant, _batches(dataset, config, device, quiet))


def _batches(dataset: GaitDataset, config: Config, device: torch.device, quiet: bool) -> Iterator[Seen]:
    cfg = config.evaluator_cfg
    transform, _ = build_transforms(cfg.transform, with_bodies=False)
    frames, share = FrameSampling.from_config(cfg.sampler.model_dump()), (cfg.sampler.batch_size, rank(), world_size())
    loader = whole_sequences(dataset, frames, share, config.data_cfg.num_workers, pin_memory=device.type == "cuda")
    silent = True if quiet or rank() else None
    for batch in tqdm(loader, "discriminant analysis", leave=False, dynamic_ncols=True, disable=silent):
        batch = batch.to(device)
        yield transform(batch.sils), batch.seqL, batch.labels, batch.indices
