"""One exception family: every error says what, where, why, and what to try."""

from __future__ import annotations


class MatgradError(Exception):
    """Base of every error that matgrad raises on purpose.

    ``message`` says what is wrong in one line; ``source`` and ``span`` point at the smallest wrong
    part; ``details`` shows what clashes; ``hint`` says what to try.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        span: tuple[int, int] | None = None,
        details: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span
        self.details = details
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.source is not None and self.span is not None:
            lines += _caret(self.source, self.span)
        if self.details:
            lines += ["    " + line for line in self.details.splitlines()]
        if self.hint:
            lines.append(f"    try  {self.hint}")
        return "\n".join(lines)

    def __reduce__(self):  # type: ignore[no-untyped-def]
        state = {"source": self.source, "span": self.span, "details": self.details, "hint": self.hint}
        return (type(self), (self.message,), state)

    def located(self, source: str) -> MatgradError:
        """Fill in the source text, for errors raised where only the span was known."""
        if self.source is None:
            self.source = source
        return self


def _caret(source: str, span: tuple[int, int], width: int = 76) -> list[str]:
    """The source line that holds the span, and carets under it; long lines are cut around it."""
    start, stop = span
    begin = source.rfind("\n", 0, start) + 1
    end = source.find("\n", start)
    line = source[begin : end if end >= 0 else len(source)]
    if not line.strip():
        return []  # a caret under nothing helps nobody
    first, last = start - begin, min(max(stop, start + 1), begin + len(line) + 1) - begin
    if len(line) > width:
        cut = max(0, min(first - width // 3, len(line) - width))
        line = ("…" if cut else "") + line[cut : cut + width] + ("…" if cut + width < len(line) else "")
        shift = cut - (1 if cut else 0)
        first, last = first - shift, min(last - shift, len(line))
    return ["    " + line.replace("\t", " "), "    " + " " * first + "^" * max(1, last - first)]


class FormulaError(MatgradError):
    """The text is not a formula: brackets, tokens, limits."""


class UnknownName(MatgradError):
    """A function or variable that is neither known nor declared."""


class ShapeError(MatgradError):
    """Kinds or dimensions that clash."""


class DeclarationError(MatgradError):
    """A declaration that cannot be read, or that contradicts the formula."""


class NotSupported(MatgradError):
    """Something that matgrad does not do (yet), with what to use instead."""


class NotScalar(MatgradError):
    """A gradient or Hessian was asked of something that is not a scalar."""


class DataError(MatgradError):
    """Arrays of the wrong name, shape or type at evaluation."""
