"""The LDA head's fit when training is done, and the weight of its markers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from tqdm import tqdm

from opengait_meshgait.common.distributed import gather_to_rank0, rank, world_size
from opengait_meshgait.data import FrameSampling, GaitDataset, has_validation_people, whole_sequences
from opengait_meshgait.evaluation.retrieval import CHUNK
from opengait_meshgait.evaluation.split import Compared, has_match
from opengait_meshgait.evaluation.whole_gallery import retrieval_figures
from opengait_meshgait.networks import DEFAULT_MARKER_WEIGHT, LDAHead, MeshGaitOutput
from opengait_meshgait.recipe.preparation import BatchPreparation

# Of weights that are equally good, the first is taken.
_WEIGHTS = (DEFAULT_MARKER_WEIGHT, 0.0, 0.05, 0.1, 0.5, 1.0)
_PROBES = 2000
"""At most so many of the validation sequences, evenly spread, are looked for in all others."""


@dataclass(frozen=True)
class WholeSequences:
    """How the sequences are seen that a head is fitted to: as tests see theirs, whole, in order, not augmented.

    Attributes:
        recognise: the network's forward pass, in evaluation mode.
        frames: which frames tests take.
        preparation: of batches.
        batch_size: sequences at a time, of all processes together.
        num_workers: processes that read ahead.
        quiet: no progress bar.
    """

    recognise: Callable[..., MeshGaitOutput]
    frames: FrameSampling
    preparation: BatchPreparation
    batch_size: int
    num_workers: int = 0
    quiet: bool = False

    def features(self, head: LDAHead, dataset: GaitDataset) -> tuple[np.ndarray, Tensor, list[Tensor]] | None:
        """The first process alone learns the places of the sequences in ``dataset``, labels and ``head``'s features.

        They are on the CPU: in float64 they take gigabytes, which the optimizer's GPU may not have left.
        """
        device, shares = next(head.buffers()).device, []
        share = (self.batch_size, rank(), world_size())
        loader = whole_sequences(dataset, self.frames, share, self.num_workers, pin_memory=device.type == "cuda")
        silent = True if self.quiet or rank() else None
        for batch in tqdm(loader, "LDA head", leave=False, dynamic_ncols=True, disable=silent):
            batch = batch.to(device)
            sils = self.preparation.for_test(batch)
            output = self.recognise(sils, seqL=batch.seqL, reconstruct=head.markers is not None)
            found = head.features(output.embeddings, output.markers, batch.seqL, output.alone)
            shares.append((batch.indices.cpu(), batch.labels.cpu(), [part.cpu() for part in found]))
        gathered = gather_to_rank0(shares)
        if gathered is None:
            return None
        places, labels, parts = zip(*(batch for share in gathered for batch in share))
        # A place may come twice.
        unique, first = np.unique(torch.cat(places), return_index=True)
        return unique, torch.cat(labels)[first], [torch.cat(part)[first] for part in zip(*parts)]


@torch.no_grad()
def fit_lda(head: LDAHead, see: WholeSequences, train: GaitDataset, data_cfg: Mapping[str, Any]) -> str | None:
    """Fit ``head`` to the training people, alike in all processes.

    A ``marker_weight`` of ``auto`` is chosen by the people of ``VAL_SET``: that with which they are recognised best.
    What a probe is to find are its person's sequences of other types; those of its own type, the same walk in another
    view say, do not count.

    Args:
        head: of the network that ``see`` recognises with.
        see: the sequences.
        train: the training sequences.
        data_cfg: the YAML's, where ``VAL_SET`` is read.

    Returns:
        One line on the weight that was chosen; None where nothing was, or in another process than the first.

    Raises:
        UserError: the training set has too few people or sequences, or a file cannot be used.
    """
    found, note = see.features(head, train), None
    if found is not None:
        _, labels, features = found
        head.fit(features, labels)
    auto = head.markers is not None and head.marker_weight == "auto"
    if auto and has_validation_people(data_cfg["dataset_partition"]):
        validation = GaitDataset(data_cfg, "val", False, see.frames)
        found = see.features(head, validation)
        if found is not None:
            places, labels, features = found
            note = weigh_markers(head, features, labels, np.array(validation.types_list)[places])
    if world_size() > 1:
        for buffer in head.buffers():
            dist.broadcast(buffer, 0)
        # Loading tells the other processes that there is a fit.
        head.load_state_dict(head.state_dict())
    return note


def weigh_markers(head: LDAHead, features: list[Tensor], labels: Tensor, types: np.ndarray) -> str | None:
    """Choose the weight of the markers, as :func:`fit_lda` says, of a head that was just fitted.

    Args:
        head: with markers and a ``marker_weight`` of ``auto``.
        features: of the validation sequences, as :meth:`~opengait_meshgait.networks.LDAHead.features` gives them.
        labels: int ``[n]``.
        types: ``[n]``.

    Returns:
        As :func:`fit_lda`; None, and the weight is the default, where nobody has sequences of two types.
    """
    own, everybody = np.unique(types, return_inverse=True)[1], np.arange(len(labels))
    compared = Compared(everybody, everybody[:: -(-len(labels) // _PROBES)])
    compared = Compared(everybody, compared.probes[has_match(labels.numpy(), own, compared, other_views=True)])
    if not len(compared.probes):
        return None
    matched = head.project([part.to(head.side.device) for part in features]).cpu()

    def precision(weight: float) -> float:
        weighted = matched.clone()
        weighted[..., -1] *= weight / DEFAULT_MARKER_WEIGHT
        figures = retrieval_figures(weighted, labels, own, compared, (1,), True, "euc", CHUNK)
        return figures.metrics["mAP"]

    precisions = {weight: precision(weight) for weight in _WEIGHTS}
    best = max(precisions, key=precisions.__getitem__)
    head.scale_markers(best / DEFAULT_MARKER_WEIGHT)
    tried = ", ".join(f"{weight:g}: {precisions[weight]:.1f}" for weight in sorted(precisions))
    people = len(labels.unique())
    return f"The markers of the LDA head weigh {best:g}, chosen by {people} validation people (mAP by weight: {tried})."
