"""Fitting the LDA head: one look at every training sequence, when the weights are trained."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.distributed as dist
from tqdm import tqdm

from opengait_meshgait.common.distributed import gather_to_rank0, rank, world_size
from opengait_meshgait.data import FrameSampling, GaitDataset, whole_sequences
from opengait_meshgait.networks import LDAHead, MeshGaitOutput
from opengait_meshgait.recipe.preparation import BatchPreparation


@torch.no_grad()
def fit_lda(
    recognise: Callable[..., MeshGaitOutput],
    head: LDAHead,
    dataset: GaitDataset,
    frames: FrameSampling,
    preparation: BatchPreparation,
    batch_size: int,
    num_workers: int = 0,
    quiet: bool = False,
) -> None:
    """Fit ``head`` to the training people, alike in all processes.

    The sequences are seen as tests see theirs: whole, in order, not augmented.

    Args:
        recognise: the network's forward pass, in evaluation mode.
        head: of that network; its buffers are on the network's device.
        dataset: the training sequences.
        frames: which frames tests take.
        preparation: of batches.
        batch_size: sequences at a time, of all processes together.
        num_workers: processes that read ahead.
        quiet: no progress bar.

    Raises:
        UserError: the training set has too few people or sequences, or a file cannot be used.
    """
    device, shares = next(head.buffers()).device, []
    share = (batch_size, rank(), world_size())
    loader = whole_sequences(dataset, frames, share, num_workers, pin_memory=device.type == "cuda")
    silent = True if quiet or rank() else None
    for batch in tqdm(loader, "LDA head", leave=False, dynamic_ncols=True, disable=silent):
        batch = batch.to(device)
        output = recognise(preparation.for_test(batch), seqL=batch.seqL, reconstruct=head.markers is not None)
        found = head.features(output.embeddings, output.markers, batch.seqL)
        shares.append((batch.indices.cpu(), batch.labels.cpu(), [part.cpu() for part in found]))
    gathered = gather_to_rank0(shares)
    if gathered is not None:
        _fit(head, [batch for share in gathered for batch in share])
    if world_size() > 1:
        for buffer in head.buffers():
            dist.broadcast(buffer, 0)
        # Loading tells the other processes that there is a fit.
        head.load_state_dict(head.state_dict())


def _fit(head: LDAHead, batches: Sequence[tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]]) -> None:
    """From all processes' (places in the training set, labels, features); a place may come twice."""
    places, labels, features = zip(*batches)
    first = np.unique(torch.cat(places), return_index=True)[1]
    # On the CPU: in float64 they take gigabytes, which the optimizer's GPU may not have left.
    head.fit([torch.cat(parts)[first] for parts in zip(*features)], torch.cat(labels)[first])
