"""From a clash of types to an error that says what, where, the two shapes, and what to try.

What is suggested comes from ``clash_hints``.
"""

from __future__ import annotations

from matgrad.errors import ShapeError
from matgrad.formula.clash_hints import Scene, alike, bracketed, flip_text, flipped, product_hints, repeated
from matgrad.formula.kinds import constant_value
from matgrad.formula.shapes import Clash
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Type
from matgrad.functions import card


def explain(clash: Clash, scene: Scene) -> ShapeError:
    """The error for a clash."""
    maker = {
        "add": _added, "product": _multiplied, "power": _raised, "call": _called, "index": _indexed,
        "stack": _stacked, "einsum": _contracted,
    }.get(clash.node.op)  # fmt: skip
    if maker is None:
        return _error(scene, clash.node, f"{scene.phrase(clash.left)} cannot be transposed", [], None)
    return maker(clash, scene)


def _error(scene: Scene, where: Expr, what: str, parts: list[tuple[str, Type, Expr]], hint: str | None,
           span: tuple[int, int] | None = None) -> ShapeError:  # fmt: skip
    rows = [f"{text}  {scene.kind(type)}{_origin(scene, node, where)}" for text, type, node in parts]
    details = "        ".join(rows) if sum(map(len, rows)) < 60 and len(rows) < 3 else "\n".join(rows)
    return ShapeError(what, source=scene.source, span=span or where.span, details=details or None, hint=hint)


def _origin(scene: Scene, node: Expr, where: Expr) -> str:
    """Why a name has its type: its declaration, or another place where it is used."""
    while node.op in ("neg", "transpose"):
        node = node.args[0]
    if node.op != "name":
        return ""
    if node.value in scene.declared:
        return f" ({node.value} is declared {scene.declared[node.value]})"
    for use in scene.uses.get(node.value, ()):
        if use is not where and use.span and id(use) in scene.shapes.types and use.op not in ("transpose", "neg"):
            return f" (as in {_short(scene.text(use))})"
    return ""


def _short(text: str, width: int = 48) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _prefix(scene: Scene, span: tuple[int, int]) -> str:
    text = " ".join(scene.source[span[0] : span[1]].split())
    return f"{text}: " if len(text) <= 60 else ""


def _operand(node: Expr) -> Expr:
    return node.args[0] if node.op == "neg" else node


def _left_text(clash: Clash, scene: Scene) -> str:
    """The left operand of the step: everything before it."""
    node = clash.node
    if clash.step == 1:
        return scene.text(_operand(node.args[0]))
    start, stop = (node.span or (0, 0))[0], (node.args[clash.step - 1].span or (0, 0))[1]
    return " ".join(scene.source[start : _closing(scene.source, start, stop)].split())


def _closing(source: str, start: int, stop: int) -> int:
    """The end of a piece of text, together with the brackets that it opens."""
    depth = 0
    for char in source[start:stop]:
        depth += (char in "([") - (char in ")]")
    while depth > 0 and stop < len(source):
        depth += (source[stop] in "([") - (source[stop] in ")]")
        stop += 1
    return stop


def _added(clash: Clash, scene: Scene) -> ShapeError:
    node = clash.node
    assert clash.right is not None and node.span is not None
    term = node.args[clash.step]
    right = _operand(term)
    left_text, right_text = _left_text(clash, scene), scene.text(right)
    sign = "-" if term.op == "neg" else "+"
    stop = _closing(scene.source, node.span[0], right.span[1]) if right.span else node.span[1]
    what = f"{_prefix(scene, (node.span[0], stop))}{scene.phrase(clash.left)} and {scene.phrase(clash.right)}"
    if {clash.left.kind, clash.right.kind} == {VECTOR, ROW} or clash.left.kind != clash.right.kind:
        what += " cannot be added"
    else:
        what += " cannot be added: their sizes differ"
    first = _operand(node.args[0]) if clash.step == 1 else node
    hints = []
    for flip_left, flip_right in ((False, True), (True, False)):
        a = flipped(clash.left) if flip_left else clash.left
        b = flipped(clash.right) if flip_right else clash.right
        if alike(scene, a, b):
            shown = flip_text(first, left_text) if flip_left else left_text
            hints.append(f"{shown} {sign} {flip_text(right, right_text) if flip_right else right_text}")
    spread = [repeated(scene, a, b, text) for a, b, text in
              ((clash.right, clash.left, left_text), (clash.left, clash.right, bracketed(right, scene)))]  # fmt: skip
    hints += [f"{spread[0] or left_text} {sign} {spread[1] or right_text}"] if any(spread) else []
    parts = [(left_text, clash.left, first), (right_text, clash.right, right)]
    return _error(scene, node, what, parts, hints[0] if hints else None, right.span)


def _multiplied(clash: Clash, scene: Scene) -> ShapeError:
    node = clash.node
    assert clash.right is not None and node.span is not None
    operator = node.value[clash.step - 1]
    right = node.args[clash.step]
    left_text, right_text = _left_text(clash, scene), bracketed(right, scene)
    if clash.step == 1:
        left_text = bracketed(node.args[0], scene)
    stop = _closing(scene.source, node.span[0], right.span[1]) if right.span else node.span[1]
    span = (node.span[0], stop)
    verb = {"/": "divided", "./": "divided entry by entry", ".*": "multiplied entry by entry"}.get(
        operator, "multiplied"
    )
    what = f"{_prefix(scene, span)}{scene.phrase(clash.left)} and {scene.phrase(clash.right)} cannot be {verb}"
    if operator == "/":
        what = f"{_prefix(scene, span)}nothing can be divided by {scene.phrase(clash.right)}"
    hints = list(product_hints(clash, scene, operator, left_text, right_text))
    parts = [(left_text, clash.left, node.args[0] if clash.step == 1 else node), (right_text, clash.right, right)]
    return _error(scene, node, what, parts, " or ".join(dict.fromkeys(hints[:3])) or None, span)


def _raised(clash: Clash, scene: Scene) -> ShapeError:
    node, base = clash.node, clash.left
    text, exponent = bracketed(node.args[0], scene), scene.text(node.args[1])
    parts = [(text, base, node.args[0])]
    if clash.right is not None and clash.right.kind != SCALAR:
        parts.append((exponent, clash.right, node.args[1]))
        what = "an exponent must be a scalar"
        if node.value == ".^":
            what = f"{scene.phrase(base)} and an exponent that is {scene.phrase(clash.right)} do not fit"
        hint = {ROW: f"{text}.^{exponent}"}.get(base.kind) if base.kind == clash.right.kind else None
        hint = hint or f"{text}.^{exponent}, entry by entry"
        return _error(scene, node, what, parts, hint if node.value == "^" else None)
    if base.kind in (VECTOR, ROW):
        square = constant_value(node.args[1]) == 2
        inner = f"{text}'*{text}" if base.kind == VECTOR else f"{text}*{text}'"
        hint = f"{text}.^{exponent}" + (f" (entry by entry), or {inner} (a scalar)" if square else ", entry by entry")
        return _error(scene, node, f"{_prefix(scene, node.span or (0, 0))}a vector has no powers", parts, hint)
    value = constant_value(node.args[1])
    if base.kind == MATRIX and value is not None and value.denominator != 1:
        hint = f"{text}.^{bracketed(node.args[1], scene)}, entry by entry"
        return _error(scene, node, "a matrix has only whole powers", parts, hint)
    return _error(
        scene,
        node,
        "only a square matrix has powers",
        parts,
        f"{text}'*{text}" if value == 2 else f"{text}.^{exponent}",
    )


_TAKES = {"ii": "a square matrix", "ij": "a matrix", "i": "a vector", "": "a scalar", "*": "anything"}


def _called(clash: Clash, scene: Scene) -> ShapeError:
    node = clash.node
    name, dim, _ = node.value
    parts = [(scene.text(arg), scene.shapes.types[id(arg)], arg) for arg in node.args]
    known = card(name)
    pairs = known is not None and any(text.startswith("*,*") for text in known.signatures.get(dim, ()))
    if len(node.args) == 2 and (pairs or known is None):
        what = f"{scene.phrase(parts[0][1])} and {scene.phrase(parts[1][1])} do not fit in {name}"
        return _error(scene, node, what, parts, f"{name}(x, y) of two equal shapes, or of a shape and a scalar")
    where = node.args[0] if node.args else node
    entries = known.signatures.get(dim, ()) if known is not None else ()
    takes = [_TAKES.get(text.split("->")[0], "a matrix") for text in entries]
    wanted = " or ".join(dict.fromkeys(t for t in takes if t != "a scalar" or len(takes) == 1)) or "something else"
    shown = f"{name}(…, dim={dim})" if dim else name
    what = f"{shown} takes {wanted}, not {scene.phrase(parts[0][1]) if parts else 'nothing'}"
    return _error(scene, node, what, parts, _call_hint(name, dim, parts, scene), where.span)


def _call_hint(name: str, dim: int | None, parts: list[tuple[str, Type, Expr]], scene: Scene) -> str | None:
    if not parts:
        return None
    text, type, node = parts[0]
    if type.kind == MATRIX and name in ("det", "logdet", "inv"):
        return f"{name}({bracketed(node, scene)}'*{bracketed(node, scene)})"
    if type.kind == MATRIX and name == "tr":
        return f"sum({text}), or the trace of a square matrix"
    if name == "length" and type.kind == MATRIX:
        return f"rows({text}) or cols({text})"
    if name in ("rows", "cols"):
        return f"length({text})" if type.kind in (VECTOR, ROW) else None
    if type.kind in (VECTOR, ROW):
        rest = "".join(f", {other}" for other, *_ in parts[1:])
        return f"{name}({text}), without dim" if dim else f"{name}(diag({text}){rest})"
    return None


def _indexed(clash: Clash, scene: Scene) -> ShapeError:
    node, base = clash.node, clash.left
    text = scene.text(node.args[0])
    count = len(node.value)
    if base.kind == SCALAR:
        what, hint = f"{text} is a scalar and has no entries", f"{text}, without an index"
    elif len(base.dims) != count:
        what = (
            f"{scene.phrase(base)} takes {len(base.dims)} {'index' if len(base.dims) == 1 else 'indices'}, not {count}"
        )
        hint = f"{text}[1]" if len(base.dims) == 1 else f"{text}[1,2], or {text}[1,:] for a row"
    else:
        what, hint = f"the index goes beyond the end of {text}", "an index within its size"
    return _error(scene, node, what, [(text, base, node.args[0])], hint)


def _stacked(clash: Clash, scene: Scene) -> ShapeError:
    node = clash.node
    assert clash.right is not None
    right = node.args[clash.step]
    starts = [sum(node.value[:row]) for row in range(len(node.value))]
    new_row = clash.step in starts
    how = "stacked on one another" if new_row else "put side by side"
    what = f"{scene.phrase(clash.left)} and {scene.phrase(clash.right)} cannot be {how}"
    before = node.args[clash.step - 1] if not new_row else node.args[starts[starts.index(clash.step) - 1]]
    parts = [(scene.text(before), clash.left, before), (scene.text(right), clash.right, right)]
    hint = "blocks with as many columns" if new_row else "blocks with as many rows"
    return _error(scene, node, what, parts, hint, right.span)


def _contracted(clash: Clash, scene: Scene) -> ShapeError:
    node = clash.node
    operand, letters = node.args[clash.step], node.value.partition("->")[0].split(",")[clash.step]
    what = f"{scene.phrase(clash.left)} does not fit the letters '{letters}'"
    if len(letters) == len(clash.left.dims):
        what += ": one letter would stand for two sizes"
    return _error(scene, node, what, [(scene.text(operand), clash.left, operand)], None, operand.span)
