"""What stands between feature maps and embeddings: pooling over time and height, and a head for each part. Argument
names and state-dict keys are OpenGait's.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.chunks import in_chunks
from opengait_meshgait.networks.packing import Lengths, max_over_time
from opengait_meshgait.networks.registry import LAYERS


class SetBlockWrapper(nn.Module):
    """Run a block that knows single frames over whole sequences.

    Args:
        forward_block: maps ``[m, ...]`` to ``[m, ...]``, frame by frame.
    """

    def __init__(self, forward_block: nn.Module):
        super().__init__()
        self.forward_block = forward_block

    def forward(self, x: Tensor) -> Tensor:
        """``[n, s, ...]`` to ``[n, s, ...]``."""
        (found,) = in_chunks(lambda some: (self.forward_block(some),), x.flatten(0, 1), whole=self.training)
        return found.unflatten(0, x.shape[:2])


class PackSequence(nn.Module):
    """Maximum over the frames of each sequence."""

    def forward(self, x: Tensor, seqL: Lengths = None) -> Tensor:
        """Frames ``[n, s, ...]``, or packed ``[1, sum of lengths, ...]``, to ``[n, ...]``."""
        return max_over_time(x, seqL)


class HorizontalPooling(nn.Module):
    """Mean plus maximum over horizontal strips (Fu et al., "Horizontal Pyramid Matching", AAAI 2019).

    Args:
        bin_num: into how many strips to cut, once for each entry.
        repeat_rows: where the strips do not divide the rows, let neighbouring strips share a row.
    """

    def __init__(self, bin_num: Sequence[int] = (16, 8, 4, 2, 1), repeat_rows: bool = False):
        super().__init__()
        self.bin_num = tuple(bin_num)
        self.repeat_rows = repeat_rows

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, h, w]`` to ``[n, c, p]`` with p the sum of ``bin_num``.

        Raises:
            UserError: the height is no multiple of an entry of ``bin_num``.
        """
        scales = {bins: self._cut(x, bins) for bins in self.bin_num}
        return self.pool([strips for bins in self.bin_num for strips in scales[bins]])

    def _cut(self, x: Tensor, bins: int) -> list[Tensor]:
        """``[n, c, h, w]`` to strips ``[n, c, bins, pixels]``, or parts of them that are equally high."""
        height = x.shape[2]
        if bins >= 1 and height % bins and self.repeat_rows:
            if bins % height == 0:
                return [x.repeat_interleave(bins // height, dim=2)]
            rows = [(i * height // bins, -(-(i + 1) * height // bins)) for i in range(bins)]
            return [x[:, :, None, a:b].flatten(3) for a, b in rows]
        if bins < 1 or height % bins:
            fitting = [b for b in range(1, height + 1) if height % b == 0]
            raise UserError(
                f"bin_num {list(self.bin_num)} does not fit a feature map of {height} rows: {height} cannot be cut "
                f"into {bins} equal strips. Use {', '.join(map(str, fitting))}, or change the backbone's strides."
            )
        return [x.unflatten(2, (bins, height // bins)).flatten(3)]

    def pool(self, strips: Sequence[Tensor]) -> Tensor:
        """The pixels of strips, each ``[n, c, bins, pixels]``, to ``[n, c, all bins]``."""
        mean = torch.cat([pixels.mean(-1) for pixels in strips], dim=-1)
        return mean + torch.cat([pixels.max(-1).values for pixels in strips], dim=-1)


@LAYERS.register
class SeparateFCs(nn.Module):
    """One linear map for each part.

    Args:
        parts_num: p.
        in_channels, out_channels: c and c'.
        norm: scale the columns of the weights to length 1.
    """

    def __init__(self, parts_num: int, in_channels: int, out_channels: int, norm: bool = False):
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts_num, in_channels, out_channels)))
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, p]`` to ``[n, c', p]``."""
        weight = F.normalize(self.fc_bin, dim=1) if self.norm else self.fc_bin
        return torch.matmul(x.permute(2, 0, 1), weight).permute(1, 2, 0).contiguous()


@LAYERS.register
class SeparateBNNecks(nn.Module):
    """Batch normalisation and a classifier for each part (Luo et al., "Bag of Tricks", CVPR Workshops 2019).

    Args:
        parts_num: p.
        in_channels: c.
        class_num: how many people the training set has.
        norm: cosines instead of inner products.
        parallel_BN1d: one batch normalisation over all parts' channels; false makes one for each part.
    """

    def __init__(self, parts_num: int, in_channels: int, class_num: int, norm: bool = True, parallel_BN1d: bool = True):
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts_num, in_channels, class_num)))
        self.bn1d: nn.Module = (
            nn.BatchNorm1d(in_channels * parts_num)
            if parallel_BN1d
            else nn.ModuleList(nn.BatchNorm1d(in_channels) for _ in range(parts_num))
        )
        self.norm = norm

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``[n, c, p]`` to the normalised features ``[n, c, p]`` and the logits ``[n, class_num, p]``."""
        if isinstance(self.bn1d, nn.ModuleList):
            feature = torch.stack([bn(part) for bn, part in zip(self.bn1d, x.unbind(2))])
        else:
            feature = self.bn1d(x.flatten(1)).unflatten(1, x.shape[1:]).permute(2, 0, 1)
        if self.norm:
            logits = torch.matmul(feature := F.normalize(feature, dim=-1), F.normalize(self.fc_bin, dim=1))
        else:
            logits = torch.matmul(feature, self.fc_bin)
        return feature.permute(1, 2, 0).contiguous(), logits.permute(1, 2, 0).contiguous()
