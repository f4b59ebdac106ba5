"""The benchmark: ``make bench``, or a part of it: ``python tests/bench/run.py --only 5 6``.

Variants take turns in rounds, so that whatever else the machine does hits all alike; only ratios within one run
mean anything. Each measure is a module of its own, named by its target in `MEASURES`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import against_floor
import bulk
import call_records
import changes
import data
import domain_size
import load
import memory
import start
from bench import Bench
from stack import SHARED_BUFFERS, THREADS, WORKERS, Stack, stack
from table import Measure, render, write

from pbxapi import __version__

MEASURES: Mapping[str, Callable[[Bench], list[Measure]]] = {
    "1": against_floor.measure_list,
    "2": against_floor.measure_get,
    "3": against_floor.measure_create,
    "4": domain_size.measure,
    "5": call_records.measure_first_page,
    "6": call_records.measure_cursor,
    "7": changes.measure_time_to_switch,
    "8": changes.measure_backlog,
    "9": memory.measure,
    "10": start.measure,
    "import": bulk.measure_import,
    "export": bulk.measure_export,
}

QUICK = ("1", "2", "3")
_PACKAGES = ("flask", "werkzeug", "psycopg", "orjson", "gunicorn", "marshmallow", "rq", "redis")


def main() -> int:
    """Measure, print, and with --quick say whether it is bad enough to stop."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=MEASURES, metavar="TARGET", help="some of: %(choices)s")
    parser.add_argument("--quick", action="store_true", help="targets 1 to 3 in a minute; fails below half of one")
    parser.add_argument("--large", action="store_true", help="with ten million call records")
    parser.add_argument("--rounds", type=int, help="8 when left out")
    parser.add_argument("--write", type=Path, help="the page whose table to write")
    chosen = parser.parse_args()
    if chosen.write and (chosen.only or chosen.quick):
        parser.error("--write is for the whole table")
    names = chosen.only or (QUICK if chosen.quick else list(MEASURES))
    count, seconds = chosen.rounds or (6 if chosen.quick else 8), 1 if chosen.quick else 3
    measures: list[Measure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running:
        if not chosen.quick:
            with running.connect() as connection:
                data.fill_others(connection)
        bench = Bench(running, count, seconds, chosen.large, whole=not chosen.quick)
        for name in names:
            began = datetime.datetime.now()
            try:
                measures += MEASURES[name](bench)
            except Exception as error:
                traceback.print_exc()  # the others are worth their minutes still
                failed.append(f"target {name}: not measured: {error}")
            took = (datetime.datetime.now() - began).total_seconds()
            print(f"target {name}: measured in {took:.0f} s", file=sys.stderr, flush=True)
        text = f"{_conditions(running, count, seconds)}\n\n{render(measures)}"
        print(text, flush=True)
        if chosen.quick and not failed:
            failed += _below_half(bench, measures)
    if chosen.write and not failed:
        write(chosen.write, text)
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def _below_half(bench: Bench, measures: list[Measure]) -> list[str]:
    """What is to be said of each ratio to the floor that is below half of its target, twice in a row."""
    found = []
    for (name, least), measure in zip(against_floor.FLOORS.items(), measures, strict=True):
        ratios = [measure.ratio("product")]
        if ratios[0] < least / 2:
            ratios.append(MEASURES[name](bench)[0].ratio("product"))
        if max(ratios) < least / 2:
            seen = " and ".join(f"{ratio:.2f}" for ratio in ratios)
            found.append(f"target {name}: {seen} of the floor, and half of the target is {least / 2}")
    return found


def _conditions(running: Stack, count: int, seconds: int) -> str:
    """When, on what, with what."""
    with running.connect() as connection:
        server = connection.execute("show server_version").fetchone()
    assert server is not None
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gunicorn = f"gunicorn gthread, {WORKERS} processes of {THREADS} threads"
    lines = (
        f"{datetime.datetime.now(datetime.UTC).date()}; {os.cpu_count()} cores, {memory_gb:.0f} GB",
        f"{platform.machine()}, {platform.system()} {platform.release()}",
        f"pbxapi {__version__}, Python {platform.python_version()}, PostgreSQL {server[0]}, {packages}",
        f"{gunicorn}; PostgreSQL in memory, without fsync, shared_buffers {SHARED_BUFFERS}",
        f"load from {load.GENERATOR}; {count} rounds, {seconds} s of load for each variant in each",
        "load, servers and databases share the cores; nothing is pinned",
    )
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
