"""The frozen triple (D, M, C)."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.device import CPU, device_of, on
from workbench.distributions import Distribution, Driven, Sequences
from workbench.errors import BadInput, Unsupported, WorkbenchError
from workbench.graph import Graph
from workbench.html import facts, power, prose
from workbench.math.checks import check_at_rest, known
from workbench.math.logspace import LN10
from workbench.models import Headed
from workbench.numbers import places, several
from workbench.problem import portions
from workbench.specs import Joined, Spec, heads_of, join

if TYPE_CHECKING:
    from workbench.problem.card import Card

_FEW = 16
"""Inputs at once of which no M keeps too much."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A reference value of log10 P, exact where `se_log10` is 0.

    `gradients` holds reference values of d log P by parameter name: "noise_mean" is the gradient in
    the mean of the standardised noise, E[z | C]; others are in the parameter of that name.

    Raises:
        BadInput: for a log10 P above 0, an error below 0, or NaN.
    """

    log10_p: float
    se_log10: float
    method: str
    provenance: dict[str, Any] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            fine = self.log10_p <= 0.0 <= self.se_log10  # false of NaN
        except TypeError:
            fine = False
        if not fine:
            raise BadInput(
                "a truth is log10 P, at most 0, and its standard error, at least 0: got "
                f"{self.log10_p!r} and {self.se_log10!r}"
            )

    @property
    def log_p(self) -> float:
        """log P in nats."""
        return self.log10_p * LN10


@dataclass(frozen=True, eq=False)
class Problem:
    """How likely is C(x, M(x)) for x ~ D?

    Args:
        distribution: D.
        model: M, any module (or callable) from `(batch, d)` to `(batch, k)`.
        spec: C. Where it holds networks of its own (`Trusted`, `Probe`), M and they become one
            model, and C a spec on all their outputs; `stated` has the two as they were given.
        name: what tables call it.
        about: one or two sentences for a reader.
        truth: a reference value, if one is known.

    Raises:
        BadInput: where the three do not fit together, or M is in training mode and its dropout or
            its norms would make another network of it at every call.
    """

    distribution: Distribution
    model: nn.Module
    spec: Spec
    name: str = "unnamed"
    about: str = ""
    truth: Truth | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        if isinstance(self.model, nn.Module):
            check_at_rest("the model", self.model)
        with on(self):
            self._check()

    def _check_kinds(self) -> None:
        for what, given, kind, such in (
            ("D", self.distribution, Distribution, "wb.Gaussian(mean, scale)"),
            ("C", self.spec, Spec, "wb.Argmax(label)"),
        ):
            if not isinstance(given, kind):
                raise BadInput(
                    f"a problem is Problem(D, M, C), and its {what} a {kind.__name__} of the "
                    f"workbench, such as {such}; got a {type(given).__name__}"
                )
        if self.distribution.dtype in (torch.float16, torch.bfloat16):
            raise BadInput(
                f"D is in {self.distribution.dtype}: float32 or float64 is needed, of D, M and C"
            )

    def _check(self) -> None:
        self.spec.check(self.outputs)
        d, dtype = self.distribution.dim, self.distribution.dtype
        if list(heads_of(self.spec)):
            self._bind()
        x = torch.zeros(2, d, dtype=dtype)
        try:
            with torch.no_grad():
                s = self.spec.margin(x, self.model(x))
        except Exception as error:  # any failure of the user's own margin
            raise BadInput(
                f"the margin of the spec {self.spec.name!r} fails on two inputs "
                f"({_first_line(error)}); D is in {dtype}, and M and C must be too"
            ) from error
        _check_margin(s, 2)
        if bool(s.isnan().any()):
            self._name_broken_weights()

    def _name_broken_weights(self) -> None:
        """Raises `BadInput` where weights of M are the reason why its margins are NaN."""
        held = self.model.named_parameters() if isinstance(self.model, nn.Module) else ()
        broken = [name for name, p in held if not bool(torch.isfinite(p).all())]
        if broken:
            raise BadInput(f"the weights {', '.join(broken)} of the model hold NaN or infinity")

    def _bind(self) -> None:
        """M and the heads of C as one model."""
        d, dtype = self.distribution.dim, self.distribution.dtype
        heads = [(head.source, head.network) for head in heads_of(self.spec)]
        try:
            model = Headed(self.model, heads, d, dtype)
        except WorkbenchError:
            raise
        except Exception as error:  # any failure of the user's own network
            raise BadInput(
                f"a network of the spec {self.spec.name!r} fails on what it is to read "
                f"({_first_line(error)})"
            ) from error
        self.__dict__.pop("outputs", None)
        object.__setattr__(self, "spec", join(self.spec, model.stops))
        object.__setattr__(self, "model", model)
        self.spec.check(self.outputs)

    @property
    def stated(self) -> tuple[nn.Module, Spec]:
        """M and C as they were given, before networks of C were joined to M."""
        if isinstance(self.spec, Joined) and isinstance(self.model, Headed):
            return self.model.model, self.spec.stated
        return self.model, self.spec

    @cached_property
    def outputs(self) -> int:
        """Number of outputs of M, found by a forward pass of two zero inputs."""
        d, dtype = self.distribution.dim, self.distribution.dtype
        try:
            with torch.no_grad():
                y = self.model(torch.zeros(2, d, dtype=dtype, device=self.device))
        except Exception as error:  # any failure of the user's own forward
            raise BadInput(
                f"the model fails on a batch of {d} numbers of {dtype} ({_first_line(error)}); "
                "its input width and dtype must be those of the distribution"
            ) from error
        if not isinstance(y, Tensor) or y.ndim != 2 or y.shape[0] != 2:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise BadInput(f"the model must map (batch, {d}) to (batch, k); (2, {d}) gave {got}")
        return y.shape[1]

    @cached_property
    def device(self) -> torch.device:
        """Where the tensors of D are, and with them those of M and C."""
        return device_of(self.distribution) or device_of(self.model) or CPU

    @property
    def dtype(self) -> torch.dtype:
        """What M computes in: the dtype of x, or of M's weights where x are token ids."""
        if self.distribution.dtype.is_floating_point:
            return self.distribution.dtype
        own = ()
        if isinstance(self.model, nn.Module):
            own = chain(self.model.parameters(), self.model.buffers())
        floats = (p.dtype for p in own if p.is_floating_point())
        return next(floats, torch.get_default_dtype())

    @cached_property
    def graph(self) -> Graph:
        """M as known operations. Raises `Unsupported` where it holds another."""
        with on(self):
            try:
                graph = graphs.read(self.model, self.distribution.dim)
                graph.widths(self.distribution.dim)
            except BadInput as error:  # of a model that was tried: what is amiss is the reading
                raise Unsupported(
                    f"a model in which {error}", "the weights cannot be read in this form"
                ) from None
            self._check_reading(graph)
        return graph

    @cached_property
    def readable(self) -> bool:
        """Whether M is made of known operations; asked once."""
        try:
            return bool(self.graph.nodes)
        except Unsupported:
            return False

    @torch.no_grad()
    def _check_reading(self, graph: Graph) -> None:
        """In-place steps, hooks and the like escape a reader of code, but not a trial."""
        d, dtype = self.distribution.dim, self.distribution.dtype
        trial = torch.Generator().manual_seed(0)
        x = torch.randn(16, d, generator=trial, dtype=torch.float64, device="cpu")
        x = x.to(self.device, dtype)
        read = graphs.activations_of(graph, x)[-1]
        tolerance = 1e3 * torch.finfo(dtype).eps * max(1.0, float(read.abs().max()))
        if not torch.allclose(self.model(x.clone()), read, tolerance, tolerance, equal_nan=True):
            raise Unsupported(
                f"{type(self.model).__name__} computes something else than the operations in it",
                "a model without hooks and without in-place steps on values still in use is needed",
            )

    @cached_property
    def flops_per_forward(self) -> float:
        """Operations of one forward pass; two per parameter where M cannot be read."""
        try:
            return self.graph.forward_flops(self.distribution.dim)
        except Unsupported:
            if not isinstance(self.model, nn.Module):
                return 0.0
            return 2.0 * sum(p.numel() for p in self.model.parameters())

    def answers(self, x: Tensor) -> Tensor:
        """M(x) for a batch `(batch, d)`, `(batch, k)`; a large one in portions, to save memory."""
        if len(x) <= _FEW or not isinstance(self.model, nn.Module):
            return self.model(x)
        return portions.run(self.model, x, self._kept)

    @cached_property
    def _kept(self) -> int:
        """Bytes that M keeps of one input."""
        d = self.distribution
        return portions.kept(self.model, torch.zeros(2, d.dim, dtype=d.dtype, device=self.device))

    def margin(self, x: Tensor) -> Tensor:
        """s(x, M(x)) for a batch `(batch, d)`; C holds where it is positive. NaN is an error."""
        return self.judge(x, self.answers(x))

    def judge(self, x: Tensor, y: Tensor) -> Tensor:
        """s(x, y) where the outputs y `(batch, k)` are known already. NaN is an error."""
        s = self.spec.margin(x, y)
        _check_margin(s, len(x))
        return known(s)

    def margin_of_noise(self, z: Tensor) -> Tensor:
        """s(G(z), M(G(z))) for noise z, the batch along its first axis."""
        assert isinstance(self.distribution, Driven)
        if not len(z):  # networks that reshape do not take empty batches
            return torch.zeros(0, dtype=self.distribution.dtype, device=z.device)
        return self.margin(self.distribution.push(z))

    def vary(self, distribution: Distribution | None = None, spec: Spec | None = None) -> "Problem":
        """The same model under another D or C. The truth does not carry over."""
        kept = spec is None or isinstance(spec, Joined)
        new = replace(
            self,
            distribution=self.distribution if distribution is None else distribution,
            model=self.model if kept else self.stated[0],
            spec=self.spec if spec is None else spec,
            truth=None,
        )
        same = new.model is self.model and new.distribution.dim == self.distribution.dim
        if same and "graph" in self.__dict__:
            new.__dict__["graph"] = self.graph
        return new

    def to(
        self, dtype: torch.dtype | None = None, device: str | torch.device | None = None
    ) -> "Problem":
        """The same problem in torch.float32 or torch.float64, or on another device; M is copied.

        Estimators then make their tensors, and draw their numbers, on that device. Draws are the
        same from one run to the next, and others than those of another device.

        Single precision is faster and as good as any sampling error: what rounding does to P is
        measured by `workbench bench precision`. The truth is carried over, being of the problem as
        it was.

        Raises:
            BadInput: on another dtype, a device that is not there, or where D, M or C hold numbers
                that do not go along.

        >>> import torch, workbench as wb
        >>> wb.load("A_d10_1e-6").to(torch.float32).distribution.dtype
        torch.float32
        """
        from workbench.problem.precision import converted

        return converted(self, dtype, device)

    @property
    def card(self) -> "Card":
        """What `save` would write, without the tensors."""
        from workbench.problem.codec import encode

        return encode(self)[0]

    def save(self, folder: str | Path) -> Path:
        """Write `<name>.json` and `<name>.safetensors` into `folder`; returns the card's path.

        To a path that ends in .zip the two are written as one file, which every command and the
        app open too: `problem.save("mine.zip")`.
        """
        from workbench.problem.codec import save

        return save(self, Path(folder))

    @staticmethod
    def load(path: str | Path) -> "Problem":
        """Read a card: its JSON or YAML file, or a folder or a zip that holds one.

        Nothing is unpickled or run.

        Raises:
            BadInput: for each way in which a card or its tensors can be wrong.
        """
        from workbench.problem.codec import load

        return load(Path(path))

    def __repr__(self) -> str:
        known = "" if self.truth is None else f", truth 10^{self.truth.log10_p:.2f}"
        d = self.distribution
        where = f"{d.dim} of {d.alphabet}" if isinstance(d, Sequences) else f"in R^{d.dim}"
        return (
            f"Problem({self.name}: {d.name} {where}, "
            f"{type(self.model).__name__} to R^{self.outputs}, {self.spec.name}{known})"
        )

    def _repr_html_(self) -> str:
        D, M, C = self.distribution, self.model, self.spec
        lines = [
            ("D", f"{escape(D.name)} in {several(D.dim, 'dimension')}"),
            ("M", f"{escape(type(M).__name__)} to {several(self.outputs, 'output')}"),
            ("C", escape(C.name)),
        ]
        if self.truth is not None:
            value = power(self.truth.log10_p, places(self.truth.se_log10))
            error = f" ± {self.truth.se_log10:.1g} digits" if self.truth.se_log10 > 0 else ""
            lines.append(("P", f"{value}{error}, by {prose(self.truth.method)}"))
        about = f"<div>{prose(self.about)}</div>" if self.about else ""
        return facts(escape(self.name), lines) + about


def _check_margin(s: Tensor, n: int) -> None:
    """One number an input, or a hit would be counted that no input stands for."""
    if not isinstance(s, Tensor) or s.shape != (n,):
        got = tuple(s.shape) if isinstance(s, Tensor) else type(s).__name__
        raise BadInput(f"the margin of {n} inputs must have shape ({n},), got {got}")
    if not s.is_floating_point():
        raise BadInput(
            "a margin must be floating-point numbers, positive where C holds (the greater, the "
            f"further inside), got {s.dtype}"
        )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else repr(error)
