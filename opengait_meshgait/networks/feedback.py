"""How much of the recognition losses' gradient reaches the 3D branch."""

from torch import Tensor


def damp_gradient(x: Tensor, share: float) -> Tensor:
    """``x`` itself, whose gradient is multiplied by ``share`` on the way back."""
    if not x.requires_grad:
        return x
    same = x.view_as(x)
    same.register_hook(lambda gradient: gradient * share)
    return same
