"""Who computes a problem: matgrad's code, code written by hand, and the derivatives of JAX, PyTorch and autograd."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import matgrad
from benchmarks.measure import Task
from benchmarks.problems.dialects import autograd_dialect, jax_dialect, torch_dialect
from benchmarks.problems.problem import AUTOGRAD, JAX, TORCH, UNJITTED, Arrays, Problem

MATGRAD, BY_HAND, PEER = "matgrad", "by hand", "peer"
LIBRARIES = ("numpy", JAX, TORCH, AUTOGRAD)


@dataclass(frozen=True)
class Competitor:
    """A task that is ready to be called; ``library`` is that of its arrays, UNJITTED that of JAX without jit."""

    name: str
    kind: str
    library: str
    task: Task


def installed(library: str) -> bool:
    try:
        importlib.import_module(library)
    except ImportError:
        return False
    return True


def numbers(result: Any) -> list[np.ndarray]:
    """The arrays of a result, whatever they are nested in, in order."""
    if isinstance(result, tuple | list):
        return [array for part in result for array in numbers(part)]
    return [np.asarray(result)]


def competitors(problem: Problem, arrays: Arrays, libraries: Sequence[str] = LIBRARIES) -> Iterator[tuple[str, Any]]:
    """Names, each with a function that makes the Competitor, or raises what keeps it from taking part."""
    for library in libraries:
        if library != AUTOGRAD:
            yield f"matgrad {library}", lambda library=library: _ours(problem, arrays, library)
        if library in problem.by_hand:
            yield f"by hand {library}", lambda library=library: _by_hand(problem, arrays, library)
        for name, make in _PEERS.get(library, {}).items():
            for loss in problem.losses if problem.ask in name.ask else ():
                label = name.label if len(problem.losses) == 1 else f"{name.label}, {loss.__name__}"
                if name.library == UNJITTED and not problem.numpy_in_and_out:
                    continue
                yield (
                    label,
                    lambda n=name, label=label, make=make, loss=loss: _peer(
                        problem, arrays, n.library, label, make(problem, loss)
                    ),
                )


def derivatives(problem: Problem) -> Any:
    """What matgrad is asked for, as the items of ``compile``: one, or several in the order of the variables."""
    where = problem.where or None
    only = problem.wrt[0]
    if problem.ask == "product":
        return matgrad.hessian(problem.formula, only, where=where).matvec
    ask = {"gradient": matgrad.gradient, "hessian": matgrad.hessian, "jacobian": matgrad.jacobian}[problem.ask]
    found = ask(problem.formula, only if len(problem.wrt) == 1 else list(problem.wrt), where=where)
    return found if len(problem.wrt) == 1 else tuple(found.values())


def _ours(problem: Problem, arrays: Arrays, library: str) -> Competitor:
    items = derivatives(problem)
    function = matgrad.compile(items, backend=library)
    if problem.ask == "product":
        arrays = {items.direction if name == "v" else name: array for name, array in arrays.items()}
    if library == JAX:
        import jax

        function = jax.jit(function)
    return Competitor(f"matgrad {library}", MATGRAD, library, _task(problem, function, arrays, library))


def _by_hand(problem: Problem, arrays: Arrays, library: str) -> Competitor:
    function = problem.by_hand[library]
    if library == JAX:
        import jax

        function = jax.jit(function)
    return Competitor(f"by hand {library}", BY_HAND, library, _task(problem, function, arrays, library))


def _peer(problem: Problem, arrays: Arrays, library: str, label: str, function: Callable[..., Any]) -> Competitor:
    return Competitor(label, PEER, library, _task(problem, function, arrays, library))


def _task(problem: Problem, function: Callable[..., Any], arrays: Arrays, library: str) -> Task:
    """A call on arrays of the library, which are made beforehand, unless NumPy in and out is asked for."""
    if problem.numpy_in_and_out:
        if library == TORCH:
            import torch

            return lambda: function(**{k: torch.from_numpy(v) for k, v in arrays.items()}).numpy()
        return lambda: np.asarray(function(**arrays))
    if library == JAX:
        import jax

        ours = {name: jax.numpy.asarray(array, dtype=float) for name, array in arrays.items()}
        return lambda: jax.block_until_ready(function(**ours))
    if library == TORCH:
        import torch

        theirs = {name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()}
        return lambda: function(**theirs)
    return lambda: function(**arrays)


@dataclass(frozen=True)
class _Name:
    label: str
    library: str
    ask: frozenset[str]


_Maker = Callable[[Problem, Callable[..., Any]], Callable[..., Any]]
_PEERS: dict[str, dict[_Name, _Maker]] = {JAX: {}, TORCH: {}, AUTOGRAD: {}}


def _of(label: str, *ask: str, library: str | None = None) -> Callable[[_Maker], _Maker]:
    home = label.split(".", maxsplit=1)[0]

    def add(maker: _Maker) -> _Maker:
        _PEERS[home][_Name(label, library or home, frozenset(ask))] = maker
        return maker

    return add


def _in_variables(loss: Callable[..., Any], dialect: Any, problem: Problem) -> Callable[..., Any]:
    """The loss with the variables as its positional arguments."""
    return lambda *values, rest: loss(dialect, **dict(zip(problem.wrt, values, strict=True)), **rest)


def _by_name(problem: Problem, derivative: Callable[..., Any]) -> Callable[..., Any]:
    """A derivative in the variables as positional arguments, as a function of all arrays by name."""

    def function(**arrays: Any) -> Any:
        values = [arrays.pop(name) for name in problem.wrt]
        direction = [arrays.pop("v")] if problem.ask == "product" else []
        return derivative(*values, *direction, rest=arrays)

    return function


def _argnums(problem: Problem) -> Any:
    return 0 if len(problem.wrt) == 1 else tuple(range(len(problem.wrt)))


def _with_jax(transform: Callable[[Any, Callable[..., Any], Any], Callable[..., Any]], *, jit: bool = True) -> _Maker:
    def maker(problem: Problem, loss: Callable[..., Any]) -> Callable[..., Any]:
        import jax

        function = _by_name(problem, transform(jax, _in_variables(loss, jax_dialect(), problem), _argnums(problem)))
        return jax.jit(function) if jit else function

    return maker


def _with_torch(transform: Callable[[Any, Callable[..., Any], Any], Callable[..., Any]]) -> _Maker:
    def maker(problem: Problem, loss: Callable[..., Any]) -> Callable[..., Any]:
        import torch

        function, argnums = _in_variables(loss, torch_dialect(), problem), _argnums(problem)

        def derivative(*values: Any, rest: Any) -> Any:  # torch.func passes no keywords on
            return transform(torch, lambda *xs: function(*xs, rest=rest), argnums)(*values)

        return _by_name(problem, derivative)

    return maker


def _with_autograd(transform: Callable[[Any, Callable[..., Any], Any], Callable[..., Any]]) -> _Maker:
    def maker(problem: Problem, loss: Callable[..., Any]) -> Callable[..., Any]:
        import autograd

        function = _in_variables(loss, autograd_dialect(), problem)
        return _by_name(problem, transform(autograd, function, _argnums(problem)))

    return maker


def _jvp_of_grad(jvp: Any, grad: Any, f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, v, **rest: jvp(lambda x: grad(f)(x, **rest), (x,), (v,))[1]


def _grad_of_product(grad: Any, f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, v, **rest: grad(lambda x: (grad(f)(x, **rest) * v).sum())(x)


_of("jax.grad", "gradient")(_with_jax(lambda jax, f, k: jax.grad(f, k)))
_of("jax.grad, not jitted", "gradient", library=UNJITTED)(_with_jax(lambda jax, f, k: jax.grad(f, k), jit=False))
_of("jax.hessian", "hessian")(_with_jax(lambda jax, f, k: jax.hessian(f, k)))
_of("jax.jacrev(grad)", "hessian")(_with_jax(lambda jax, f, k: jax.jacrev(jax.grad(f, k), k)))
_of("jax.jacfwd", "jacobian")(_with_jax(lambda jax, f, k: jax.jacfwd(f, k)))
_of("jax.jacrev", "jacobian")(_with_jax(lambda jax, f, k: jax.jacrev(f, k)))
_of("jax.jvp(grad)", "product")(_with_jax(lambda jax, f, k: _jvp_of_grad(jax.jvp, jax.grad, f)))
_of("jax.grad(grad·v)", "product")(_with_jax(lambda jax, f, k: _grad_of_product(jax.grad, f)))

_of("torch.func.grad", "gradient")(_with_torch(lambda torch, f, k: torch.func.grad(f, k)))
_of("torch.func.hessian", "hessian")(_with_torch(lambda torch, f, k: torch.func.hessian(f, k)))
_of("torch.func.jacrev(grad)", "hessian")(_with_torch(lambda t, f, k: t.func.jacrev(t.func.grad(f, k), k)))
_of("torch.func.jacfwd", "jacobian")(_with_torch(lambda torch, f, k: torch.func.jacfwd(f, k)))
_of("torch.func.jacrev", "jacobian")(_with_torch(lambda torch, f, k: torch.func.jacrev(f, k)))
_of("torch.func.jvp(grad)", "product")(_with_torch(lambda t, f, k: _jvp_of_grad(t.func.jvp, t.func.grad, f)))


@_of("torch.autograd.grad", "gradient")
@_with_torch
def _torch_backward(torch: Any, f: Callable[..., Any], argnums: Any) -> Callable[..., Any]:
    def gradient(*values: Any) -> Any:
        leaves = [value.detach().requires_grad_() for value in values]
        found = torch.autograd.grad(f(*leaves), leaves)
        return found[0] if len(found) == 1 else found

    return gradient


_of("autograd.grad", "gradient")(_with_autograd(lambda ag, f, k: ag.grad(f, k)))
_of("autograd.jacobian", "jacobian")(_with_autograd(lambda ag, f, k: ag.jacobian(f)))
_of("autograd.hessian_vector_product", "product")(
    _with_autograd(lambda ag, f, k: lambda x, v, rest: ag.hessian_vector_product(lambda x: f(x, rest=rest))(x, v))
)


@_of("autograd.hessian", "hessian")
@_with_autograd
def _autograd_hessian(autograd: Any, f: Callable[..., Any], argnums: Any) -> Callable[..., Any]:
    """Of one vector that holds all variables; ``blocks`` are cut out of it as the others give them."""
    import autograd.numpy as anp

    def hessian(*values: Any, rest: Any) -> Any:
        shapes = [np.shape(value) for value in values]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        cuts = list(zip([0, *ends[:-1]], ends, shapes, strict=True))

        def packed(vector: Any) -> Any:
            return f(*(anp.reshape(vector[i:j], shape) for i, j, shape in cuts), rest=rest)

        whole = autograd.hessian(packed)(np.concatenate([np.ravel(value) for value in values]))
        return [whole[i:j, k:m].reshape(s + t) for i, j, s in cuts for k, m, t in cuts]

    return hessian
