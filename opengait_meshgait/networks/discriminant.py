"""Embeddings by linear discriminant analysis, fitted in closed form when the weights are trained."""

import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.description import NUMBERS, describe
from opengait_meshgait.networks.registry import LAYERS

# Of so many sequences, evenly spread, distances are taken to find the scale of an embedding.
_SAMPLE = 2000


@LAYERS.register
class Discriminant(nn.Module):
    """Two parts of an embedding: what the silhouettes tell of a person, and what the virtual markers do.

    Each is a linear map onto the directions in which the training people differ most, by the measure of how one person
    differs from sequence to sequence (Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936). A
    direction counts by the share of its variance that lies between people. On the training people the mean distance of
    two of them is 1 in the silhouettes' part and ``marker_weight`` in the markers'.

    It takes no part in training. :meth:`fit` wants the finished network's view of whole training sequences; until then
    the network's own embeddings are compared.

    Args:
        features: of the silhouettes' embeddings, channels × parts.
        markers: K, or 0 where there are none.
        channels: of each part.
        shrinkage: so much of the mean variance within people is added in every direction of the silhouettes'
            embeddings. Large, since a network knows its training people by heart: others differ from sequence to
            sequence by much more.
        marker_shrinkage: the same for the markers' description. Small, since estimated bodies are hardly less right
            for other people.
        marker_weight: of the markers' distances against those of silhouettes; 0 leaves the markers out.

    Raises:
        UserError: a number out of range.
    """

    def __init__(
        self,
        features: int,
        markers: int = 0,
        channels: int = 64,
        shrinkage: float = 2.0,
        marker_shrinkage: float = 0.003,
        marker_weight: float = 0.4,
    ):
        super().__init__()
        if channels < 1 or shrinkage <= 0 or marker_shrinkage <= 0 or marker_weight < 0:
            raise UserError(
                "Discriminant needs channels ≥ 1, shrinkage > 0, marker_shrinkage > 0 and marker_weight ≥ 0, and got "
                f"{channels}, {shrinkage}, {marker_shrinkage} and {marker_weight}."
            )
        self.channels, self.marker_weight = channels, marker_weight
        self.silhouettes, self.markers = _Projection(features, channels, shrinkage), None
        if markers and marker_weight:
            self.markers = _Projection(NUMBERS * markers, channels, marker_shrinkage)
            # In the checkpoint, because inference knows no body.
            self.register_buffer("side", torch.zeros(markers))

    @property
    def fitted(self) -> bool:
        """Whether there is anything to compare people by."""
        return self.silhouettes.fitted

    @property
    def active(self) -> bool:
        """Whether it takes the place of the network's own embeddings; never in training."""
        return self.fitted and not self.training

    @property
    def shape(self) -> tuple[int, int]:
        """(c, p) of what :meth:`forward` returns."""
        return self.channels, 1 if self.markers is None else 2

    def set_sides(self, side: Tensor) -> None:
        """Say which markers lie on the body's left (1), on its right (-1) and between (0): ``[K]``."""
        if self.markers is not None:
            self.side.copy_(side)

    def features(self, embeddings: Tensor, markers: Tensor | None, seqL: Tensor | None = None) -> list[Tensor]:
        """What is to be projected, ``[n, d]`` for each part, float32.

        Args:
            embeddings: ``[n, c, p]``, the silhouettes'.
            markers: ``[n, s, K, 3]`` or packed ``[1, sum of lengths, K, 3]``, crop space.
            seqL: int ``[1, n]``, lengths of the packed sequences.
        """
        found = [embeddings.float().flatten(1)]
        return found if self.markers is None else [*found, describe(markers, self.side, seqL)]

    def forward(self, embeddings: Tensor, markers: Tensor | None, seqL: Tensor | None = None) -> Tensor:
        """Embeddings ``[n, channels, 1 or 2]`` from what :meth:`features` takes."""
        silhouettes, *described = self.features(embeddings, markers, seqL)
        with torch.autocast(embeddings.device.type, enabled=False):
            parts = [self.silhouettes(silhouettes)]
            parts += [self.marker_weight * self.markers(one) for one in described]
        return torch.stack(parts, dim=2)

    @torch.no_grad()
    def fit(self, features: list[Tensor], labels: Tensor) -> None:
        """Find the directions.

        Args:
            features: of all training sequences, as :meth:`features` gives them.
            labels: who they show, int ``[n]``.

        Raises:
            UserError: fewer than two people, or nobody has two sequences that differ.
        """
        projections = [self.silhouettes] if self.markers is None else [self.silhouettes, self.markers]
        for projection, x in zip(projections, features):
            projection.fit(x, labels)


class _Projection(nn.Module):
    """``(x - mean) @ basis``, fitted by discriminant analysis."""

    def __init__(self, features: int, channels: int, shrinkage: float):
        super().__init__()
        self.shrinkage = shrinkage
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("basis", torch.zeros(features, channels))
        # Kept, for an exported graph cannot ask the basis.
        self.fitted = False
        self.register_load_state_dict_post_hook(_look)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, features]`` to ``[n, channels]``."""
        return (x - self.mean) @ self.basis

    def fit(self, x: Tensor, labels: Tensor) -> None:
        """From ``x [n, features]`` of the people ``labels [n]``."""
        x = x.double()
        people, index = labels.unique(return_inverse=True)
        centres = x.new_zeros(len(people), x.shape[1]).index_add_(0, index, x)
        centres /= index.bincount()[:, None]
        deviations = x - centres[index]
        within = deviations.T @ deviations / len(x)
        variance = within.diagonal().mean()
        if len(people) < 2 or variance <= 0:
            raise UserError(
                f"Discriminant found {len(people)} people in {len(x)} training sequences; it needs two or more, and "
                "sequences of the same person that differ. Take Discriminant out of model_cfg, or add sequences."
            )
        within.diagonal().add_(self.shrinkage * variance)
        mean = x.mean(0)
        # Where one person's variance is 1 in every direction, people differ along the singular vectors of the centres.
        root = torch.linalg.cholesky(within)
        whitened = torch.linalg.solve_triangular(root, (centres - mean).T, upper=False) / len(people) ** 0.5
        directions, singular, _ = torch.linalg.svd(whitened, full_matrices=False)
        between = singular[: self.basis.shape[1]] ** 2
        directions = directions[:, : self.basis.shape[1]] * (between / (1 + between)).sqrt()
        basis = torch.linalg.solve_triangular(root.T, directions, upper=True)
        step = -(-len(x) // _SAMPLE)
        projected, who = ((x - mean) @ basis)[::step], index[::step]
        basis /= torch.cdist(projected, projected)[who[:, None] != who].mean()
        self.mean.copy_(mean)
        self.basis.zero_()[:, : basis.shape[1]] = basis
        self.fitted = True


def _look(projection: _Projection, _: object) -> None:
    """After weights are loaded: is there a fit among them?"""
    projection.fitted = bool(projection.basis.any())
