"""When the weights are trained: one look at every training sequence, for the network's discriminant analysis."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from opengait_meshgait.networks.lda_head import Discriminant
from opengait_meshgait.networks.meshgait import MeshGaitOutput

Seen = tuple[Tensor, Tensor | None, Tensor, Tensor]
"""Silhouettes and ``seqL`` as the network takes them, on its device; labels and places in the training set, ``[n]``."""


@torch.no_grad()
def fit_discriminant(
    recognise: Callable[..., MeshGaitOutput], discriminant: Discriminant, batches: Iterable[Seen]
) -> None:
    """Fit ``discriminant`` to the training people, alike in all processes.

    Args:
        recognise: the network's forward pass, in evaluation mode.
        discriminant: of that network.
        batches: this process's share of the training sequences, whole and in order. Some may come twice.

    Raises:
        UserError: there are too few people or sequences.
    """
    discriminant.train()  # so that the network's own embeddings come out
    shares = []
    for sils, seqL, labels, places in batches:
        output = recognise(sils, seqL=seqL, reconstruct=discriminant.markers is not None)
        found = discriminant.features(output.embeddings, output.markers, seqL)
        shares.append((places.cpu(), labels.cpu(), [part.cpu() for part in found]))
    several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    if several:
        gathered = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
        dist.gather_object(shares, gathered)
        shares = [batch for share in gathered or [] for batch in share]
    if shares:
        places, labels, features = zip(*shares)
        first = np.unique(torch.cat(places), return_index=True)[1]
        # On the CPU: in float64 they take gigabytes, which the optimizer's GPU may not have left.
        discriminant.fit([torch.cat(parts)[first] for parts in zip(*features)], torch.cat(labels)[first])
    if several:
        for buffer in discriminant.buffers():
            dist.broadcast(buffer, 0)
        # Loading tells the other processes that there is a fit.
        discriminant.load_state_dict(discriminant.state_dict())
    discriminant.eval()
