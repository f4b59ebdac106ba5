"""Target 4: what a tenant's size costs the extensions' list, get and create."""

from __future__ import annotations

from bench import Bench
from table import Measure, at_least, rounds

SIZES = (100, 10_000, 100_000)
"""Extensions in the domain."""

MOST = 1.3


def measure(bench: Bench) -> list[Measure]:
    """A measure for each of the three requests, by rates: 1.3 times the cost is 1/1.3 of the rate."""
    domains = {f"{size:,}": bench.extensions(size) for size in SIZES}
    found = []
    for what in ("list", "get", "create"):
        variants = {
            size: bench.rate(
                bench.stack.product + (bench.one(domain) if what == "get" else "/extensions"),
                domain,
                create=what == "create",
            )
            for size, domain in domains.items()
        }
        name = f"4 {what}, by extensions in the domain"
        target = f"<= {MOST} x the cost: >= {1 / MOST:.2f}"
        found.append(rounds(Measure(name, target=target, met=at_least(1 / MOST)), bench.rounds, variants))
    return found
