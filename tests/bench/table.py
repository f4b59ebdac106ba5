"""What was measured, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
"""Between these lines the benchmark writes; what stands around them is written by hand, and stays."""

P99_LEAST = 100
"""Values that a p99 needs to say anything."""


@dataclass
class Measure:
    """One target, and what was measured of it.

    Attributes:
        name: beginning with the target's number.
        target: in words.
        met: whether the target is met, from the measure itself; None where there is no target.
        values: variant -> a value for each round, request or process.
        paired: whether the n-th values of all variants were taken one after the other, so that their ratio means
            something.
    """

    name: str
    unit: str = "requests/s"
    target: str = ""
    met: Callable[[Measure], bool] | None = None
    values: dict[str, list[float]] = field(default_factory=dict)
    paired: bool = True

    def add(self, variant: str, value: float) -> None:
        """One more value."""
        self.values.setdefault(variant, []).append(value)

    def median(self, variant: str) -> float:
        """Of all values of a variant."""
        return statistics.median(self.values[variant])

    def p99(self, variant: str) -> float:
        """The value that 99 of 100 do not exceed."""
        ordered = sorted(self.values[variant])
        return ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]

    def ratio(self, variant: str) -> float:
        """To the first variant: the median of the ratios within each round, which a busy moment hits alike."""
        first = next(iter(self.values.values()))
        return statistics.median(
            own / other for own, other in zip(self.values[variant], first, strict=True) if other
        )

    def ratios(self) -> list[float]:
        """Of every variant but the first."""
        return [self.ratio(variant) for variant in list(self.values)[1:]]


def at_least(ratio: float) -> Callable[[Measure], bool]:
    """A target: each variant reaches so much of the first."""
    return lambda measure: all(found >= ratio for found in measure.ratios())


def at_most(ratio: float) -> Callable[[Measure], bool]:
    """A target: no variant takes more than so many times the first."""
    return lambda measure: all(found <= ratio for found in measure.ratios())


def rounds(measure: Measure, count: int, variants: Mapping[str, Callable[[], float]]) -> Measure:
    """Run the variants in turns, every second round the other way round."""
    for number in range(count):
        for name in list(variants) if number % 2 == 0 else reversed(list(variants)):
            measure.add(name, variants[name]())
    measure.values = {name: measure.values[name] for name in variants}
    return measure


def render(measures: Sequence[Measure]) -> str:
    """The result as Markdown."""
    head = ("measure", "variant", "median", "p99", "min", "max", "unit", "ratio to the first", "target", "met")
    lines = [head, ("---",) * len(head), *(line for measure in measures for line in _lines(measure))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lines(measure: Measure) -> Iterator[tuple[str, ...]]:
    met = "" if measure.met is None else "yes" if measure.met(measure) else "**no**"
    for place, (variant, values) in enumerate(measure.values.items()):
        yield (
            measure.name,
            variant,
            _number(measure.median(variant)),
            _number(measure.p99(variant)) if len(values) >= P99_LEAST else "",
            _number(min(values)),
            _number(max(values)),
            measure.unit,
            f"{measure.ratio(variant):.2f}" if place and measure.paired else "",
            measure.target,
            met,
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def write(path: Path, text: str) -> None:
    """Put the result into a page, between its marks; everything else of the page stays.

    Raises:
        ValueError: the page has no such marks.
    """
    before, begin, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no lines {BEGIN} and {END} to write between")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")
