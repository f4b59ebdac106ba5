"""Target 9: the memory of the processes that serve, before, half-way and after 100,000 requests."""

from __future__ import annotations

from pathlib import Path

from bench import Bench
from table import Measure

REQUESTS = 100_000
WARMING = 2_000
MOST_MB = 100.0
GROWTH_MB = 1.0
"""What the second half may add and still count as no growth: an allocator keeps a page here and there."""


def measure(bench: Bench) -> list[Measure]:
    """Lists, gets and creates in turns; RSS and PSS (shared pages counted in part) of each worker process."""
    resident = Measure(
        "9 memory per API process (RSS), by requests since the start",
        unit="MB",
        target=f"<= {MOST_MB:.0f} MB; the second half adds <= {GROWTH_MB:.0f} MB",
        met=lambda m: max(map(max, m.values.values())) <= MOST_MB and _growth(m) <= GROWTH_MB,
    )
    share = Measure("9 the same, shared pages counted in part (PSS)", unit="MB")
    workers = children(bench.stack.pid)
    done = 0
    for label, until in (("warmed up", WARMING), ("half", REQUESTS // 2), ("all", REQUESTS)):
        while done < until:
            done += _one_of_each(bench)
        if children(bench.stack.pid) != workers:
            raise RuntimeError("a worker process was replaced: its memory says nothing")
        for pid in workers:
            resident.add(f"{label}: {done:,}", memory(pid, "Rss"))
            share.add(f"{label}: {done:,}", memory(pid, "Pss"))
    return [resident, share]


def _growth(measure: Measure) -> float:
    """MB that the second half added to the process that it added most to."""
    _, half, after = measure.values.values()
    return max(b - a for a, b in zip(half, after, strict=True))


def _one_of_each(bench: Bench) -> int:
    """A turn of each kind of request; how many were answered."""
    domain, product = bench.extensions(), bench.stack.product
    turns = (("/extensions", False), (bench.one(domain), False), ("/extensions", True))
    return sum(bench.load(product + path, domain, create=create).answers for path, create in turns)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return sorted(int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def memory(pid: int, kind: str) -> float:
    """MB of memory: ``Rss`` or ``Pss`` of /proc/<pid>/smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{kind}:")).split()[1]) / 1024
