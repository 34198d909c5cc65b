r"""What LaTeX commands mean: spaces, fonts, accents, operators, functions, and what is refused and why."""

from __future__ import annotations

import re

from matgrad.functions import card
from matgrad.latex_input.names import BOLD, PLAIN, ROMAN, SCRIPT

SKIP = {
    ",", "!", ";", ":", ">", " ", "displaystyle", "textstyle", "left", "right", "big", "Big", "bigg", "Bigg", "bigl",
    "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr", "bigm", "middle", "mleft", "mright", "limits",
    "nolimits", "nonumber", "notag", "thinspace", "negthinspace", "mathstrut", "strut", "/", "scriptstyle",
    "medspace", "thickspace", "enspace", "mathopen", "mathclose", "mathord", "mathinner", "mathbin", "mathrel",
}  # fmt: skip
STYLES = {
    "mathbf": BOLD, "boldsymbol": BOLD, "bm": BOLD, "pmb": BOLD, "symbf": BOLD, "textbf": BOLD, "vec": BOLD,
    "bold": BOLD, "mathbfit": BOLD, "mathcal": SCRIPT, "mathscr": SCRIPT, "mathfrak": SCRIPT, "mathrm": ROMAN,
    "mathit": ROMAN, "mathsf": ROMAN, "text": ROMAN, "textrm": ROMAN, "textit": ROMAN, "operatorname": ROMAN,
    "mathop": ROMAN, "mathnormal": PLAIN, "rm": ROMAN, "mathbb": "board", "mathds": "board", "mathbbm": "board",
}  # fmt: skip
ACCENTS = {
    "hat": "hat", "widehat": "hat", "bar": "bar", "overline": "bar", "tilde": "tilde", "widetilde": "tilde",
    "dot": "dot", "ddot": "ddot", "check": "check", "breve": "breve", "acute": "acute", "grave": "grave",
    "mathring": "ring", "underline": "underline",
}  # fmt: skip
OPERATORS = {
    "cdot": "·", "times": "×", "ast": "*", "odot": ".*", "circ": ".*", "otimes": "⊗", "oslash": "./", "div": "/",
}  # fmt: skip
BARS = {"lvert": ("BAR", "L"), "rvert": ("BAR", "R"), "vert": ("BAR", None), "lVert": ("NORM", "L"),
        "rVert": ("NORM", "R"), "Vert": ("NORM", None), "|": ("NORM", None)}  # fmt: skip
BRACKETS = {
    "(": ")", "[": "]", "lbrace": "rbrace", "lbrack": "rbrack", "{": "}", "lparen": "rparen",
}  # fmt: skip
CLOSING = {close: opening for opening, close in BRACKETS.items()}
FUNCTIONS = {
    "ln": "log", "Tr": "tr", "trace": "tr", "Trace": "tr", "Diag": "diag", "Vec": "vec", "sgn": "sign",
    "sign": "sign", "lse": "logsumexp", "expit": "sigmoid", "logistic": "sigmoid", "ReLU": "relu", "arctan": "arctan",
    "tg": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "arsinh": "arcsinh", "arcosh": "arccosh", "artanh": "arctanh",
    "swish": "silu", "SiLU": "silu", "Det": "det", "KL": "", "norm": "",
    "GELU": "gelu", "Softmax": "softmax", "LSE": "logsumexp", "Sigmoid": "sigmoid", "avg": "mean", "adjugate": "adj",
    "Adj": "adj", "atan2": "arctan2",
}  # fmt: skip
GREEK_FUNCTIONS = {
    "sigma": "sigmoid", "Phi": "normcdf", "varphi": "normpdf", "Gamma": "gamma", "psi": "digamma",
}  # fmt: skip
NUMBERED = {"psi": "polygamma"}
r"""Those whose derivatives have a number: ``\psi'(x)``, ``\psi^{(1)}(x)``, ``\psi_{1}(x)``."""
REFUSED = {
    "int": "an integral", "lim": "a limit", "sup": "a supremum",
    "inf": "an infimum", "infty": "infinity", "cup": "a union", "cap": "an intersection", "in": "membership",
    "leq": "a comparison", "le": "a comparison", "geq": "a comparison", "ge": "a comparison", "neq": "a comparison",
    "approx": "≈", "sim": "a distribution", "forall": "a quantifier", "exists": "a quantifier",
    "partial": "∂ inside a formula", "nabla": "∇ inside a formula", "mid": "a condition", "given": "a condition",
    "to": "an arrow", "rightarrow": "an arrow", "binom": "a binomial", "imaginaryI": "a complex number",
    "placeholder": "an empty box", "pm": "±", "mp": "∓", "cdots": "dots", "ldots": "dots", "dots": "dots",
    "vdots": "dots", "ddots": "dots", "bigoplus": "a direct sum", "oplus": "a direct sum", "star": "⋆", "propto": "∝",
    "equiv": "≡", "iint": "an integral", "oint": "an integral",
    "mathbb": "a blackboard letter", "arg": "an optimisation problem", "iff": "an equivalence",
    "implies": "an implication",
}  # fmt: skip
HINTS = {
    "mid": "the right side alone",
    "nabla": r"\nabla_{x} in front of the formula, with its variable", "neq": r"x > 0, x \le 0, or \text{otherwise}",
    "arg": "the objective alone", "infty": "a number",
}  # fmt: skip
MATRICES = {
    "matrix", "pmatrix", "bmatrix", "smallmatrix", "Bmatrix", "array", "psmallmatrix", "bsmallmatrix",
}  # fmt: skip
TRANSPOSES = {
    "T", r"\top", r"\intercal", r"\mathsf{T}", r"\mathsfT", r"\mathrm{T}", r"\mathrmT", r"\text{T}", r"\rmT", r"\sfT",
    r"\mathtt{T}", r"\tran", r"\transp", "⊤", "ᵀ", r"\textrm{T}", r"\mathit{T}", r"\mathbf{T}", r"\textsf{T}",
    r"\mathpalette", r"\prime", "'", r"\trans", r"\transpose", r"\operatorname{T}",
}  # fmt: skip
STARS = {
    "*": "a conjugate transpose", "H": "a conjugate transpose", r"\dagger": "a conjugate transpose or pseudo-inverse",
    r"\ast": "a conjugate transpose", "+": "a pseudo-inverse", r"\star": "an optimum",
}  # fmt: skip
ENDS_OPERAND = {
    "NAME", "NUMBER", "RPAR", "RBRACE", "RBAR", "RNORM", "RANGLE", "TICK", "INVT", "END", "CONSTANT", "INDEX", "ONES",
}  # fmt: skip
COMPARISONS = {
    "<": "<", ">": ">", "≤": "<=", "≥": ">=", "lt": "<", "gt": ">", "le": "<=", "leq": "<=", "leqslant": "<=",
    "ge": ">=", "geq": ">=", "geqslant": ">=",
}  # fmt: skip
WORDS_OF_CASES = {
    **dict.fromkeys(("if", "for", "when", "where"), ""), **dict.fromkeys(("and", "wedge", "land"), "AND"),
    **dict.fromkeys(("otherwise", "else", "elsewhere"), "OTHERWISE"),
}  # fmt: skip
COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")


def function_named(name: str) -> str | None:
    """The function of the language that a word names."""
    known = FUNCTIONS.get(name, name)
    entry = card(known) or card(known.lower())
    if not known or entry is None:
        return None
    return (
        entry.name if entry.family != "constructor" or entry.name in ("rows", "cols", "length", "commutation") else None
    )


def plain_script(script: str) -> str:
    r"""A script without spaces, fonts and needless braces: ``\mathrm{max}`` is max.

    >>> plain_script(r"\text{max}"), plain_script(" t + 1 "), plain_script(r"\mathsf T")
    ('max', 't+1', '\\top')
    """
    text = re.sub(r"\\(?:[,;:! ]|displaystyle\b|left\b|right\b)", "", script)
    if re.fullmatch(
        r"\s*\\(?:mathsf|mathrm|rm|sf|text|textrm|textsf|mathit|mathtt|operatorname)\s*\{?\s*T\s*\}?\s*", text
    ):
        return r"\top"
    text = re.sub(
        r"\\(?:mathrm|text|textrm|textit|mathit|mathbf|boldsymbol|mathsf|operatorname|rm)\s*\{([^{}]*)\}", r"\1", text
    )
    text = re.sub(r"\s+", "", text)
    while text.startswith("{") and text.endswith("}") and "{" not in text[1:-1]:
        text = text[1:-1]
    return re.sub(
        r"\\(alpha|beta|gamma|delta|lambda|mu|sigma|theta|phi|psi|omega|ell|tau|rho|eta|nu|xi|kappa|epsilon)\b",
        r"\1",
        text,
    )
