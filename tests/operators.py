"""What a GPU would be asked to do, one operator after the other, without a GPU.

Tensors on PyTorch's device ``meta`` stand for those on a GPU: shapes and dtypes are real, nothing is computed. So a
count of operators, which is what small batches cost on a GPU, is a matter of milliseconds on any machine.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.fx.experimental import _config as shapes
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_WIDTHS = {"channels", "embed_dim", "num_heads", "out_channels", "class_num"}

GPU = torch.device("meta")
"""The device that stands for a GPU."""
# They take memory or look at it, and start nothing.
_NO_WORK = {"empty", "new_empty", "empty_like", "empty_strided", "_unsafe_view", "lift_fresh", "promote_types"}
# Their results' shapes depend on values, which the processor must know.
_SHAPED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal", "bincount"}


@contextmanager
def no_autocast() -> Iterator[None]:
    """What is on :data:`GPU` can be called in this block."""
    autocast = torch.autocast

    def autocast_elsewhere(kind, *arguments, **more):
        # PyTorch does not know it for this device, not even to switch it off.
        return nullcontext() if kind == GPU.type else autocast(kind, *arguments, **more)

    with patch.object(torch, "autocast", autocast_elsewhere):
        yield


@contextmanager
def stand_in() -> Iterator[None]:
    """Networks that are made in this block are on :data:`GPU`, and can be called there."""
    with no_autocast(), torch.device(GPU):
        yield


def structure(cfg: object, key: str = "") -> object:
    """What of a ``model_cfg`` decides which operators run: of widths, which are alike."""
    if isinstance(cfg, dict):
        return {name: structure(value, name) for name, value in cfg.items()}
    if isinstance(cfg, list):
        if key in _WIDTHS:
            return [cfg.index(value) for value in cfg]
        return [structure(value, key) for value in cfg]
    return bool(cfg) if key in _WIDTHS or isinstance(cfg, float) else cfg


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
        repeated = name == "repeat_interleave" and kwargs.get("output_size") is None
        if repeated and on_gpu:
            # As many as there are, each once: nobody knows how often.
            result = torch.empty_like(tensors[0])
        elif name == "_unique2" and on_gpu:
            result = tensors[0], *torch.empty_like(tensors[0], dtype=torch.int64).expand(2, -1)
        else:
            # Where a mask chooses, it chooses all.
            with patch.object(shapes, "meta_nonzero_assume_all_nonzero", True):
                result = func(*args, **kwargs)
        computed = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not on_gpu and not any(tensor.device == GPU for tensor in computed):
            return result
        if not func.is_view and name not in _NO_WORK:
            self.names[name] += 1
        by_mask = name == "index" and any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
        # A single number goes along with the call, and what lies in page-locked memory is fetched meanwhile.
        copied = any(tensor.device != GPU and tensor.dim() for tensor in tensors) and not kwargs.get("non_blocking")
        # A list of numbers that became a tensor there.
        copied |= name == "lift_fresh"
        if name in _SHAPED_BY_VALUES or by_mask or repeated or copied:
            self.synchronisations.append(name)
        return result
