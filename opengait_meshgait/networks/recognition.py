"""A trained network made ready to recognise: the same features, sooner."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from opengait_meshgait.networks.blocks import BasicConv2d
from opengait_meshgait.networks.meshgait import MeshGaitNet, MeshGaitOutput

_CONVOLUTIONS = nn.Conv2d, nn.Conv3d


class Recognition:
    """A copy of a network that recognises and cannot be trained.

    Batch normalisation is folded into the convolutions before it, the weights lie with their channels last, and the
    classifier, which only training needs, is left out.

    Args:
        net: trained; it stays as it is.
        dtype: of the convolutions and matrix products: float32, bfloat16 or float16. Heatmaps, coordinates, gait
            descriptor and LDA head are float32 in any case.
    """

    def __init__(self, net: MeshGaitNet, dtype: torch.dtype = torch.float32):
        self.net, self.dtype = copy.deepcopy(net).eval().requires_grad_(False), dtype
        self.net.BNNecks = _NoClasses()
        for module in [*self.net.modules()]:
            for before, norm in _norms_behind(module):
                _fold(module, before, norm)
        for module in self.net.modules():
            if isinstance(module, _CONVOLUTIONS):
                last = torch.channels_last if isinstance(module, nn.Conv2d) else torch.channels_last_3d
                module.weight.data = module.weight.contiguous(memory_format=last)

    def __call__(self, sils: Tensor, seqL: Tensor | None = None, reconstruct: bool = False) -> MeshGaitOutput:
        """As :meth:`MeshGaitNet.forward`; of ``logits`` there are none, ``[n, 0, p]``."""
        with torch.autocast(sils.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            return self.net(sils, seqL, reconstruct)


class _NoClasses(nn.Module):
    """Stands for the classifier."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x[:, :0]


def _norms_behind(module: nn.Module) -> list[tuple[str, str]]:
    """Names of the module's convolutions or linear layers, and of the batch normalisation that follows each at once."""
    if type(module) is not nn.Sequential:
        return [pair for pair in getattr(module, "normalized", ()) if hasattr(module, pair[0])]
    names = [*module._modules]
    return [pair for pair in zip(names, names[1:]) if isinstance(module._modules[pair[1]], _BatchNorm)]


def _fold(module: nn.Module, before: str, norm: str) -> None:
    layer, batch_norm = module.get_submodule(before), module.get_submodule(norm)
    assert isinstance(batch_norm, _BatchNorm)
    if isinstance(layer, BasicConv2d):
        layer.conv = fuse_conv_bn_eval(layer.conv, batch_norm)
    elif isinstance(layer, _CONVOLUTIONS):
        module._modules[before] = fuse_conv_bn_eval(layer, batch_norm)
    elif isinstance(layer, nn.Linear):
        module._modules[before] = fuse_linear_bn_eval(layer, batch_norm)
    else:
        return
    module._modules[norm] = nn.Identity()
