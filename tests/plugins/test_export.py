"""Exports: everything that a list has, as lines, whole or visibly not, and never much of it at once."""

from __future__ import annotations

import csv
import gc
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from pbxapi.plugin.tables import decode_cell, encode
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.testing import Client, Pbx, close_pbx, make_pbx

CALLS = 20_000

_CALLS = """
insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, direction, caller_id_name, caller_id_number, destination_number,
       start_stamp, duration, billsec, hangup_cause)
select gen_random_uuid(), %(domain)s, 'inbound', 'Caller ' || n, '+49' || n, '101',
       now() - n * interval '7 s', 65, 60, 'NORMAL_CLEARING'
  from generate_series(1, %(count)s::int) as n
"""
INDEX = "create index cdr_by_start on v_xml_cdr (domain_uuid, start_stamp desc, xml_cdr_uuid desc)"


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("export"), service_url=url_of_role(url))
        with system.database.lend() as connection:
            connection.execute(INDEX)
        system.run(_CALLS, domain=DOMAIN_UUID, count=CALLS)
        yield system
        close_pbx(system)


def fetch(client: Client, resource: str, accept: str = "", **query: Any) -> tuple[str, str]:
    """The body and its type."""
    path = f"/{resource}/export" + (".php" if client.family == "php" else "")
    headers = {"X-API-Key": client.key, "X-Domain": client.domain, "Accept": accept}
    response = client.app.test_client().get(client.prefix + path, query_string=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.text, str(response.content_type)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_has_the_rows_and_the_order_of_the_list(either_client: Client) -> None:
    pages = (either_client.list("extensions", per_page=100, page=page, sort="-extension") for page in range(1, 5))
    listed = [row for page in pages for row in page]
    found = rows(fetch(either_client, "extensions", sort="-extension")[0])
    assert [row["extension_uuid"] for row in found] == [row["extension_uuid"] for row in listed]
    few = rows(fetch(either_client, "extensions", search="anna", enabled="true")[0])
    assert 0 < len(few) < len(found)
    assert [r["extension"] for r in few] == [
        r["extension"] for r in either_client.list("extensions", search="anna", enabled="true")
    ]


def test_an_export_of_extensions_holds_what_can_be_written_and_no_secret(client: Client) -> None:
    uuid = client.create(
        "extensions", extension="70001", voicemail_enabled="true", voicemail_mail_to="a@b.example"
    )
    (row,) = rows(fetch(client, "extensions", extension="70001")[0])
    whole = client.get("extensions", uuid)
    assert all(row[name] == whole[name] for name in row if name in whole)
    assert (row["voicemail_enabled"], row["voicemail_mail_to"]) == ("true", "a@b.example")
    assert "password" not in row
    assert "voicemail_password" not in row


@pytest.mark.parametrize(
    ("asked", "accept", "is_ndjson"),
    [
        ({}, "", False),
        ({}, "application/x-ndjson", True),
        ({}, "text/csv", False),
        ({"format": "ndjson"}, "text/csv", True),
        ({"format": "csv"}, "application/x-ndjson", False),
    ],
)
def test_the_format_is_what_was_asked_for(
    client: Client, asked: dict[str, str], accept: str, is_ndjson: bool
) -> None:
    text, content_type = fetch(client, "extensions", accept, **asked)
    assert content_type == ("application/x-ndjson" if is_ndjson else "text/csv; charset=utf-8")
    first = text.splitlines()[0]
    assert (first.startswith("{") and "extension" in json.loads(first)) if is_ndjson else "extension," in first


def test_what_cannot_be_exported_is_refused_before_the_first_line(client: Client) -> None:
    for query in ({"format": "xml"}, {"sort": "nothing"}, {"nothing": "1"}, {"page": "2"}):
        reply = client.request("GET", "/extensions/export", query=query)
        assert (reply.status, reply.error["field"]) == (400, next(iter(query)))


def test_calls_are_exported_whole_over_many_pages_in_the_domains_time(client: Client) -> None:
    text, _ = fetch(client, "cdr", format="ndjson")
    found = [json.loads(line) for line in text.splitlines()]
    assert len({row["xml_cdr_uuid"] for row in found}) == len(found) >= CALLS
    assert found[:50] == client.list("cdr")
    assert [row["start_stamp"] for row in found] == sorted((row["start_stamp"] for row in found), reverse=True)


def test_an_export_keeps_no_more_than_a_page_in_memory_and_no_connection(client: Client, pbx: Pbx) -> None:
    response = client.app.test_client().get(
        f"{client.prefix}/cdr/export", headers={"X-API-Key": client.key, "X-Domain": client.domain}, buffered=False
    )
    size, most = 0, 0
    gc.collect()
    tracemalloc.start()
    for part in response.iter_encoded():
        size += len(part)
        most = max(most, tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        database = pbx.app.extensions["pbxapi"].database
        assert database.figures().get("pool_available") == database.figures().get("pool_size")
    tracemalloc.stop()
    response.close()
    assert size > CALLS * 100
    assert most < 16 * 1024 * 1024, f"{most} bytes for {size} bytes of lines"


def test_exports_leave_threads_for_requests(client: Client, pbx: Pbx) -> None:
    threads = pbx.config.threads
    get = {"path": f"{client.prefix}/cdr/export", "headers": {"X-API-Key": client.key, "X-Domain": client.domain}}
    slow = [client.app.test_client().get(**get, buffered=False) for _ in range(threads - 1)]
    assert {response.status_code for response in slow} == {200}
    refused = client.request("GET", "/cdr/export")
    assert (refused.status, refused.error["code"]) == (503, "TOO_MANY_EXPORTS")
    for response in slow:
        response.close()
    assert fetch(client, "extensions")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("+4930123456", "+4930123456"),
        ("-1", "-1"),
        ("+49 (30) 12/34", "+49 (30) 12/34"),
        ("*98", "*98"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-A1", "'-A1"),
        ("\t=1", "'\t=1"),
        ("'=1", "''=1"),
        ("'plain", "'plain"),
        ('a "quoted", text', 'a "quoted", text'),
    ],
)
def test_a_formula_is_written_as_text_and_read_back_as_it_was(value: str, cell: str) -> None:
    text = encode([{"a": value}], ["a"], "csv").decode()
    (written,) = next(csv.reader(io.StringIO(text)), [""])
    assert written == cell
    assert decode_cell(written) == value
