"""A second device on a machine that has none: tensors that hold their numbers elsewhere.

`Far` tensors say that they are on `FAR` and are computed on the processor; what mixes them with
other tensors fails as it does between a processor and a GPU. (torch's `meta` lends its name, the
only device beside the processor that autograd needs no driver for.)
"""

from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from workbench import device, rng

aten = torch.ops.aten
FAR = torch.device("meta")
COPIES = (aten._to_copy, aten.copy_)
INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class Far(torch.Tensor):
    """A tensor on FAR; `here` has its numbers."""

    @staticmethod
    def __new__(cls, here):
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(),
            dtype=here.dtype, device=FAR,
        )  # fmt: skip
        made.here = here
        return made

    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None):
        if f is torch.Tensor.tolist:
            return args[0].detach().here.tolist()
        if f is torch.Tensor.numpy:
            raise TypeError(f"a tensor on {FAR} has no numpy array")
        if f is torch.Tensor.new_tensor:
            usual = {"dtype": args[0].dtype, **(kwargs or {}), "device": "cpu"}
            return torch.tensor(*args[1:], **usual).to(FAR)
        if f in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args = (args[0], _index(args[1]), *args[2:])
        with torch._C.DisableTorchFunctionSubclass():
            return f(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, f, types, args=(), kwargs=None):
        return computed(f, args, kwargs or {})


def _index(at):
    """Lists of numbers as tensors, which torch would make where no dispatch mode looks."""
    if isinstance(at, tuple):
        return tuple(_index(part) for part in at)
    if not isinstance(at, list):
        return at
    return torch.tensor(at, dtype=None if at else torch.long, device="cpu").to(FAR)


class Generator(torch.Generator):
    """Draws on FAR what the processor's own would draw."""

    device = FAR


class _Made(TorchFunctionMode):
    """`torch.tensor` is made below where a dispatch mode looks."""

    def __torch_function__(self, f, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if f in (torch.tensor, torch.as_tensor) and kwargs.get("device") == FAR:
            return f(*args, **{**kwargs, "device": "cpu"}).to(FAR)
        if f.__name__.startswith("_sobol_engine"):  # which sees the processor alone
            with torch._C._DisableTorchDispatch():
                return f(*args, **kwargs)
        return f(*args, **kwargs)


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, f, types, args=(), kwargs=None):
        return computed(f, args, kwargs or {})


def computed(f, args, kwargs):
    """An operation, on the processor, and what comes of it where it belongs."""
    packet = f.overloadpacket
    if packet in INDEXED and isinstance(args[0], Far):  # indices may be near
        at = [i if i is None or isinstance(i, Far) else Far(i) for i in args[1]]
        args = (args[0], at, *args[2:])
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    far = [t for t in tensors if isinstance(t, Far)]
    if packet not in COPIES and far and any(t.ndim for t in tensors if not isinstance(t, Far)):
        raise RuntimeError(f"{f}: tensors on two devices")
    where = kwargs.get("device")
    goes_far = bool(far) if where is None else torch.device(where) == FAR
    if where is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if torch.Tag.inplace_view in f.tags and far:  # it has a shape of its own
        with torch._C._DisableTorchDispatch():
            f(*args, **kwargs)
    near = tree_map(lambda t: t.here if isinstance(t, Far) else t, (args, kwargs))
    out = f(*near[0], **near[1])
    if f._schema.is_mutable and isinstance(out, torch.Tensor):
        return args[0]
    return tree_map(lambda t: Far(t) if goes_far and isinstance(t, torch.Tensor) else t, out)


@contextmanager
def far_away(monkeypatch):
    """Within it there is a second device."""
    near = rng.Rng.generator

    def generator(self, where=None):
        where = torch.get_default_device() if where is None else torch.device(where)
        seed = near(self, "cpu").initial_seed()
        return (Generator() if where == FAR else torch.Generator()).manual_seed(seed)

    monkeypatch.setattr(rng.Rng, "generator", generator)
    monkeypatch.setattr(device, "available", lambda: [device.CPU, FAR])
    with _Dispatched(), _Made():
        yield FAR
