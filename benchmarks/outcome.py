"""What was measured, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.competitors import MATGRAD, PEER
from benchmarks.problems.problem import BEST, UNJITTED, Size, Target


@dataclass
class Timing:
    """What one competitor needed: milliseconds of a call, megabytes held at the peak beyond what was there before."""

    name: str
    kind: str
    library: str
    milliseconds: float
    least: float
    samples: int
    peak_megabytes: float | None


@dataclass
class Outcome:
    """One problem at one size. ``absent`` says why a competitor did not take part, ``wrong`` how far off it was."""

    problem: str
    size: Size
    limit: float
    timings: list[Timing] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)

    def best(self, kind: str, library: str = BEST) -> Timing | None:
        """The fastest of a kind; of any library that counts, or of one."""
        fitting = [
            timing
            for timing in self.timings
            if timing.kind == kind and (timing.library == library if library != BEST else timing.library != UNJITTED)
        ]
        return min(fitting, key=lambda timing: timing.milliseconds, default=None)

    def ratio(self, target: Target, kind: str = MATGRAD) -> float | None:
        """The time of the peer over ours; None where one of them is missing."""
        ours, peer = self.best(kind, target.ours), self.best(PEER, target.peer)
        return None if ours is None or peer is None else peer.milliseconds / ours.milliseconds
