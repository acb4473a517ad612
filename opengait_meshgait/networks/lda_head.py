"""Embeddings by linear discriminant analysis, fitted in closed form when the weights are trained."""

import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.gait_descriptor import HEADINGS, describe, heading, numbers
from opengait_meshgait.networks.registry import LAYERS

# Of so many sequences, evenly spread, distances are taken to find the scale of an embedding.
_SAMPLE = 2000
# What a number times cos h counts against the number itself. Twice as much is as good.
_HEADING = 0.5


@LAYERS.register
class Discriminant(nn.Module):
    """Two parts of an embedding: what the silhouettes tell of a person, and what the virtual markers do.

    Each is a linear map onto the directions in which the training people differ most, by the measure of how one person
    differs from sequence to sequence (Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936). A
    direction counts by the share of its variance that lies between people. On the training people the mean distance of
    two of them is 1 in the silhouettes' part and ``marker_weight`` in the markers'.

    With markers, the map depends on how they say that the body is turned: its entries are series in the heading, up to
    cos 2h and sin 2h. What tells people apart from the front is not what does so from the side.

    What lies farther out than most training sequences is pulled in to where they end, so that bodies or silhouettes
    unlike any seen in training do not outvote the other part.

    It takes no part in training. :meth:`fit` wants the finished network's view of whole training sequences; until then
    the network's own embeddings are compared.

    Args:
        features: of the silhouettes' embeddings, channels × parts.
        markers: K, or 0 where there are none.
        channels: of each part.
        components: the analysis sees so many principal components of what it is to look at, or all if there are fewer.
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
        components: int = 512,
        shrinkage: float = 0.6,
        marker_shrinkage: float = 0.015,
        marker_weight: float = 0.5,
    ):
        super().__init__()
        if min(channels, components) < 1 or shrinkage <= 0 or marker_shrinkage <= 0 or marker_weight < 0:
            raise UserError(
                "Discriminant needs channels ≥ 1, components ≥ 1, shrinkage > 0, marker_shrinkage > 0 and "
                f"marker_weight ≥ 0, and got {channels}, {components}, {shrinkage}, {marker_shrinkage} and "
                f"{marker_weight}."
            )
        self.channels, self.marker_weight = channels, marker_weight
        turned = bool(markers and marker_weight)
        self.silhouettes, self.markers = _Projection(features, channels, components, shrinkage, turned), None
        if turned:
            self.markers = _Projection(numbers(markers), channels, components, marker_shrinkage, turned)
            # In the checkpoint, because inference knows no body.
            self.register_buffer("side", torch.zeros(markers))
            self.register_buffer("flip", torch.arange(markers))

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

    def set_sides(self, side: Tensor, flip: Tensor) -> None:
        """Tell markers on the body's left (1), on its right (-1) and between (0), and their mirror images: ``[K]``."""
        if self.markers is not None:
            self.side.copy_(side)
            self.flip.copy_(flip)

    def features(self, embeddings: Tensor, markers: Tensor | None, seqL: Tensor | None = None) -> list[Tensor]:
        """What :meth:`fit` is to see, float32: the silhouettes' ``[n, d]``, and of markers ``[n, d']`` and headings.

        Args:
            embeddings: ``[n, c, p]``, the silhouettes'.
            markers: ``[n, s, K, 3]`` or packed ``[1, sum of lengths, K, 3]``, crop space.
            seqL: int ``[1, n]``, lengths of the packed sequences.
        """
        found = [embeddings.float().flatten(1)]
        if self.markers is None:
            return found
        return [*found, describe(markers, self.side, self.flip, seqL), heading(markers, self.side, seqL)]

    def forward(self, embeddings: Tensor, markers: Tensor | None, seqL: Tensor | None = None) -> Tensor:
        """Embeddings ``[n, channels, 1 or 2]`` from what :meth:`features` takes."""
        found = self.features(embeddings, markers, seqL)
        with torch.autocast(embeddings.device.type, enabled=False):
            if self.markers is None:
                return self.silhouettes(*found)[..., None]
            silhouettes, described, turned = found
            parts = [self.silhouettes(silhouettes, turned), self.marker_weight * self.markers(described, turned)]
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
        silhouettes, described, turned = features if self.markers is not None else (*features, None, None)
        self.silhouettes.fit(silhouettes, turned, labels)
        if self.markers is not None:
            self.markers.fit(described, turned, labels)

    def forget(self) -> None:
        """Take the fit back: the network's weights are no longer those that it was made for."""
        for projection in self.children():
            projection.basis.zero_()
            projection.fitted = False


class _Projection(nn.Module):
    """Principal components, and as many again for each function of the heading; of these, discriminant analysis."""

    def __init__(self, features: int, channels: int, components: int, shrinkage: float, turned: bool):
        super().__init__()
        self.shrinkage = shrinkage
        components = min(components, features)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("components", torch.zeros(features, components))
        self.register_buffer("basis", torch.zeros((1 + HEADINGS if turned else 1) * components, channels))
        self.register_buffer("offset", torch.zeros(channels))
        self.register_buffer("reach", torch.ones(()))
        # Kept, for an exported graph cannot ask the basis.
        self.fitted = False
        self.register_load_state_dict_post_hook(_look)

    def forward(self, x: Tensor, turned: Tensor | None = None) -> Tensor:
        """``x [n, features]``, and headings ``[n, 4]`` if the map depends on them, to ``[n, channels]``."""
        found = _series((x - self.mean) @ self.components, turned) @ self.basis - self.offset
        return _pulled_in(found, self.reach)

    def fit(self, x: Tensor, turned: Tensor | None, labels: Tensor) -> None:
        """From ``x [n, features]`` and headings ``[n, 4]`` of the people ``labels [n]``."""
        x = x.double()
        mean = x.mean(0)
        components = _principal_components(x - mean, self.components.shape[1])
        x = _series((x - mean) @ components, None if turned is None else turned.double())
        offset = x.mean(0)
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
        # Where one person's variance is 1 in every direction, people differ along the singular vectors of the centres.
        root = torch.linalg.cholesky(within)
        whitened = torch.linalg.solve_triangular(root, (centres - offset).T, upper=False) / len(people) ** 0.5
        directions, singular, _ = torch.linalg.svd(whitened, full_matrices=False)
        between = singular[: self.basis.shape[1]] ** 2
        directions = directions[:, : self.basis.shape[1]] * (between / (1 + between)).sqrt()
        basis = torch.linalg.solve_triangular(root.T, directions, upper=True)
        step = -(-len(x) // _SAMPLE)
        projected = (x - offset) @ basis
        # Half of the training sequences lie within.
        reach = projected.norm(dim=1).median()
        projected, who = _pulled_in(projected, reach)[::step], index[::step]
        scale = torch.cdist(projected, projected)[who[:, None] != who].mean()
        basis /= scale
        self.mean.copy_(mean)
        self.components.copy_(components)
        self.basis.zero_()[:, : basis.shape[1]] = basis
        self.offset.zero_()[: basis.shape[1]] = offset @ basis
        self.reach.copy_(reach / scale)
        self.fitted = True


def _series(x: Tensor, turned: Tensor | None) -> Tensor:
    """``x [n, r]``, and beside it ``x`` times each function of the heading, ``[n, 5·r]``."""
    if turned is None:
        return x
    return torch.cat([x, _HEADING * (turned[:, :, None] * x[:, None]).flatten(1)], dim=1)


def _pulled_in(x: Tensor, reach: Tensor) -> Tensor:
    """``x [n, c]``, no row longer than ``reach``."""
    # Added, so that nothing is divided by zero.
    return x * (reach / (x.norm(dim=1, keepdim=True) + 1e-12)).clamp(max=1)


def _principal_components(x: Tensor, number: int) -> Tensor:
    """The first ones of ``x [n, d]``, which has no mean: ``[d, number]``, those beyond its rank 0."""
    found = x.new_zeros(x.shape[1], number)
    # Randomised, alike every time and behind the back of the trainer's own random numbers.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, _, components = torch.pca_lowrank(x, min(number, *x.shape), center=False, niter=4)
    found[:, : components.shape[1]] = components
    return found


def _look(projection: _Projection, _: object) -> None:
    """After weights are loaded: is there a fit among them?"""
    projection.fitted = bool(projection.basis.any())
