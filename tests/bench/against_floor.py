"""Targets 1 to 3: list, get and create against the floor, which asks the same of the database and no more."""

from __future__ import annotations

import data
import load
from bench import Bench
from stack import OWN, PREFIX
from table import Measure, rounds

FLOORS = {"1": 0.75, "2": 0.75, "3": 0.70}


def measure_list(bench: Bench) -> list[Measure]:
    """Target 1."""
    name = "1 list of 50 extensions, with key, domain and total"
    return [_against_floor(bench, "1", name, "/extensions")]


def measure_get(bench: Bench) -> list[Measure]:
    """Target 2."""
    name = "2 get one extension with voicemail and user"
    return [_against_floor(bench, "2", name, bench.one(bench.extensions()))]


def measure_create(bench: Bench) -> list[Measure]:
    """Target 3."""
    _check_rows(bench)
    name = "3 create an extension with voicemail, audit and change rows"
    return [_against_floor(bench, "3", name, "/extensions", create=True)]


def _against_floor(bench: Bench, target: str, name: str, path: str, *, create: bool = False) -> Measure:
    domain = bench.extensions()
    least = FLOORS[target]
    urls = {"floor": bench.stack.floor + PREFIX, "product": bench.stack.product}
    if bench.whole:
        urls["floor in the product's way"] = bench.stack.floor + OWN + PREFIX
    variants = {variant: bench.rate(url + path, domain, create=create) for variant, url in urls.items()}
    measure = Measure(
        name, target=f"product >= {least:.2f}", met=lambda measure: measure.ratio("product") >= least
    )
    return rounds(measure, bench.rounds, variants)


_TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'pbxapi')
"""


def _check_rows(bench: Bench) -> None:
    """One create of each, and a look at what it has written.

    Raises:
        RuntimeError: the floor does not write the rows that the product writes.
    """
    domain = bench.extensions()
    headers = bench.stack.headers(domain)
    written = []
    with bench.stack.connect() as connection:
        tables = [str(table) for (table,) in connection.execute(_TABLES).fetchall()]

        def count() -> dict[str, int]:
            found = {}
            for table in tables:
                row = connection.execute(f"select count(*) from {table}").fetchone()
                assert row is not None
                found[table] = int(str(row[0]))
            return found

        for url in (bench.stack.floor + PREFIX, bench.stack.floor + OWN + PREFIX, bench.stack.product):
            before = count()
            load.create_at(f"{url}/extensions", headers, 100, 1, data.FIRST_NEW)
            after = count()
            written.append({table: after[table] - n for table, n in before.items() if after[table] != n})
            data.remove_new(connection)
    if not written[0] == written[1] == written[2]:
        raise RuntimeError(f"the floors write {written[0]} and {written[1]}, the product {written[2]}")
