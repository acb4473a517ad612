"""The LDA head: features fitted in closed form to the embeddings and markers of a trained network."""

from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.gait_descriptor import ANGLE_TERMS, GaitDescriptor, descriptor_size
from opengait_meshgait.networks.packing import Lengths
from opengait_meshgait.networks.registry import LAYERS, Count

# The scale of the features comes from the distances of at most so many sequences, evenly spread.
_SAMPLE = 2000
# What a number times cos a counts against the number itself. Twice as much is as good.
_ANGLE_WEIGHT = 0.5
DEFAULT_MARKER_WEIGHT = 0.25


@partial(LAYERS.register, name="Discriminant")
class LDAHead(nn.Module):
    """Features for matching by linear discriminant analysis, from embeddings and from the markers' gait descriptor.

    Each part is a linear map onto the directions in which the training people differ most, relative to how one person
    differs from sequence to sequence (Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936). A
    direction is weighted by the share of its variance that lies between people. On the training people the mean
    distance of two of them is 1 in the embeddings' part and ``marker_weight`` in the markers'.

    Where features of the heatmaps are fused into the embeddings, a map of its own is fitted to the embeddings that the
    silhouettes alone would give, and each of the two counts half. The fused ones tell more of people seen as those in
    training were, the others more of people and cameras unlike them, see ``docs/recorded.md``.

    With markers, the map depends on the viewing angle a that they show: its entries are series up to cos 2a and sin 2a,
    because what tells people apart from the front is not what does so from the side.

    Norms are clipped at the training median, so that a body or a silhouette unlike any in training does not outvote the
    other part.

    The head takes no part in training. :meth:`fit` needs whole training sequences as the finished network sees them.
    In a config it is ``model_cfg.Discriminant``, and so it is named in checkpoints.

    Args:
        features: of the embeddings, channels × parts.
        markers: K, or 0 without a heatmap branch.
        fused: whether features of the heatmaps are in the embeddings.
        channels: of each part.
        components: principal components that the discriminant analysis is fitted to, or all if there are fewer.
        shrinkage: share of the mean variance within people that is added in every direction of the embeddings. Large,
            because a network knows its training people by heart: other people differ from sequence to sequence by much
            more.
        marker_shrinkage: the same for the gait descriptor. Small, because estimated bodies are nearly as right for
            other people.
        marker_weight: of the markers' distances relative to the embeddings'; 0 leaves the markers out. ``auto``: the
            weight with which the people of ``VAL_SET`` are found best, 0.25 where the partition has none.
    """

    side: Tensor
    flip: Tensor
    filled_in = ("features", "markers", "fused")

    def __init__(
        self,
        features: int,
        markers: int = 0,
        fused: bool = False,
        channels: Count = 64,
        components: Count = 512,
        shrinkage: Annotated[float, Field(gt=0)] = 0.6,
        marker_shrinkage: Annotated[float, Field(gt=0)] = 0.015,
        marker_weight: Annotated[float, Field(ge=0)] | Literal["auto"] = DEFAULT_MARKER_WEIGHT,
    ):
        super().__init__()
        self.channels, self.marker_weight = channels, marker_weight
        with_markers = bool(markers and marker_weight)
        self.silhouettes = _Projection(features, channels, components, shrinkage, with_markers)
        self.fused = _Projection(features, channels, components, shrinkage, with_markers) if fused else None
        self.markers: _Projection | None = None
        if with_markers:
            self.markers = _Projection(descriptor_size(markers), channels, components, marker_shrinkage, with_markers)
            self.describe = GaitDescriptor()
            # In the checkpoint, because inference knows no body.
            self.register_buffer("side", torch.zeros(markers))
            self.register_buffer("flip", torch.arange(markers))

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` has been called, or a fitted head was loaded."""
        return self.silhouettes.fitted

    @property
    def shape(self) -> tuple[int, int]:
        """(c, p) of the features."""
        return self.channels, len(self._parts)

    @property
    def _parts(self) -> list["_Projection"]:
        return [part for part in (self.silhouettes, self.fused, self.markers) if part is not None]

    def set_sides(self, side: Tensor, flip: Tensor) -> None:
        """Set which markers are on the body's left (1), right (-1) or between (0), and their mirror images: ``[K]``."""
        if self.markers is not None:
            self.side.copy_(side)
            self.flip.copy_(flip)

    def features(
        self, embeddings: Tensor, markers: Tensor | None, seqL: Lengths = None, alone: Tensor | None = None
    ) -> list[Tensor]:
        """The inputs of :meth:`fit`, float32: embeddings ``[n, d]``, of the silhouettes alone first where heatmaps are
        fused; with markers, descriptors ``[n, d']`` and angles.

        Args:
            embeddings: ``[n, c, p]``, raw.
            markers: ``[n, s, K, 3]`` or packed ``[1, sum of lengths, K, 3]``, crop space.
            seqL: int ``[1, n]``, lengths of the packed sequences.
            alone: ``[n, c, p]``, those that the silhouettes alone would give; only where heatmaps are fused.
        """
        found = [embeddings] if self.fused is None else [alone, embeddings]
        found = [each.float().flatten(1) for each in found]
        if self.markers is None or markers is None:
            return found
        return [*found, *self.describe(markers, self.side, self.flip, seqL)]

    def forward(
        self, embeddings: Tensor, markers: Tensor | None, seqL: Lengths = None, alone: Tensor | None = None
    ) -> Tensor:
        """The features ``[n, channels, 1 to 3]``, the markers' last; arguments as :meth:`features`."""
        found = self.features(embeddings, markers, seqL, alone)
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.project(found)

    def project(self, features: list[Tensor]) -> Tensor:
        """Inputs as :meth:`features` gives them to ``[n, channels, 1 to 3]``."""
        angle = None if self.markers is None else features[-1]
        found = [part(each, angle) for part, each in zip(self._parts, features)]
        if self.markers is not None and self.marker_weight != "auto":  # of which the fit has it
            found[-1] = self.marker_weight * found[-1]
        return torch.stack(found, dim=2)

    @torch.no_grad()
    def fit(self, features: list[Tensor], labels: Tensor) -> None:
        """Fit all parts.

        Args:
            features: of all training sequences, as :meth:`features` gives them.
            labels: of the people, int ``[n]``.

        Raises:
            UserError: fewer than two people, or nobody has two sequences that differ.
        """
        angle = None if self.markers is None else features[-1]
        for part, each in zip(self._parts, features):
            part.fit(each, angle, labels)
        if self.fused is not None:
            self.silhouettes.scale(0.5)
            self.fused.scale(0.5)
        if self.markers is not None and self.marker_weight == "auto":
            self.scale_markers(DEFAULT_MARKER_WEIGHT)

    def scale_markers(self, factor: float) -> None:
        """Multiply the markers' part, in the fit itself, so that a checkpoint has it."""
        assert self.markers is not None
        self.markers.scale(factor)

    def reset(self) -> None:
        """Make the head unfitted: the network's weights are no longer those that it was fitted to."""
        for projection in self._parts:
            projection.basis.zero_()
            projection.fitted = False


class _Projection(nn.Module):
    """Principal components, and as many again for each function of the viewing angle; on these, LDA."""

    mean: Tensor
    components: Tensor
    basis: Tensor
    offset: Tensor
    reach: Tensor

    def __init__(self, features: int, channels: int, components: int, shrinkage: float, with_angle: bool):
        super().__init__()
        self.shrinkage = shrinkage
        components = min(components, features)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("components", torch.zeros(features, components))
        self.register_buffer("basis", torch.zeros((1 + ANGLE_TERMS if with_angle else 1) * components, channels))
        self.register_buffer("offset", torch.zeros(channels))
        self.register_buffer("reach", torch.ones(()))
        # An attribute, because an exported graph cannot branch on the basis.
        self.fitted = False
        self.register_load_state_dict_post_hook(_mark_fitted)

    def forward(self, x: Tensor, angle: Tensor | None = None) -> Tensor:
        """``x [n, features]``, and angles ``[n, 4]`` if the map depends on them, to ``[n, channels]``."""
        found = torch.addmm(self.offset, _series((x - self.mean) @ self.components, angle), self.basis, beta=-1)
        return _clip_norms(found, self.reach)

    def scale(self, factor: float) -> None:
        """Multiply what comes out."""
        for buffer in (self.basis, self.offset, self.reach):
            buffer *= factor

    def fit(self, x: Tensor, angle: Tensor | None, labels: Tensor) -> None:
        """From ``x [n, features]`` and angles ``[n, 4]`` of the people ``labels [n]``."""
        x = x.double()
        mean = x.mean(0)
        components = _principal_components(x - mean, self.components.shape[1])
        x = _series((x - mean) @ components, None if angle is None else angle.double())
        offset = x.mean(0)
        people, index = labels.unique(return_inverse=True)
        centres = x.new_zeros(len(people), x.shape[1]).index_add_(0, index, x)
        centres /= index.bincount()[:, None]
        deviations = x - centres[index]
        within = deviations.T @ deviations / len(x)
        variance = within.diagonal().mean()
        if len(people) < 2 or variance <= 0:
            raise UserError(
                f"Discriminant (the LDA head) found {len(people)} people in {len(x)} training sequences; it needs two "
                "or more, and sequences of the same person that differ. Take Discriminant out of model_cfg, or add "
                "sequences."
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
        # Half of the training sequences have a smaller norm.
        reach = projected.norm(dim=1).median()
        projected, who = _clip_norms(projected, reach)[::step], index[::step]
        scale = torch.cdist(projected, projected)[who[:, None] != who].mean()
        basis /= scale
        self.mean.copy_(mean)
        self.components.copy_(components)
        self.basis.zero_()[:, : basis.shape[1]] = basis
        self.offset.zero_()[: basis.shape[1]] = offset @ basis
        self.reach.copy_(reach / scale)
        self.fitted = True


def _series(x: Tensor, angle: Tensor | None) -> Tensor:
    """``x [n, r]``, and beside it ``x`` times each function of the viewing angle, ``[n, 5·r]``."""
    if angle is None:
        return x
    return torch.cat([x, _ANGLE_WEIGHT * (angle[:, :, None] * x[:, None]).flatten(1)], dim=1)


def _clip_norms(x: Tensor, reach: Tensor) -> Tensor:
    """``x [n, c]`` with the norms of its rows clipped at ``reach``."""
    # Added, so that nothing is divided by zero.
    return x * (reach / (x.norm(dim=1, keepdim=True) + 1e-12)).clamp(max=1)


def _principal_components(x: Tensor, number: int) -> Tensor:
    """The first ones of ``x [n, d]``, which has no mean: ``[d, number]``, those beyond its rank 0."""
    found = x.new_zeros(x.shape[1], number)
    # A randomised method: with a seed of its own it repeats, and leaves the trainer's random numbers alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, _, components = torch.pca_lowrank(x, min(number, *x.shape), center=False, niter=4)
    found[:, : components.shape[1]] = components
    return found


def _mark_fitted(projection: _Projection, _: object) -> None:
    """After weights are loaded: whether a fit is among them."""
    projection.fitted = bool(projection.basis.any())
