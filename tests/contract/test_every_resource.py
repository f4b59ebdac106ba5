"""What holds for every resource that is loaded, and for every operation of it: a new plugin is held to it too.

A new resource needs one line in `KINDS`.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.routing import Rule

from pbxapi.app import load_registry
from pbxapi.config import Config
from pbxapi.data.database import Session
from pbxapi.http import callers
from pbxapi.plugin import Link, Operation, fields
from pbxapi.plugin.loader import LoadedResource, LoadedRows, load_plugins
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN, DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Family, Pbx, Reply, close_pbx, make_pbx

FAMILIES: tuple[Family, ...] = ("clean", "php")


@dataclass(frozen=True)
class Kind:
    """How to come by records of a resource.

    Attributes:
        body: what makes one, from a number; None where records cannot be made.
        full: uuid of a sample record that has rows in every list that belongs to it.
        open: whether the system's key may see the records of all domains.
        nested: a good nested record of each field that holds some with links.
    """

    body: Callable[[int], Mapping[str, Any]] | None = None
    full: UUID | None = None
    open: bool = False
    nested: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "api-keys": Kind(lambda n: {"name": f"key {n}", "scopes": ["*"]}, open=True),
    "cdr": Kind(),
    "changes": Kind(),
    "devices": Kind(lambda n: {"device_address": f"001565{n:06x}"}),
    "extensions": Kind(lambda n: {"extension": str(70_000 + n), "voicemail_enabled": "true"}),
    "gateways": Kind(lambda n: {"gateway": f"trunk {n}", "proxy": "sip.example.net"}),
    "dashboard": Kind(),
    "domains": Kind(open=True),
    "users": Kind(lambda n: {"username": f"user{n}", "password": f"Passw0rd-of-{n}"}),
    "voicemails": Kind(lambda n: {"voicemail_id": str(80_000 + n)}, uuid_of("voicemail", DOMAIN, "1001")),
}

OPEN = {"/readyz", "/api/v1/openapi.json"}
"""Routes that answer without a key: for whoever watches the host, and for whoever reads about the API."""

REGISTRY = load_plugins(Config(database_url="postgresql://"), {})
RESOURCES = dict(REGISTRY.resources)
NUMBERS = itertools.count(1)

every_resource = pytest.mark.parametrize("name", list(RESOURCES))
every_list = pytest.mark.parametrize(
    ("name", "operation"), [(r.declaration.name, o) for r in RESOURCES.values() for o in r.lists]
)


def kind_of(name: str) -> Kind:
    if name not in KINDS:
        pytest.fail(
            f"the resource {name} is new: say in KINDS of tests/contract/test_every_resource.py what makes one"
        )
    return KINDS[name]


@pytest.fixture(scope="module")
def system(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """One telephone system for all tests here: each makes the records that it changes."""
    with scratch_database(postgres, template) as url:
        pbx = make_pbx(url, tmp_path_factory.mktemp("every"))
        for client in (pbx.client, pbx.client.of(pbx.other_domain)):
            # Something for the list of changes.
            for _ in range(7):
                client.create("extensions", extension=str(70_000 + next(NUMBERS)))
        yield pbx
        close_pbx(pbx)


@pytest.fixture(scope="module")
def loaded(system: Pbx) -> Mapping[str, LoadedResource]:
    """The resources, with their statements for the database at hand."""
    return load_registry(system.config, system.database).resources


def make(client: Client, name: str) -> str:
    """A record's uuid: a new one where it can be made."""
    kind = kind_of(name)
    if kind.body is not None:
        return client.create(name, **kind.body(next(NUMBERS)))
    return str(client.list(name, per_page=1)[0][RESOURCES[name].declaration.id])


def calls(name: str, operation: Operation, uuid: str) -> Iterator[tuple[Family, str, str, dict[str, str]]]:
    """Every way to call an operation: family, method, path, query."""
    item = operation.on == "item"
    yield "php", operation.methods[0], f"/{name}/{operation.php_name}", {"uuid": uuid} if item else {}
    path = f"/{name}" + (f"/{uuid}" if item else "") + (f"/{operation.path}" if operation.path else "")
    for method in operation.methods:
        yield "clean", method, path, {}


def items(name: str) -> list[Operation]:
    return [o for o in RESOURCES[name].declaration.all_operations() if o.on == "item"]


def page(client: Client, name: str, operation: str, /, **query: Any) -> Reply:
    """One page of a list, of the sample record that has one where it belongs to a record."""
    found = next(o for o in RESOURCES[name].declaration.all_operations() if o.name == operation)
    uuid = ""
    if found.on == "item":
        full = kind_of(name).full
        assert full, f"KINDS[{name!r}] must name a record with rows for {operation}"
        uuid = str(full)
    _, method, path, place = next(c for c in calls(name, found, uuid) if c[0] == client.family)
    reply = client.request(method, path, query={**place, **query})
    assert reply.status == 200, f"{path} {query}: {reply.body}"
    return reply


@every_resource
def test_another_tenants_record_is_not_there(system: Pbx, name: str) -> None:
    kind = kind_of(name)
    if kind.open:
        pytest.skip("the system's key sees the records of all domains")
    if not items(name):
        pytest.skip(f"{name} has no records")
    other = system.client.of(system.other_domain)
    uuid = make(other, name)
    before = other.get(name, uuid) if "get" in RESOURCES[name].statements else None
    label = RESOURCES[name].declaration.label
    for operation in items(name):
        for _family, method, path, query in calls(name, operation, uuid):
            reply = system.client.request(method, path, {}, query=query)
            assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND"), f"{method} {path}: {reply.body}"
            assert reply.error["message"] == f"{label} not found"
    if before is not None:
        assert other.get(name, uuid) == before


@every_resource
def test_a_record_that_nobody_has_is_not_there(system: Pbx, name: str) -> None:
    for operation in items(name):
        for _family, method, path, query in calls(name, operation, str(uuid4())):
            reply = system.client.request(method, path, {}, query=query)
            assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND"), f"{method} {path}: {reply.body}"


@dataclass(frozen=True)
class Linking:
    """A field that links to another record, in a list or a nested record too.

    Attributes:
        top: the field of the body that it is in.
        place: how an error names it.
        value: what to send for `top`, from the uuid to link to and, for nested records, a good one of them.
    """

    top: str
    place: str
    link: Link
    value: Callable[[str, Mapping[str, Any]], Any]


def linkings(name: str) -> Iterator[Linking]:
    for top, declared in RESOURCES[name].schema.load_fields.items():
        if isinstance(declared, Link):
            yield Linking(top, top, declared, lambda uuid, _good: uuid)
        elif isinstance(declared, fields.List) and isinstance(declared.inner, Link):
            yield Linking(top, f"{top}.0", declared.inner, lambda uuid, _good: [uuid])
        elif isinstance(declared, fields.Nested):
            for inner, link in declared.schema.load_fields.items():
                if isinstance(link, Link):
                    if declared.many:
                        yield Linking(
                            top, f"{top}.0.{inner}", link, lambda uuid, good, inner=inner: [{**good, inner: uuid}]
                        )
                    else:
                        yield Linking(
                            top, f"{top}.{inner}", link, lambda uuid, good, inner=inner: {**good, inner: uuid}
                        )


@pytest.mark.parametrize(
    ("name", "linking"),
    [
        pytest.param(name, linking, id=f"{name}-{linking.place}")
        for name in RESOURCES
        for linking in linkings(name)
    ],
)
def test_a_link_to_another_tenants_record_is_refused(system: Pbx, name: str, linking: Linking) -> None:
    link, kind = linking.link, kind_of(name)
    foreign = uuid4()
    system.run(
        f"insert into {link.table} ({link.column}, domain_uuid) values (%(uuid)s, %(domain)s)",
        uuid=foreign,
        domain=SECOND_DOMAIN_UUID,
    )
    client = system.client
    own = make(client, name)
    for target in (str(foreign), str(foreign).upper(), str(uuid4())):
        value = linking.value(target, kind.nested.get(linking.top, {}))
        replies = [client.call(name, "update", own, {linking.top: value})]
        if kind.body is not None:
            replies.append(client.call(name, "create", json={**kind.body(next(NUMBERS)), linking.top: value}))
        for reply in replies:
            assert reply.status == 400, reply.body
            assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", linking.place)


def closed_rules(system: Pbx) -> list[Rule]:
    return [rule for rule in system.app.url_map.iter_rules() if rule.rule not in OPEN]


def test_a_wrong_key_is_refused_on_every_route(system: Pbx) -> None:
    tried = 0
    for rule in closed_rules(system):
        path = re.sub(r"<[^>]+>", str(uuid4()), rule.rule)
        for method in rule.methods or ():
            for key in ("wrong", "wr\u00f6ng", "test-key"):
                response = system.app.test_client().open(
                    path, method=method, headers={"X-API-Key": key, "X-Domain": system.domain}, json={}
                )
                assert response.status_code == 401, f"{method} {path}"
                if method != "HEAD":
                    assert response.get_json() == {
                        "success": False,
                        "error": {"code": "UNAUTHORIZED", "message": "Invalid API key"},
                    }
                tried += 1
    assert tried > 100


def test_without_a_key_or_a_domain_every_route_of_a_resource_is_closed(system: Pbx) -> None:
    for rule in closed_rules(system):
        path = re.sub(r"<[^>]+>", str(uuid4()), rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            client = system.app.test_client()
            response = client.open(path, method=method, headers={"X-Domain": system.domain})
            assert response.get_json()["error"]["code"] == "UNAUTHORIZED", f"{method} {path}"
            response = client.open(path, method=method, headers={"X-API-Key": system.client.key})
            assert response.get_json()["error"]["code"] == "MISSING_DOMAIN", f"{method} {path}"


@every_resource
def test_both_families_answer_the_same(system: Pbx, name: str) -> None:
    if kind_of(name).body is not None:
        make(system.client, name)
    for operation in RESOURCES[name].declaration.all_operations():
        if operation.writes:
            continue
        uuid = ""
        if operation.on == "item":
            uuid = str(kind_of(name).full or make(system.client, name))
        replies = [
            system.client.request(method, path, query=query)
            for _family, method, path, query in calls(name, operation, uuid)
        ]
        assert replies[0].status == 200, replies[0].body
        assert all((r.status, r.body) == (replies[0].status, replies[0].body) for r in replies)


# Lists


def ids(reply: Reply, rows: LoadedRows) -> list[str]:
    return [row[rows.declaration.id] for row in reply.data]


PAGES_MOST = 4


def walk(client: Client, name: str, operation: str, sort: str) -> tuple[list[dict[str, Any]], bool]:
    """The rows by page numbers, after checking that a cursor gives the same; and whether those were all."""
    rows = RESOURCES[name].lists[operation]
    first = page(client, name, operation, sort=sort, per_page=1)
    total = first.body["pagination"]["total"]
    per_page = min(max(total // 3, 2), 100)
    pages = min(-(-total // per_page), PAGES_MOST)
    by_number = [
        row
        for number in range(1, pages + 1)
        for row in page(client, name, operation, sort=sort, per_page=per_page, page=number).data
    ]
    by_cursor: list[dict[str, Any]] = []
    cursor: str | None = ""
    for _ in range(pages):
        assert cursor is not None, "the cursor ends before the pages do"
        reply = page(client, name, operation, sort=sort, per_page=per_page, cursor=cursor)
        assert "page" not in reply.body["pagination"]
        by_cursor += reply.data
        cursor = reply.body["pagination"]["next_cursor"]
    assert by_cursor == by_number
    names = [row[rows.declaration.id] for row in by_number]
    assert len(set(names)) == len(names)
    whole = len(by_number) == total
    assert (cursor is None) == whole
    return by_number, whole


def natural(text: Any) -> str:
    """How a column compares: digits as numbers, letters in any case."""
    return re.sub(r"0*(\d+)", lambda m: m[1].zfill(20), str("" if text is None else text).lower())


@every_list
def test_a_list_is_the_same_by_cursor_and_by_page_in_every_order(system: Pbx, name: str, operation: str) -> None:
    rows = RESOURCES[name].lists[operation]
    if kind_of(name).body is not None and operation == "list":
        for _ in range(5):
            make(system.client, name)
    for sort, order in rows.listing.sorts.items():
        up, whole = walk(system.client, name, operation, sort)
        down, _ = walk(system.client, name, operation, f"-{sort}")
        assert up, f"there is nothing to list in {name} {operation}"
        if whole:
            assert down == up[::-1]
        if order.column in rows.row and order.kind in ("natural", "text"):
            key = natural if order.kind == "natural" else (lambda text: str(text or "").lower())
            values = [key(row[order.column]) for row in up]
            assert values == sorted(values)


@every_list
def test_a_list_shows_its_declared_columns_and_no_secret(system: Pbx, name: str, operation: str) -> None:
    rows = RESOURCES[name].lists[operation]
    reply = page(system.client, name, operation)
    assert reply.data
    for row in reply.data:
        assert list(row) == list(rows.row)
    assert not set(rows.row) & RESOURCES[name].secrets
    assert set(rows.row) <= set(rows.schema.dump_fields)


@every_list
def test_search_finds_a_part_of_a_main_column(system: Pbx, name: str, operation: str) -> None:
    rows = RESOURCES[name].lists[operation]
    declared = rows.declaration.search
    assert page(system.client, name, operation, search="no row holds this text").data == []
    shown = [column for column in declared if column in rows.row]
    for column in shown:
        for row in page(system.client, name, operation, per_page=100).data:
            text = str(row[column])
            if len(text) < 2:
                continue
            found = page(system.client, name, operation, search=text[1:].upper(), per_page=100)
            assert found.body["pagination"]["total"] >= 1
            if set(declared) <= set(rows.row):
                for hit in found.data:
                    assert any(text[1:].lower() in str(hit[c]).lower() for c in declared), hit
            break


@every_list
def test_a_filter_compares_for_equality(system: Pbx, name: str, operation: str) -> None:
    rows = RESOURCES[name].lists[operation]
    some = page(system.client, name, operation, per_page=100).data
    for column in rows.declaration.filters:
        values = {str(row[column]) for row in some if row.get(column) not in (None, "")}
        for value in sorted(values)[:2]:
            found = page(system.client, name, operation, per_page=100, **{column: value})
            assert {str(row[column]) for row in found.data} == {value}


@every_list
@pytest.mark.parametrize("family", FAMILIES)
def test_a_filter_or_order_that_is_unknown_is_ignored_or_refused(
    system: Pbx, name: str, operation: str, family: Family
) -> None:
    client = system.client.through(family)
    plain = page(client, name, operation).body
    found = next(o for o in RESOURCES[name].declaration.all_operations() if o.name == operation)
    for query in ({"no_such_filter": "1"}, {"sort": "no_such_order"}, {"sort": "--"}, {"sort": "1; drop table x"}):
        if family == "php":
            assert page(client, name, operation, **query).body == plain
            continue
        _, method, path, place = next(c for c in calls(name, found, str(kind_of(name).full)) if c[0] == "clean")
        reply = client.request(method, path, query={**place, **query})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR")
        assert reply.error["field"] == next(iter(query))


def token(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@every_list
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cursor_that_is_none_is_refused(system: Pbx, name: str, operation: str, family: Family) -> None:
    client = system.client.through(family)
    found = next(o for o in RESOURCES[name].declaration.all_operations() if o.name == operation)
    _, method, path, place = next(c for c in calls(name, found, str(kind_of(name).full)) if c[0] == family)
    rows = RESOURCES[name].lists[operation]
    uuid = str(uuid4())
    for sort, order in rows.listing.sorts.items():
        forged = [
            *("nonsense", "%%%", "\u00fc", "=", "A", "bnVsbA", "x" * 5000),
            *(token(), token(sort), token(sort, "1"), token(sort, "1", "no uuid"), token(sort, "1", None)),
            *(token(sort, "1", uuid, 1), token("no such order", "1", uuid), token(f"-{sort}", "1", uuid)),
            *(token(sort, "a\0b", uuid), token([sort], "1", uuid), token({"sort": sort}, "1", uuid)),
        ]
        if order.kind in ("number", "time"):
            forged += [
                token(sort, value, uuid) for value in ("nonsense", "", "1e999999", "99999-99-99", [], {}, 17)
            ]
        for cursor in forged:
            reply = client.request(method, path, query={**place, "sort": sort, "cursor": cursor})
            assert reply.status == 400, f"{cursor}: {reply.body}"
            assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", "cursor")


# Statements


@pytest.fixture
def count_statements(system: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """Counts the statements of what it is given, without those that look up key and domain."""
    ran = 0
    execute = Session._execute

    def counting(session: Session, *arguments: Any) -> Any:
        nonlocal ran
        ran += 1
        return execute(session, *arguments)

    def count(action: Callable[[], Any]) -> int:
        nonlocal ran
        action()
        ran = 0
        action()
        return ran

    monkeypatch.setattr(callers, "SECONDS", 60.0)
    monkeypatch.setattr(Session, "_execute", counting)
    return count


@every_list
def test_the_statements_of_a_list_do_not_grow_with_its_rows(
    system: Pbx, name: str, operation: str, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    few = count_statements(lambda: page(system.client, name, operation, per_page=1))
    many = count_statements(lambda: page(system.client, name, operation, per_page=100))
    assert few == many
    assert many <= 3, "a list is one statement for its rows and one for their number"


@every_resource
def test_the_statements_of_a_get_do_not_grow_with_the_rows(
    system: Pbx, name: str, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    if "get" not in {o.name for o in items(name)}:
        pytest.skip(f"{name} has no get")
    uuid = str(kind_of(name).full or make(system.client, name))
    before = count_statements(lambda: system.client.get(name, uuid))
    if kind_of(name).body is not None:
        for _ in range(5):
            make(system.client, name)
    assert count_statements(lambda: system.client.get(name, uuid)) == before
    assert before <= 4


def columns(system: Pbx, statement: Any) -> list[str]:
    """The columns that a statement really returns."""
    parameters = dict.fromkeys(statement.parameters) | {"domain_uuid": DOMAIN_UUID}
    with system.database.lend() as connection:
        description = connection.execute(statement.text, parameters).description
    return [column.name for column in description or ()]


@every_list
def test_a_lists_statement_returns_what_the_list_uses_and_nothing_else(
    system: Pbx, loaded: Mapping[str, LoadedResource], name: str, operation: str
) -> None:
    rows = loaded[name].lists[operation]
    declared = rows.declaration
    used = {
        *rows.row,
        declared.id,
        *declared.search,
        *declared.filters,
        *(s.column for s in declared.sorts.values()),
    }
    found = columns(system, rows.listing.statement)
    assert len(set(found)) == len(found)
    assert set(found) == used


@every_resource
def test_get_answers_the_fields_of_the_schema_neither_more_nor_less(
    system: Pbx, loaded: Mapping[str, LoadedResource], name: str
) -> None:
    resource = loaded[name]
    if "get" not in resource.statements:
        pytest.skip(f"{name} has no get")
    declared = set(resource.schema.dump_fields)
    found = columns(system, resource.statement("get"))
    assert len(set(found)) == len(found)
    for uuid in {make(system.client, name), str(kind_of(name).full or make(system.client, name))}:
        answered = system.client.get(name, uuid)
        parameters = dict.fromkeys(resource.statement("get").parameters)
        known = {resource.declaration.id: uuid, "domain_uuid": DOMAIN_UUID}
        row = system.rows(resource.statement("get").text, **{**parameters, **known})[0]
        absent = {column for column, value in row.items() if value is None}
        assert set(answered) <= declared
        assert declared - set(answered) <= absent


@every_resource
def test_get_answers_text_and_flags_as_the_contract_spells_them(
    system: Pbx, loaded: Mapping[str, LoadedResource], name: str
) -> None:
    resource = loaded[name]
    if "get" not in {o.name for o in items(name)}:
        pytest.skip(f"{name} has no get")

    def check(value: Any, where: str) -> None:
        assert value is not True, f"{where} is a JSON flag"
        assert value is not False, f"{where} is a JSON flag"
        if isinstance(value, dict):
            for key, item in value.items():
                check(item, f"{where}.{key}")
        elif isinstance(value, list):
            for item in value:
                check(item, where)
        else:
            assert value is not None or where in resource.nullable, f"{where} is null"

    for uuid in {make(system.client, name), str(kind_of(name).full or make(system.client, name))}:
        for column, value in system.client.get(name, uuid).items():
            check(value, column)


def text_of(value: Any) -> Any:
    """How get spells what a column holds."""
    return (
        {True: "true", False: "false", None: ""}.get(value, str(value)) if not isinstance(value, list) else value
    )


@every_resource
def test_an_update_leaves_what_was_not_sent_as_it_was(
    system: Pbx, loaded: Mapping[str, LoadedResource], name: str
) -> None:
    """An update writes the whole row. What get answers may replace what nobody had set, and nothing else."""
    resource = loaded[name]
    declaration = resource.declaration
    if "update" not in declaration.standard or not declaration.table:
        pytest.skip(f"{name} has no update of a table")
    kind = kind_of(name)
    for uuid in {make(system.client, name), str(kind.full or make(system.client, name))}:
        select = f"select * from {declaration.table} where {declaration.id} = %(uuid)s::uuid"
        before, answered = system.rows(select, uuid=uuid)[0], system.client.get(name, uuid)
        writable = [f for f in resource.schema.load_fields if isinstance(answered.get(f), str)]
        writable = [f for f in writable if f not in resource.secrets]
        field = next((f for f in writable if f.endswith("description")), writable[0])
        reply = system.client.call(name, "update", uuid, {field: answered[field]})
        assert reply.status == 200, reply.body
        after = system.rows(select, uuid=uuid)[0]
        changed = {column for column in after if after[column] != before[column]} - {"update_date", "update_user"}
        for column in changed:
            assert before[column] in (None, ""), f"{column} was {before[column]!r} and is {after[column]!r}"
            assert answered.get(column) == text_of(after[column]), f"{column} became {after[column]!r}"
        assert system.client.get(name, uuid) == answered


@every_resource
def test_an_update_can_merge_every_column_that_it_writes(
    system: Pbx, loaded: Mapping[str, LoadedResource], name: str
) -> None:
    """update.sql writes the whole row: what get.sql does not answer would be lost."""
    resource = loaded[name]
    if "update" not in resource.declaration.standard:
        pytest.skip(f"{name} has no update")
    found = set(columns(system, resource.statement("get")))
    written = set(resource.statement("update").parameters) - {
        "domain_uuid",
        "domain_name",
        resource.declaration.id,
    }
    assert written <= found
