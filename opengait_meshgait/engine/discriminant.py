"""When the weights are trained: one look at every training sequence, for the network's discriminant analysis."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from tqdm import tqdm

from opengait_meshgait.data import FrameSampling, GaitDataset, InferenceSampler, build_transforms, make_loader
from opengait_meshgait.engine.distributed import rank, to_first
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.losses.gather import world_size
from opengait_meshgait.networks import Discriminant, MeshGaitNet


def fit_discriminant(net: MeshGaitNet, dataset: GaitDataset, config: Config, device: torch.device, quiet: bool) -> None:
    """Fit ``net.Discriminant`` to the training people, in all processes alike; does nothing where there is none.

    Args:
        net: on ``device``; left in evaluation mode.
        dataset: the training sequences, which are seen here as tests see theirs: whole, in order, not augmented.
        config: of the run.
        device: where to compute.
        quiet: no progress bar.

    Raises:
        UserError: the training set has too few people or sequences.
    """
    discriminant = net.Discriminant
    if discriminant is None:
        return
    net.eval()
    discriminant.train()  # so that the network's own embeddings come out
    shares = to_first([*_features(net, discriminant, dataset, config, device, quiet)])
    if shares is not None:
        batches = [batch for share in shares for batch in share]
        # Shared out evenly, some sequences come twice.
        first = np.unique(torch.cat([indices for indices, *_ in batches]), return_index=True)[1]
        labels = torch.cat([labels for _, labels, _ in batches])[first]
        features = [torch.cat(parts)[first].to(device) for parts in zip(*(found for *_, found in batches))]
        discriminant.fit(features, labels.to(device))
    if world_size() > 1:
        for buffer in discriminant.buffers():
            dist.broadcast(buffer, 0)
        # Loading tells the other processes that there is a fit.
        discriminant.load_state_dict(discriminant.state_dict())
    discriminant.eval()


@torch.no_grad()
def _features(
    net: MeshGaitNet,
    discriminant: Discriminant,
    dataset: GaitDataset,
    config: Config,
    device: torch.device,
    quiet: bool,
) -> Iterator[tuple[Tensor, Tensor, list[Tensor]]]:
    """Indices, labels and features of this process's batches, on the CPU."""
    cfg = config.evaluator_cfg
    whole = copy.copy(dataset)
    whole.frames = FrameSampling.from_config(cfg.sampler.model_dump())
    transform, _ = build_transforms(cfg.transform, with_bodies=False)
    sampler = InferenceSampler(whole, cfg.sampler.batch_size, rank(), world_size())
    loader = make_loader(whole, sampler, config.data_cfg.num_workers, pin_memory=device.type == "cuda")
    silent = True if quiet or rank() else None
    for batch in tqdm(loader, "discriminant analysis", leave=False, dynamic_ncols=True, disable=silent):
        batch = batch.to(device)
        output = net(transform(batch.sils), seqL=batch.seqL, reconstruct=discriminant.markers is not None)
        found = discriminant.features(output.embeddings, output.markers, batch.seqL)
        yield batch.indices.cpu(), batch.labels.cpu(), [one.cpu() for one in found]
