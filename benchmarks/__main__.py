"""The command line: ``python -m benchmarks derive``, ``compile``, ``stability`` and ``minimize``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks import machine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    derive_ = commands.add_parser("derive", help="how long deriving takes, and whether it is right, beside SymPy")
    compile_ = commands.add_parser("compile", help="how fast the derivatives are, beside JAX, PyTorch and autograd")
    minimize_ = commands.add_parser("minimize", help="fits beside the libraries made for them")
    for command, repeat in ((derive_, 7), (compile_, 11), (minimize_, 5)):
        command.add_argument("--repeat", type=int, default=repeat, help="repetitions, of which the median counts")
        file = Path(f"benchmark-{command.prog.split()[-1]}.json")
        command.add_argument("--json", type=Path, default=file, help="where all figures go")
    derive_.add_argument("--only", nargs="+", default=None, metavar="ID", help="these cases only")
    minimize_.add_argument("--only", nargs="+", default=None, metavar="PART", help="problems whose name has this part")
    derive_.add_argument("--without-sympy", action="store_true", help="matgrad alone")
    derive_.add_argument("--strict", action="store_true", help="forget what was read off the cards, too")
    compile_.add_argument("--only", nargs="+", default=None, metavar="PART", help="problems whose name has this part")
    compile_.add_argument(
        "--libraries", nargs="+", default=["numpy", "jax", "torch", "autograd"], help="who takes part"
    )
    compile_.add_argument("--core", type=int, default=None, help="the core to stay on")
    compile_.add_argument("--stored", type=Path, default=None, help="figures to compare with, else this machine's")
    compile_.add_argument("--store", action="store_true", help="keep the figures as those of this machine")
    compile_.add_argument("--no-plot", action="store_true", help="no plot (else beside the JSON)")
    compile_.add_argument("--no-memory", action="store_true", help="do not measure memory")
    compile_.add_argument("--no-fresh", action="store_true", help="do not start processes of their own")
    stability_ = commands.add_parser(
        "stability", help="how often a result is nan, inf or inaccurate, beside JAX, PyTorch"
    )
    stability_.add_argument(
        "--json", type=Path, default=Path("benchmark-stability.jsonl"), help="where all verdicts go"
    )
    stability_.add_argument("--only", nargs="+", default=None, metavar="PART", help="formulas that have this part")
    options = parser.parse_args()
    machine.one_thread()
    if options.what == "derive":
        from benchmarks import derive

        with_sympy = not options.without_sympy
        derive.run(options.repeat, options.json, options.only, with_sympy=with_sympy, strict=options.strict)
        return 0
    if options.what == "stability":
        from benchmarks import stability

        return stability.run(options.json, options.only)
    if options.what == "minimize":
        from benchmarks import minimize

        return minimize.run(options.repeat, options.json, options.only)
    machine.pin(options.core)
    from benchmarks import compile

    return compile.run(
        options.repeat, options.json, options.only, options.libraries, stored=options.stored, store=options.store,
        plot=not options.no_plot, memory=not options.no_memory, fresh_processes=not options.no_fresh,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
