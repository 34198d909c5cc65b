"""Named intermediates that rules have to look into: ``p = sigmoid(z)`` in ``log(1 - p)``."""

from __future__ import annotations

from matgrad.stabilising.growth import divides, grows
from matgrad.stabilising.length_forms import length_of
from matgrad.stabilising.log_forms import log_of
from matgrad.stabilising.rule import BEFORE
from matgrad.tensor.nodes import Apply, Map, Named, Node


@BEFORE.add(
    "intermediate",
    "log(p) with p = sigmoid(z) is log(sigmoid(z))",
    because="the definition of the intermediate",
    on=(Named,),
    examples=(("p = sigmoid(z); log(1 - p)", "z: vector(n)"), ("s = x'*x; x/sqrt(s)", "x: vector(n)")),
)
def intermediate(node: Node) -> Node | None:
    """The value, where it is a function, or made of exponentials or squares; other products stay what they are."""
    assert isinstance(node, Named)
    value = node.value
    if isinstance(value, Map | Named) or (isinstance(value, Apply) and value.function != "inv"):
        return value
    looked_into = grows(value) or divides(value) or length_of(value) is not None or log_of(value) is not None
    return value if looked_into else None
