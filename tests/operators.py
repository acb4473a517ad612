"""What a GPU would be asked to do, one operator after the other, without a GPU.

Tensors on PyTorch's device ``meta`` stand for those on a GPU: shapes and dtypes are real, nothing is computed. So a
count of operators, which is what small batches cost on a GPU, is a matter of milliseconds on any machine.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("meta")
"""The device that stands for a GPU."""
# They take memory or look at it, and start nothing.
_NO_WORK = {"empty", "new_empty", "empty_like", "empty_strided", "_unsafe_view", "lift_fresh", "promote_types"}
# Their results' shapes depend on values, which the processor must know.
_SHAPED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal", "bincount"}


@contextmanager
def stand_in() -> Iterator[None]:
    """Networks that are made in this block are on :data:`GPU`, and can be called there."""
    autocast = torch.autocast

    def no_autocast(kind, *arguments, **more):
        # PyTorch does not know it for this device, not even to switch it off.
        return nullcontext() if kind == GPU.type else autocast(kind, *arguments, **more)

    with patch.object(torch, "autocast", no_autocast), torch.device(GPU):
        yield


class Operators(TorchDispatchMode):
    """Counts operators on :data:`GPU` while it is entered; views are none.

    Attributes:
        names: how often each was called.
        synchronisations: those at which the processor waits for the GPU, or the GPU for the processor: copies from one
            to the other, values that the processor reads, shapes that depend on values.
    """

    def __init__(self):
        super().__init__()
        self.names: Counter[str] = Counter()
        self.synchronisations: list[str] = []

    @property
    def count(self) -> int:
        """Of operators."""
        return sum(self.names.values())

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        on_gpu = any(tensor.device == GPU for tensor in tensors)
        if name == "_local_scalar_dense" and on_gpu:
            self.synchronisations.append(name)
            return tensors[0].dtype == torch.bool or 1  # stands for the value that there is not
        if name == "_to_copy" and on_gpu and kwargs.get("device", GPU) != GPU:
            self.synchronisations.append(name)
            return torch.zeros(tensors[0].shape, dtype=kwargs.get("dtype") or tensors[0].dtype)
        result = func(*args, **kwargs)
        computed = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not on_gpu and not any(tensor.device == GPU for tensor in computed):
            return result
        if not func.is_view and name not in _NO_WORK:
            self.names[name] += 1
        by_mask = name == "index" and any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
        repeated = name == "repeat_interleave" and kwargs.get("output_size") is None
        # A single number goes along with the call.
        copied = any(tensor.device != GPU and tensor.dim() for tensor in tensors)
        if name in _SHAPED_BY_VALUES or by_mask or repeated or copied:
            self.synchronisations.append(name)
        return result
