"""The command line: ``python -m benchmarks derive``, with ``--repeat N``, ``--json FILE``, ``--only ID …``,
``--without-sympy``, ``--strict``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks import derive  # noqa: E402  (after the number of threads, which NumPy reads when it is imported)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=["derive"])
    parser.add_argument("--repeat", type=int, default=7, help="repetitions, of which the median counts")
    parser.add_argument("--json", type=Path, default=Path("benchmark-derive.json"), help="where all figures go")
    parser.add_argument("--only", nargs="+", default=None, metavar="ID", help="these cases only")
    parser.add_argument("--without-sympy", action="store_true", help="matgrad alone")
    parser.add_argument("--strict", action="store_true", help="forget what was read off the cards, too")
    options = parser.parse_args()
    with_sympy = not options.without_sympy
    derive.run(options.repeat, options.json, options.only, with_sympy=with_sympy, strict=options.strict)


main()
