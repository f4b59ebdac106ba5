"""What a request reads does not grow with the domain, nor with the depth of a page: PostgreSQL counts it.

The statements are those that the product runs, with the values that it gives them, over the indexes that doctor
recommends. Time plays no part: a row or a block is read or it is not, however busy the machine is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier, Literal

from pbxapi.data.database import Connection
from pbxapi.data.listing import encode_cursor
from pbxapi.data.rounds import Asked
from pbxapi.data.statements import number_parameters, of_each
from pbxapi.plugin.indexes import recommended_indexes
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

SMALL, LARGE = "small.example.com", "large.example.com"
LARGE_EXTENSIONS, LARGE_CALLS = 20_000, 50_000
PER_PAGE = 50
BLOCKS_APART = 4
"""Blocks by which two runs of one statement differ: an index's leaf ends in the middle of a page, or does not."""

KEPT_AFTER = 8
"""Runs of a prepared statement after which PostgreSQL has decided whether it keeps one plan for all values."""

_FILL = f"""
create temporary table tenant as
select gen_random_uuid() as domain_uuid, name, extensions, calls
  from (values ('{SMALL}', 100, 2500), ('{LARGE}', {LARGE_EXTENSIONS}, {LARGE_CALLS})) as x
       (name, extensions, calls)
 union all
select gen_random_uuid(), 'other' || n || '.example.com', 10, 0 from generate_series(1, 200) as n;

insert into v_domains (domain_uuid, domain_name, domain_enabled) select domain_uuid, name, true from tenant;

insert into v_extensions (extension_uuid, domain_uuid, extension, password, user_context, enabled)
select gen_random_uuid(), domain_uuid, (10000 + n)::text, 'secret', name, true
  from tenant cross join lateral generate_series(1, extensions) as n;

insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id, voicemail_password, voicemail_enabled)
select gen_random_uuid(), domain_uuid, extension, '123456', true from v_extensions join tenant using (domain_uuid);

insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, direction, caller_id_name, start_stamp)
select gen_random_uuid(), domain_uuid, 'inbound', 'Caller ' || n, now() - n * interval '1 minute'
  from tenant cross join lateral generate_series(1, calls) as n;
"""

Run = tuple[str, tuple[Any, ...]]
Reads = dict[str, int]


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """A telephone system with a small and a large tenant."""
    with scratch_database(postgres, template) as url:
        pbx = make_pbx(url, tmp_path_factory.mktemp("reads"), service_url=url_of_role(url))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_FILL.encode())
            for statement in recommended_indexes(pbx.app.extensions["pbxapi"].registry).values():
                connection.execute(statement.encode())
            connection.execute("vacuum (analyze)")
        yield pbx
        close_pbx(pbx)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Every statement that the product has run, with its values."""
    found: list[Run] = []
    ask = Connection.ask

    def record(connection: Connection, asked: Sequence[Asked]) -> None:
        found.extend((one.text, tuple(one.values)) for one in asked if one.text not in ("begin", "commit"))
        ask(connection, asked)

    monkeypatch.setattr(Connection, "ask", record)
    return found


def reads(pbx: Pbx, runs: list[Run], before: list[Run] | None = None, undo: str = "") -> Reads:
    """What the statements read when they are run once more: rows, and blocks of tables and indexes.

    Args:
        before: what the connection has run again and again meanwhile, of another domain or page: a statement that
            is prepared may keep a plan that was good for that. None for a new connection.
        undo: what makes it possible to run them again; all is rolled back.
    """
    others = dict(before or ())
    found = {"rows": 0, "blocks": 0}
    with psycopg.connect(pbx.superuser_url) as connection:
        connection.execute(undo.encode() or b"select")
        for place, (text, values) in enumerate(runs):
            connection.execute(f"prepare run{place} as {text}".encode())
            for _ in range(KEPT_AFTER if before is not None else 0):
                with connection.transaction(force_rollback=True):
                    connection.execute(_call(place, others.get(text, values)))
            explain = SQL("explain (analyze, buffers, timing off, format json) ")
            row = connection.execute(explain + _call(place, values)).fetchone()
            assert row is not None
            top = row[0][0]["Plan"]
            found["rows"] += _rows(top)
            found["blocks"] += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        connection.rollback()
    return found


def _call(place: int, values: tuple[Any, ...]) -> Composed:
    given = SQL("({})").format(SQL(", ").join(map(Literal, values))) if values else SQL("")
    return SQL("execute {}{}").format(Identifier(f"run{place}"), given)


def _rows(node: dict[str, Any]) -> int:
    """Rows that the scans of a plan looked at."""
    own = 0
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        own = round(sum(node.get(name, 0) for name in names) * node["Actual Loops"])
    return own + sum(map(_rows, node.get("Plans", ())))


def asked(runs: list[Run], ask: Callable[[], Reply], status: int = 200) -> list[Run]:
    """The statements of one of some equal requests, of one for which the process had nothing to look up anew."""
    found = []
    for _ in range(5):
        runs.clear()
        reply = ask()
        assert reply.status == status, reply.body
        assert runs, "nothing was run"
        found.append(list(runs))
    return min(found, key=len)


def compare(pbx: Pbx, few: list[Run], many: list[Run], times: float, undo: str = "") -> None:
    """Hold the statements of a small domain, or of a first page, against those of a large or a deep one."""
    for before in (None, few):
        least, most = reads(pbx, few, before, undo), reads(pbx, many, before, undo)
        assert least["rows"] > 0
        assert most["rows"] <= least["rows"] * times
        assert most["blocks"] <= least["blocks"] * times + BLOCKS_APART


def test_a_list_of_extensions_reads_the_same_in_a_large_domain(pbx: Pbx, runs: list[Run]) -> None:
    found = [asked(runs, partial(pbx.client.of(domain).call, "extensions", "list")) for domain in (SMALL, LARGE)]
    compare(pbx, *found, 1.3)


def test_get_of_an_extension_reads_the_same_in_a_large_domain(pbx: Pbx, runs: list[Run]) -> None:
    found = []
    for domain in (SMALL, LARGE):
        client = pbx.client.of(domain)
        (row,) = client.list("extensions", extension="10050")
        found.append(asked(runs, partial(client.call, "extensions", "get", row["extension_uuid"])))
    compare(pbx, *found, 1.3)


def create(client: Client, numbers: Iterator[int]) -> Reply:
    return client.call("extensions", "create", json={"extension": str(next(numbers)), "voicemail_enabled": "true"})


def test_create_of_an_extension_reads_the_same_in_a_large_domain(pbx: Pbx, runs: list[Run]) -> None:
    found = []
    for domain in (SMALL, LARGE):
        found.append(asked(runs, partial(create, pbx.client.of(domain), itertools.count(900_900)), 201))
    made = (
        "v_extensions where extension like '9009%'",
        "v_voicemails where voicemail_id like '9009%'",
        "v_database_transactions",
        "pbxapi.change",
        "pbxapi.change_node",
        "pbxapi.event",
    )
    compare(pbx, *found, 1.3, undo="; ".join(f"delete from {rows}" for rows in made))


@pytest.mark.parametrize(
    ("resource", "sort", "place", "size"),
    [
        ("cdr", "-start_stamp", "start_stamp", LARGE_CALLS),
        ("cdr", "start_stamp", "start_stamp", LARGE_CALLS),
        ("extensions", "extension", "extension", LARGE_EXTENSIONS),
        ("extensions", "-extension", "extension", LARGE_EXTENSIONS),
    ],
)
def test_a_deep_page_by_cursor_reads_what_the_first_one_reads(
    pbx: Pbx, runs: list[Run], resource: str, sort: str, place: str, size: int
) -> None:
    """In a statement that bounds the column itself, as that of calls does by days, too."""
    declaration = pbx.app.extensions["pbxapi"].registry.resources[resource].declaration
    order = "desc" if sort.startswith("-") else "asc"
    (after,) = pbx.rows(
        f"select r.{place}::text as place, r.{declaration.id} as uuid from {declaration.table} as r"
        f" where r.domain_uuid = (select domain_uuid from v_domains where domain_name = '{LARGE}')"
        f" order by r.{place} {order}, r.{declaration.id} {order} offset {size - PER_PAGE - 1} limit 1"
    )
    deep = encode_cursor(sort, after["place"], after["uuid"])
    client = pbx.client.of(LARGE)
    pages = [asked(runs, partial(client.call, resource, "list", sort=sort, cursor=c)) for c in ("", deep)]
    assert len(client.list(resource, sort=sort, cursor=deep)) == PER_PAGE
    compare(pbx, *pages, 1.5)


@pytest.mark.parametrize(
    ("resource", "statement"), [("extensions", "directory"), ("voicemails", "own_extensions")]
)
def test_records_of_many_changes_are_read_the_same_in_a_large_domain(
    pbx: Pbx, resource: str, statement: str
) -> None:
    """As effects read them, a batch at once: a plan that walks through the table pays for a small one only."""
    loaded = pbx.app.extensions["pbxapi"].registry.resources[resource]
    id, table = loaded.declaration.id, loaded.declaration.table
    text, names = number_parameters(of_each(loaded.statement(statement).text, id))
    found: list[list[Run]] = []
    for domain in (SMALL, LARGE):
        rows = pbx.rows(
            f"select x.{id} as uuid, domain_uuid, domain_name from {table} as x join v_domains using (domain_uuid)"
            f" where domain_name = '{domain}' order by 1 limit 50"
        )
        given = {f"each_{name}": [row[name] for row in rows] for name in ("uuid", "domain_uuid", "domain_name")}
        found.append([(text, tuple(given[name] for name in names))])
    compare(pbx, *found, 1.3)
