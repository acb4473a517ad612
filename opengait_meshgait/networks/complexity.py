"""What a network costs: parameters and floating-point operations."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(net: nn.Module, frames: int = 30, height: int = 64, width: int = 44) -> tuple[int, float]:
    """Count what recognising one sequence takes.

    Convolutions and matrix products are counted, as two operations for each multiply-accumulate; the
    reconstruction, which inference leaves out, is not. GaitBase has 6.99 M parameters and 70.7 GFLOPs by this count.

    Args:
        net: a :class:`~opengait_meshgait.networks.meshgait.MeshGaitNet`.
        frames, height, width: shape of the sequence.

    Returns:
        Parameters, without the class head (BNNecks), which grows with the number of training people and is not used
        in inference; GFLOPs of the forward pass.
    """
    parameters = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("BNNecks."))
    device = next(net.parameters()).device
    training = net.training
    net.eval()
    # Fused attention on the CPU is unknown to the counter; its plain form is two matrix products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, frames, height, width, device=device))
    net.train(training)
    return parameters, counter.get_total_flops() / 1e9
