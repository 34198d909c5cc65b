"""From nodes to source in a backend, and from source to a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from matgrad.codegen.emit import Body, Signature, Target
from matgrad.codegen.jax_target import Jax
from matgrad.codegen.numpy_target import NumPy
from matgrad.codegen.torch_target import Torch
from matgrad.planning.planner import Planner
from matgrad.planning.setting import Setting
from matgrad.planning.steps import Plan, Step
from matgrad.tensor.nodes import Node

TARGETS: dict[str, type[Target]] = {"numpy": NumPy, "jax": Jax, "torch": Torch}

Arrange = Callable[[Plan, Step], Step]
"""How the array of a node is laid out in the end."""


class Written(NamedTuple):
    """The source of a function; the names of its arguments in it, and of the sizes that it has to be given; whether
    the order of its products depends on the sizes; the arguments that it does not use."""

    source: str
    names: dict[str, str]
    sizes: dict[str, str]
    by_size: bool
    optional: Set[str]


def as_it_is(plan: Plan, step: Step) -> Step:
    """Axes of the output, then axes of the variable."""
    return step


def written(
    roots: Sequence[tuple[Node, Arrange]],
    signature: Signature,
    backend: str,
    sizes: Mapping[str, int],
    named: Mapping[str, Node],
    subgradient: bool = False,
) -> Written:
    """The source of a function that computes the roots, for these sizes, in the words of ``named``; see ``Setting``."""
    target = TARGETS[backend]()
    setting = Setting(sizes, Plan(target.blas, subgradient), target.differentiated, target.eager)
    planner = Planner(setting)
    steps = planner.outputs([node for node, _ in roots])
    planner.call(named)
    outputs = [arrange(setting.plan, step) for (_, arrange), step in zip(roots, steps, strict=True)]
    body = Body(setting.plan, outputs, signature, target)
    return Written(body.source(), body.names, body.unknown, setting.by_size, body.optional)


def as_function(source: str) -> Callable[..., Any]:
    """The last function that the source defines."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<matgrad>", "exec"), namespace)
    found: Callable[..., Any] = [f for f in namespace.values() if inspect.isfunction(f)][-1]
    return found
