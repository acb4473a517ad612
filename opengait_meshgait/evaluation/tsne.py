"""Features of many sequences as points of a plane that are near where the features are (t-SNE)."""

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import distance_blocks

LEAST = 4
"""Of fewer sequences there is no picture."""
_PERPLEXITY = 30  # neighbours that count, van der Maaten and Hinton's default; fewer where there are few sequences


def tsne(features: torch.Tensor, metric: str = "euc") -> np.ndarray:
    """t-SNE (van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008) of the distances that are matched.

    It begins with the first two principal components, so that the same features give the same picture, and groups that
    lie far apart stay apart (Kobak and Berens, "The art of using t-SNE for single-cell transcriptomics", 2019).

    Args:
        features: ``[n, c, p]`` on any device, n at least :data:`LEAST`.
        metric: ``euc`` or ``cos``.

    Returns:
        ``[n, 2]`` float32.

    Raises:
        UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise UserError("t-SNE needs scikit-learn: pip install scikit-learn.") from error
    distance = torch.cat([block for _, block in distance_blocks(features, features, metric)]).cpu().numpy()
    np.fill_diagonal(distance, 0)
    flat = features.flatten(1).float().cpu().numpy()
    left, size, _ = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    start = left[:, :2] * size[:2]
    start = start / max(start[:, 0].std(), 1e-12) * 1e-4
    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    # On a busy machine its threads spin at every iteration, a hundred times as long as one takes for all.
    with threadpool_limits(1):
        return TSNE(metric="precomputed", init=start, perplexity=perplexity, random_state=0).fit_transform(distance)
