"""How much of the recognition losses' gradient reaches the 3D branch."""

from torch import Tensor

from opengait_meshgait.common.errors import UserError


def require_share(name: str, feedback: float) -> float:
    """``feedback`` of the layer ``name``.

    Raises:
        UserError: it is not from 0 to 1.
    """
    if not 0 <= feedback <= 1:
        raise UserError(f"{name} needs a feedback from 0 to 1, and got {feedback}.")
    return feedback


def damp_gradient(x: Tensor, share: float) -> Tensor:
    """``x`` itself, whose gradient is multiplied by ``share`` on the way back."""
    if not x.requires_grad:
        return x
    same = x.view_as(x)
    same.register_hook(lambda gradient: gradient * share)
    return same
