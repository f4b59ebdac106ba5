"""The benchmark: ``make bench``, ``make bench-large`` or ``python tests/bench/run.py --quick``.

Variants take turns in rounds, so that whatever else the machine does hits all alike; only ratios within one run
mean anything.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import data
import load
from stack import Stack, stack

from pbxapi import __version__
from pbxapi.data.listing import encode_cursor


@dataclass
class Measure:
    """One line of the table: a target, and what was measured of it in each round."""

    name: str
    target: str
    values: dict[str, list[float]] = field(default_factory=dict)
    unit: str = "requests/s"

    def add(self, variant: str, value: float) -> None:
        self.values.setdefault(variant, []).append(value)

    def median(self, variant: str) -> float:
        return statistics.median(self.values[variant])

    def ratio(self, over: str, under: str) -> float:
        return self.median(over) / self.median(under)


def rounds(measure: Measure, count: int, variants: Mapping[str, Callable[[], float]]) -> Measure:
    """Run the variants in turns; every second round the other way round."""
    order = list(variants)
    for number in range(count):
        for name in order if number % 2 == 0 else reversed(order):
            measure.add(name, variants[name]())
    return measure


class Bench:
    """All measurements over one stack."""

    def __init__(self, running: Stack, count: int, seconds: float) -> None:
        self._stack = running
        self._count = count
        self._seconds = seconds
        self._number = 10_000_000
        self.small = data.domain_name(100)

    def rate(self, url: str, domain: str, *, create: bool = False) -> float:
        first = None
        if create:
            first, self._number = self._number, self._number + 1_000_000
        result = load.run(url, self._stack.headers(domain), self._seconds, first)
        assert result.failed == 0, f"{url}: {result.failed} answers were no success"
        return result.rate

    def uuid(self, domain: str) -> str:
        with self._stack.connect() as connection:
            text = "select extension_uuid from v_extensions where domain_uuid = %s and extension = '10050'"
            row = connection.execute(text, [data.domain_uuid(domain)]).fetchone()
        assert row
        return str(row[0])

    def against_floor(self) -> list[Measure]:
        """Targets 1 to 3."""
        product, floor, small = self._stack.product, self._stack.floor, self.small
        one = "/" + self.uuid(small)
        found = []
        for name, target, path, create in (
            ("1 list of 50 extensions, with key, domain and total", ">= 0.75", "", False),
            ("2 get one extension with voicemail and user", ">= 0.75", one, False),
            ("3 create an extension with voicemail, audit and change rows", ">= 0.70", "", True),
        ):
            variants = {
                "floor": lambda path=path, create=create: self.rate(floor + path, small, create=create),
                "product": lambda path=path, create=create: self.rate(product + path, small, create=create),
            }
            found.append(rounds(Measure(name, target), self._count, variants))
        return found

    def sizes(self, sizes: Sequence[int]) -> list[Measure]:
        """Target 4."""
        found = []
        names = [data.domain_name(size) for size in sizes]
        for what, path_of, create in (
            ("list", lambda _: "", False),
            ("get", lambda name: "/" + self.uuid(name), False),
            ("create", lambda _: "", True),
        ):
            paths = {name: path_of(name) for name in names}
            variants = {
                f"{size:,}": lambda name=name, create=create, path=paths[name]: self.rate(
                    self._stack.product + path, name, create=create
                )
                for size, name in zip(sizes, names, strict=True)
            }
            found.append(rounds(Measure(f"4 {what}: extensions in the domain", "<= 1.3x"), self._count, variants))
        return found

    def calls(self, sizes: Sequence[int]) -> list[Measure]:
        """Targets 5 and 6: milliseconds of one request at a time."""
        url = self._stack.product.replace("/extensions", "/cdr")
        names = {size: f"calls{size}.example.com" for size in sizes}
        pages = Measure("5 first page of call records, with total", "<= 2x, p50 <= 10 ms", unit="ms")
        rounds(
            pages,
            self._count * 3,
            {f"{size:,}": lambda name=name: self.once(url, name) for size, name in names.items()},
        )
        largest = names[max(sizes)]
        deep = self.deep_cursor(url, largest, 10_000)
        cursors = Measure("6 call records by cursor, page 1 and page 10,000", "<= 1.5x", unit="ms")
        rounds(
            cursors,
            self._count * 3,
            {
                "page 1": lambda: self.once(url + "?cursor=", largest),
                "page 10,000": lambda: self.once(f"{url}?cursor={deep}", largest),
            },
        )
        return [pages, cursors]

    def once(self, url: str, domain: str) -> float:
        """Milliseconds of one answer."""
        request = urllib.request.Request(url, headers=self._stack.headers(domain))
        started = time.perf_counter()
        with urllib.request.urlopen(request) as response:
            response.read()
        return (time.perf_counter() - started) * 1000

    def deep_cursor(self, url: str, domain: str, page: int) -> str:
        """The cursor of a page far down: made of the row before it, as the product makes it."""
        request = urllib.request.Request(url + "?cursor=&per_page=1", headers=self._stack.headers(domain))
        with urllib.request.urlopen(request) as response:
            cursor = json.load(response)["pagination"]["next_cursor"]
        assert cursor
        with self._stack.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            text = (
                "select start_stamp::text, xml_cdr_uuid from v_xml_cdr where domain_uuid = %s"
                " order by start_stamp desc, xml_cdr_uuid desc offset %s limit 1"
            )
            size = connection.execute(
                "select count(*) from v_xml_cdr where domain_uuid = %s", [data.domain_uuid(domain)]
            ).fetchone()
            assert size
            depth = min(page * 50, int(str(size[0])) - 51)
            row = connection.execute(text, [data.domain_uuid(domain), depth]).fetchone()
        assert row
        order = json.loads(_unpack(cursor))[0]
        return encode_cursor(order, str(row[0]), row[1])  # type: ignore[arg-type]

    def to_the_switch(self) -> list[Measure]:
        """Target 7: milliseconds from POST to applied."""
        idle = Measure("7 POST to applied, idle", "p50 50 ms, p99 250 ms", unit="ms")
        for _ in range(100):
            idle.add("idle", self.create_and_wait())
        busy = Measure("7 POST to applied, at 100 creates/s", "p99 1,000 ms", unit="ms")
        with self._stack.connect() as connection:
            connection.execute("delete from pbxapi.change_node")
            self._creates_at(100.0, 10.0)
            time.sleep(3)
            rows = connection.execute(
                "select extract(epoch from n.applied_at - c.created_at) * 1000 from pbxapi.change_node as n"
                " join pbxapi.change as c using (change_id)"
            ).fetchall()
        for (value,) in rows:
            busy.add("100/s", float(str(value)))
        return [idle, busy]

    def _creates_at(self, per_second: float, seconds: float) -> None:
        started = time.monotonic()
        for number in range(int(per_second * seconds)):
            wait = started + number / per_second - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self._create()

    def _create(self, **headers: str) -> None:
        self._number += 1
        body = json.dumps({"extension": str(self._number), "voicemail_enabled": "true"}).encode()
        given = {**self._stack.headers(self.small), **headers}
        with urllib.request.urlopen(urllib.request.Request(self._stack.product, body, given)) as response:
            response.read()

    def create_and_wait(self) -> float:
        started = time.perf_counter()
        self._create(Prefer="wait=5")
        return (time.perf_counter() - started) * 1000

    def applied_per_second(self, count: int = 5_000) -> Measure:
        """Target 8: a backlog of changes, and how fast one node works it off."""
        measure = Measure("8 changes applied per second and node", ">= 500", unit="changes/s")
        with self._stack.connect() as connection:
            connection.execute("delete from pbxapi.change_node")
            connection.execute(
                "update pbxapi.node set retry_at = clock_timestamp() + interval '1 hour' where name = 'bench'"
            )
            source = (
                "with extension as (select extension_uuid, domain_uuid from v_extensions"
                " where domain_uuid = %s limit %s), noted as (insert into pbxapi.change"
                " (change_id, resource, action, record_uuid, domain_uuid, domain_name)"
                " select gen_random_uuid(), 'extensions', 'update', extension_uuid, domain_uuid, %s from extension"
                " returning change_id)"
                " insert into pbxapi.change_node (change_id, node) select change_id, 'bench' from noted"
            )
            name = data.domain_name(10_000)
            connection.execute(source, [data.domain_uuid(name), count, name])
            started = time.monotonic()
            connection.execute("update pbxapi.node set retry_at = null, attempts = 0 where name = 'bench'")
            while True:
                row = connection.execute(
                    "select count(*) from pbxapi.change_node where state = 'pending'"
                ).fetchone()
                if row and row[0] == 0:
                    break
                time.sleep(0.02)
            measure.add("one node", count / (time.monotonic() - started))
        return measure

    def memory(self, requests: int) -> Measure:
        """Target 9: megabytes of one API process, before and after."""
        measure = Measure(
            f"9 memory per API process, before and after {requests:,} requests", "<= 100 MB", unit="MB"
        )
        child = _children(self._stack.product_pid)[0]
        measure.add("before", _resident(child))
        done = 0.0
        while done < requests * 2:
            done += self.rate(self._stack.product, self.small) * self._seconds
        measure.add("after", _resident(child))
        return measure


def _unpack(cursor: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident(pid: int) -> float:
    line = next(x for x in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if x.startswith("Rss"))
    return int(line.split()[1]) / 1024


def versions(running: Stack) -> str:
    from importlib.metadata import version

    with running.connect() as connection:
        server = connection.execute("show server_version").fetchone()
    assert server
    names = ("flask", "werkzeug", "psycopg", "orjson", "gunicorn", "marshmallow", "rq", "redis")
    return f"pbxapi {__version__}, Python {platform.python_version()}, PostgreSQL {server[0]}, " + ", ".join(
        f"{name} {version(name)}" for name in names
    )


def table(measures: Sequence[Measure]) -> str:
    """The result as Markdown."""
    lines = [
        "| measure | variant | median | min | max | unit | ratio to the first | target |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for measure in measures:
        first = next(iter(measure.values))
        for variant, values in measure.values.items():
            ordered = sorted(values)
            ratio = f"{measure.ratio(variant, first):.2f}" if variant != first else ""
            extra = ""
            if measure.unit == "ms" and len(ordered) >= 50:
                extra = f" (p99 {ordered[int(len(ordered) * 0.99)]:.0f})"
            lines.append(
                f"| {measure.name} | {variant} | {statistics.median(ordered):,.1f}{extra} | {ordered[0]:,.1f} "
                f"| {ordered[-1]:,.1f} | {measure.unit} | {ratio} | {measure.target} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form of CI: targets 1 to 3, a few rounds")
    parser.add_argument("--large", action="store_true", help="ten million call records")
    parser.add_argument("--write", type=Path, help="where to write the result as Markdown")
    chosen = parser.parse_args()
    count, seconds = (4, 2.0) if chosen.quick else (8, 3.0)
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running:
        bench = Bench(running, count, seconds)
        with running.connect() as connection:
            sizes = (100,) if chosen.quick else data.SIZES
            data.fill_extensions(connection, sizes, 20 if chosen.quick else data.DOMAINS)
        measures = bench.against_floor()
        if not chosen.quick:
            measures += bench.sizes(data.SIZES)
            calls = (10_000, 1_000_000, 10_000_000) if chosen.large else (10_000, 1_000_000)
            with running.connect() as connection:
                data.fill_calls(connection, calls)
            measures += bench.calls(calls)
            measures += bench.to_the_switch()
            measures.append(bench.applied_per_second())
            measures.append(bench.memory(100_000))
        machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"
        now = datetime.datetime.now(datetime.UTC).date()
        head = (
            f"{now}, {machine}; {versions(running)}; load from {load.GENERATOR}; "
            f"{count} rounds of {seconds:.0f} s, variants in turns; PostgreSQL without fsync, in memory; "
            "load, floor and product share the cores."
        )
        text = f"{head}\n\n{table(measures)}\n"
        print(text)
        if chosen.write:
            chosen.write.write_text(f"# Benchmarks\n\nMade by `make bench`.\n\n{text}")
        if chosen.quick:
            bad = [
                m
                for m, least in zip(measures, (0.75, 0.75, 0.7), strict=True)
                if m.ratio("product", "floor") < least / 2
            ]
            for measure in bad:
                print(f"{measure.name}: below half of its target", file=sys.stderr)
            return 1 if bad else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
