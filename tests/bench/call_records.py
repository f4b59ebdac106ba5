"""Targets 5 and 6: the first page of call records by their number, and pages by cursor at any depth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import data
from bench import Bench, Caller
from stack import PREFIX
from table import Measure, at_most, rounds

from pbxapi.data.listing import encode_cursor

SIZES = (10_000, 1_000_000)
LARGE = 10_000_000
REQUESTS = 40
"""Of each variant, in each round."""

PER_PAGE = 50
PAGE = 10_000

_PLACE = """
select start_stamp::text, xml_cdr_uuid from v_xml_cdr where domain_uuid = %s
 order by start_stamp desc, xml_cdr_uuid desc offset %s limit 1
"""


def measure_first_page(bench: Bench) -> list[Measure]:
    """Target 5."""
    sizes = (*SIZES, LARGE) if bench.large else SIZES
    variants = {f"{size:,}": (bench.calls(size), f"{PREFIX}/cdr") for size in sizes}
    measure = Measure(
        "5 first page of call records with total, by calls in the domain",
        unit="ms",
        target="<= 2 x, p50 <= 10 ms",
        met=lambda m: at_most(2)(m) and all(m.median(variant) <= 10 for variant in m.values),
    )
    return [_ask(bench, measure, variants)]


def measure_cursor(bench: Bench) -> list[Measure]:
    """Target 6."""
    domain = bench.calls(LARGE if bench.large else max(SIZES))
    variants = {
        "page 1": (domain, f"{PREFIX}/cdr?cursor="),
        f"page {PAGE:,}": (domain, f"{PREFIX}/cdr?cursor={_cursor_of_page(bench, domain)}"),
    }
    name = "6 call records by cursor"
    return [_ask(bench, Measure(name, unit="ms", target="<= 1.5 x", met=at_most(1.5)), variants)]


def _ask(bench: Bench, measure: Measure, variants: Mapping[str, tuple[str, str]]) -> Measure:
    """One request at a time over one connection each, variants (domain and path) in turns."""
    asking = {
        name: partial(Caller(bench.stack.product, bench.stack.headers(domain)).milliseconds, path)
        for name, (domain, path) in variants.items()
    }
    for ask in asking.values():
        for _ in range(10):
            ask()
    return rounds(measure, bench.rounds * REQUESTS, asking)


def _cursor_of_page(bench: Bench, domain: str) -> str:
    """What going through the pages before would have led to."""
    with bench.stack.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        values = [data.domain_uuid(domain), (PAGE - 1) * PER_PAGE - 1]
        row = connection.execute(_PLACE, values).fetchone()
    if row is None:
        raise RuntimeError(f"{domain} has no page {PAGE}")
    stamp, uuid = row
    return encode_cursor("-start_stamp", str(stamp), uuid)  # type: ignore[arg-type]
