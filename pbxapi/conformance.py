"""What holds for every resource, as tests that any suite can take: the built-in ones and those of plugins.

A test module takes all of them, and says how to come by records::

    from pbxapi.conformance import *  # noqa: F403
    from pbxapi.conformance import Kind

    KINDS = {"pin-numbers": Kind(lambda n: {"pin_number": str(1000 + n)})}

Run by itself (``pytest --pyargs pbxapi.conformance``) it takes every resource of the plugins that are not the
product's own, and guesses what makes a record.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from marshmallow import ValidationError
from werkzeug.routing import Rule

from pbxapi.config import Config
from pbxapi.data.database import Connection, Session
from pbxapi.data.events import number_events
from pbxapi.http import callers
from pbxapi.http.serving import Backlog
from pbxapi.plugin import Change, Digits, Link, Operation, Text, TrueFalse, fields
from pbxapi.plugin.loader import LoadedResource, LoadedRows, Registry, load_plugins, load_registry
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID
from pbxapi.testing import Client, Family, Pbx, Reply, close_pbx, fail_where_left_out, make_pbx, settings_of

FAMILIES: tuple[Family, ...] = ("clean", "php")
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Kind:
    """How to come by records of a resource.

    Attributes:
        body: what makes one, from a number; None where records cannot be made.
        full: uuid of a sample record that has rows in every list that belongs to it, or what makes one.
        open: whether the system's key may see the records of all domains.
        nested: a good nested record of each field that holds some with links.
    """

    body: Callable[[int], Mapping[str, Any]] | None = None
    full: UUID | Callable[[Client], str] | None = None
    open: bool = False
    nested: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {}

_GUESSES: tuple[Callable[[int], Any], ...] = (
    lambda n: f"record {n}",
    lambda n: f"record{n}",
    lambda n: str(70_000 + n),
    lambda n: str(n),
    lambda n: f"record{n}@example.com",
    lambda _: "true",
)


def guess(resource: LoadedResource) -> Kind:
    """A kind whose body holds what the schema requires and what must be unique, as far as it can be told."""
    declaration = resource.declaration
    if "create" not in {o.name for o in declaration.all_operations()}:
        return Kind()
    wanted = {n for n, f in resource.schema.load_fields.items() if f.required}
    wanted |= {column for unique in declaration.uniques for column in unique.columns} | set(declaration.numbers)
    makers = {name: _maker(resource, name) for name in resource.schema.load_fields if name in wanted}
    return Kind(lambda n: {name: maker(n) for name, maker in makers.items()})


def _maker(resource: LoadedResource, name: str) -> Callable[[int], Any]:
    maker = _fitting(resource.schema.load_fields[name])
    if maker is None:
        raise LookupError(f"{resource.declaration.name}: say in KINDS what makes one; no guess fits {name}")
    return maker


def _fitting(declared: fields.Field[Any]) -> Callable[[int], Any] | None:
    """A guess that a field takes."""
    for maker in _GUESSES:
        try:
            declared.deserialize(maker(1))
        except ValidationError:
            continue
        return maker
    return None


def _least(operation: Operation) -> dict[str, Any]:
    """What an operation's body must hold, as far as it can be guessed."""
    if operation.body is None or operation.partial:
        return {}
    required = {name: f for name, f in operation.body().load_fields.items() if f.required}
    return {name: maker(1) for name, f in required.items() if (maker := _fitting(f))}


@dataclass(frozen=True)
class Suite:
    """One telephone system, and the resources that are held to the rules.

    Attributes:
        pbx: the system; each test makes the records that it changes.
        registry: the plugins, loaded for its database.
        kinds: what the test module says of its resources.
    """

    pbx: Pbx
    registry: Registry
    kinds: Mapping[str, Kind]
    _full: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def client(self) -> Client:
        """Calls the API for the first domain."""
        return self.pbx.client

    @cached_property
    def resources(self) -> Mapping[str, LoadedResource]:
        """By name, with their statements for the database at hand."""
        return self.registry.resources

    def kind(self, name: str) -> Kind:
        """How to come by records of a resource."""
        return self.kinds[name] if name in self.kinds else guess(self.resources[name])

    def body(self, name: str) -> dict[str, Any]:
        """What makes a new record."""
        make = self.kind(name).body
        assert make is not None
        return dict(make(next(NUMBERS)))

    def make(self, name: str, client: Client | None = None) -> str:
        """A record's uuid: a new one where it can be made."""
        client = client or self.client
        if self.kind(name).body is not None:
            return client.create(name, **self.body(name))
        return str(client.list(name, per_page=1)[0][self.resources[name].declaration.id])

    def full(self, name: str) -> str:
        """A record that has everything; a plain one where the kind names none."""
        if name not in self._full:
            full = self.kind(name).full
            made = full(self.client) if callable(full) else full
            self._full[name] = str(made or self.make(name))
        return self._full[name]

    def operations(self, name: str) -> list[Operation]:
        """All operations of a resource."""
        return self.resources[name].declaration.all_operations()

    def items(self, name: str) -> list[Operation]:
        """Those on one record."""
        return [o for o in self.operations(name) if o.on == "item"]

    def offers(self, name: str, *operations: str) -> bool:
        """Whether a resource has all these operations."""
        return {*operations} <= {o.name for o in self.operations(name)}

    def calls(
        self, name: str, operation: Operation, uuid: str, part_uuid: str = ""
    ) -> Iterator[tuple[Family, str, str, dict[str, str]]]:
        """Every way to call an operation: family, method, path, query. A part that is not named is none."""
        item = operation.on == "item"
        place = {"uuid": uuid} if item else {}
        part_uuid = part_uuid or str(uuid4())
        if part := operation.part:
            place[part] = part_uuid
        yield "php", operation.methods[0], f"/{name}/{operation.php_name}", place
        below = operation.path.replace(f"<{part}>", part_uuid)
        path = f"/{name}" + (f"/{uuid}" if item else "") + (f"/{below}" if below else "")
        for method in operation.methods:
            yield "clean", method, path, {}

    def way(self, name: str, operation: Operation, family: Family) -> tuple[Family, str, str, dict[str, str]]:
        """How one family calls an operation, on the sample record that has everything."""
        return next(
            c
            for c in self.calls(name, operation, self.full(name) if operation.on == "item" else "")
            if c[0] == family
        )

    def page(
        self,
        name: str,
        operation: str,
        /,
        *,
        client: Client | None = None,
        filters: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """One page of a list, of the sample record that has one where it belongs to a record."""
        client = client or self.client
        found = next(o for o in self.operations(name) if o.name == operation)
        if found.on == "item":
            assert self.kind(name).full, f"KINDS[{name!r}] must name a record with rows for {operation}"
        _, method, path, place = self.way(name, found, client.family)
        reply = client.request(method, path, query={**place, **query, **(filters or {})})
        assert reply.status == 200, f"{path} {query}: {reply.body}"
        return reply


_loaded: dict[int, Registry] = {}


def _declared(config: pytest.Config) -> Registry:
    """The plugins as they are declared, without a database; loaded once a run."""
    if id(config) not in _loaded:
        _loaded[id(config)] = load_plugins(Config(database_url="postgresql://", **settings_of(config)), {})
    return _loaded[id(config)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each resource, list or link of the module's `KINDS`."""
    if "suite" not in metafunc.fixturenames:
        return
    registry = _declared(metafunc.config)
    names: Sequence[str] = list(metafunc.module.KINDS)
    if not names:
        names = [r.declaration.name for p in registry.plugins if not (p.builtin or p.error) for r in p.resources]
    missing = [name for name in names if name not in registry.resources]
    if missing:
        reasons = "; ".join(f"{p.name}: {p.error}" for p in registry.plugins if p.error)
        pytest.fail(f"no plugin serves {', '.join(missing)}. Left out: {reasons or 'nothing'}", pytrace=False)
    served = {name: registry.resources[name] for name in names}
    if "linking" in metafunc.fixturenames:
        links = [(name, linking) for name in names for linking in linkings(served[name])]
        metafunc.parametrize(("name", "linking"), links, ids=[f"{name}-{found.place}" for name, found in links])
    elif "operation" in metafunc.fixturenames:
        metafunc.parametrize(("name", "operation"), [(name, o) for name in names for o in served[name].lists])
    elif "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names)


@pytest.fixture(scope="module")
def suite(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    template: str,
    pbx_settings: Mapping[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Suite]:
    """One telephone system for all tests of the module."""
    with scratch_database(postgres, template) as url:
        root = tmp_path_factory.mktemp("every")
        pbx = make_pbx(url, root, service_url=url_of_role(url), **pbx_settings)
        fail_where_left_out(pbx)
        for client in (pbx.client, pbx.client.of(pbx.other_domain)):
            # Something for the lists of changes, events and imports.
            for _ in range(7):
                line = b'{"extension": "%d"}' % (70_000 + next(NUMBERS))
                reply = client.request("POST", "/extensions/import", body=line, query={"format": "ndjson"})
                assert reply.data["created"] == 1, reply.body
        with pbx.database.writing() as session:
            number_events(session)
        yield Suite(pbx, load_registry(pbx.config, pbx.database), request.module.KINDS)
        close_pbx(pbx)


def test_another_tenants_record_is_not_there(suite: Suite, name: str) -> None:
    kind = suite.kind(name)
    if kind.open:
        pytest.skip("the system's key sees the records of all domains")
    if not suite.items(name):
        pytest.skip(f"{name} has no records")
    other = suite.client.of(suite.pbx.other_domain)
    uuid = suite.make(name, other)
    before = other.get(name, uuid) if "get" in suite.resources[name].statements else None
    label = suite.resources[name].declaration.label
    for operation in suite.items(name):
        for _family, method, path, query in suite.calls(name, operation, uuid):
            reply = suite.client.request(method, path, _least(operation), query=query)
            assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND"), f"{method} {path}: {reply.body}"
            assert reply.error["message"] == f"{label} not found"
    if before is not None:
        assert other.get(name, uuid) == before


def test_a_record_that_nobody_has_is_not_there(suite: Suite, name: str) -> None:
    for operation in suite.items(name):
        for _family, method, path, query in suite.calls(name, operation, str(uuid4())):
            reply = suite.client.request(method, path, _least(operation), query=query)
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


def linkings(resource: LoadedResource) -> Iterator[Linking]:
    """Every field of a resource that links."""
    for top, declared in resource.schema.load_fields.items():
        if isinstance(declared, Link):
            yield Linking(top, top, declared, lambda uuid, _good: uuid)
        elif isinstance(declared, fields.List) and isinstance(declared.inner, Link):
            yield Linking(top, f"{top}.0", declared.inner, lambda uuid, _good: [uuid])
        elif isinstance(declared, fields.Nested):
            for inner, link in declared.schema.load_fields.items():
                if isinstance(link, Link):
                    place = f"{top}.0.{inner}" if declared.many else f"{top}.{inner}"
                    yield Linking(top, place, link, partial(_nested_link, inner, bool(declared.many)))


def _nested_link(inner: str, many: bool, uuid: str, good: Mapping[str, Any]) -> Any:
    record = {**good, inner: uuid}
    return [record] if many else record


def test_a_link_to_another_tenants_record_is_refused(suite: Suite, name: str, linking: Linking) -> None:
    link, kind = linking.link, suite.kind(name)
    foreign = uuid4()
    suite.pbx.run(
        f"insert into {link.table} ({link.column}, domain_uuid) values (%(uuid)s, %(domain)s)",
        uuid=foreign,
        domain=SECOND_DOMAIN_UUID,
    )
    client = suite.client
    own = suite.make(name, client)
    for target in (str(foreign), str(foreign).upper(), str(uuid4())):
        value = linking.value(target, kind.nested.get(linking.top, {}))
        replies = [client.call(name, "update", own, {linking.top: value})]
        if kind.body is not None:
            replies.append(client.call(name, "create", json={**kind.body(next(NUMBERS)), linking.top: value}))
        for reply in replies:
            assert reply.status == 400, reply.body
            assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", linking.place)


def test_both_families_answer_the_same(suite: Suite, name: str) -> None:
    if suite.kind(name).body is not None:
        suite.make(name)
    for operation in suite.resources[name].declaration.all_operations():
        if not operation.reads or operation.files:
            continue
        uuid = ""
        if operation.on == "item":
            uuid = suite.full(name)
        replies = [
            suite.client.request(method, path, query=query)
            for _family, method, path, query in suite.calls(name, operation, uuid)
        ]
        assert replies[0].status == 200, replies[0].body
        assert all((r.status, r.body) == (replies[0].status, replies[0].body) for r in replies)


# Lists


def ids(reply: Reply, rows: LoadedRows) -> list[str]:
    return [row[rows.declaration.id] for row in reply.data]


PAGES_MOST = 4


def walk(suite: Suite, name: str, operation: str, sort: str) -> tuple[list[dict[str, Any]], bool]:
    """The rows by page numbers, after checking that a cursor gives the same; and whether those were all."""
    rows = suite.resources[name].lists[operation]
    first = suite.page(name, operation, sort=sort, per_page=1)
    total = first.body["pagination"]["total"]
    per_page = min(max(total // 3, 2), 100)
    pages = min(-(-total // per_page), PAGES_MOST)
    by_number = [
        row
        for number in range(1, pages + 1)
        for row in suite.page(name, operation, sort=sort, per_page=per_page, page=number).data
    ]
    by_cursor: list[dict[str, Any]] = []
    cursor: str | None = ""
    for _ in range(pages):
        assert cursor is not None, "the cursor ends before the pages do"
        reply = suite.page(name, operation, sort=sort, per_page=per_page, cursor=cursor)
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


def test_a_list_is_the_same_by_cursor_and_by_page_in_every_order(suite: Suite, name: str, operation: str) -> None:
    rows = suite.resources[name].lists[operation]
    if suite.kind(name).body is not None and operation == "list":
        for _ in range(5):
            suite.make(name)
    for sort, order in rows.listing.sorts.items():
        up, whole = walk(suite, name, operation, sort)
        down, _ = walk(suite, name, operation, f"-{sort}")
        assert up, f"there is nothing to list in {name} {operation}"
        if whole:
            assert down == up[::-1]
        if order.column in rows.row and order.kind in ("natural", "text"):
            key = natural if order.kind == "natural" else (lambda text: str(text or "").lower())
            values = [key(row[order.column]) for row in up]
            assert values == sorted(values)


def test_a_list_shows_its_declared_columns_and_no_secret(suite: Suite, name: str, operation: str) -> None:
    rows = suite.resources[name].lists[operation]
    reply = suite.page(name, operation)
    assert reply.data
    for row in reply.data:
        assert list(row) == list(rows.row)
    assert not set(rows.row) & suite.resources[name].secrets
    assert set(rows.row) <= set(rows.schema.dump_fields)


def test_search_finds_a_part_of_a_main_column(suite: Suite, name: str, operation: str) -> None:
    rows = suite.resources[name].lists[operation]
    declared = rows.declaration.search
    assert suite.page(name, operation, search="no row holds this text").data == []
    shown = [column for column in declared if column in rows.row]
    for column in shown:
        for row in suite.page(name, operation, per_page=100).data:
            text = str(row[column])
            if len(text) < 2:
                continue
            found = suite.page(name, operation, search=text[1:].upper(), per_page=100)
            assert found.body["pagination"]["total"] >= 1
            if set(declared) <= set(rows.row):
                for hit in found.data:
                    assert any(text[1:].lower() in str(hit[c]).lower() for c in declared), hit
            break


def test_a_filter_compares_for_equality(suite: Suite, name: str, operation: str) -> None:
    rows = suite.resources[name].lists[operation]
    some = suite.page(name, operation, per_page=100).data
    for column in rows.declaration.filters:
        values = {str(row[column]) for row in some if row.get(column) not in (None, "")}
        for value in sorted(values)[:2]:
            found = suite.page(name, operation, per_page=100, filters={column: value})
            assert {str(row[column]) for row in found.data} == {value}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_filter_or_order_that_is_unknown_is_ignored_or_refused(
    suite: Suite, name: str, operation: str, family: Family
) -> None:
    client = suite.client.through(family)
    plain = suite.page(name, operation, client=client).body
    found = next(o for o in suite.resources[name].declaration.all_operations() if o.name == operation)
    for query in ({"no_such_filter": "1"}, {"sort": "no_such_order"}, {"sort": "--"}, {"sort": "1; drop table x"}):
        if family == "php":
            assert suite.page(name, operation, client=client, filters=query).body == plain
            continue
        _, method, path, place = suite.way(name, found, "clean")
        reply = client.request(method, path, query={**place, **query})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR")
        assert reply.error["field"] == next(iter(query))


def token(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cursor_that_is_none_is_refused(suite: Suite, name: str, operation: str, family: Family) -> None:
    client = suite.client.through(family)
    found = next(o for o in suite.resources[name].declaration.all_operations() if o.name == operation)
    _, method, path, place = suite.way(name, found, family)
    rows = suite.resources[name].lists[operation]
    uuid = str(uuid4())
    for sort, order in rows.listing.sorts.items():
        forged = [
            *("nonsense", "%%%", "\u00fc", "=", "A", "bnVsbA", "x" * 5000),
            *(token(), token(sort), token(sort, "1"), token(sort, "1", "no uuid"), token(sort, "1", None)),
            *(token(sort, "1", uuid, 1), token("no such order", "1", uuid), token(f"-{sort}", "1", uuid)),
            *(token(sort, "a\0b", uuid), token([sort], "1", uuid), token({"sort": sort}, "1", uuid)),
        ]
        if order.kind in ("number", "time"):
            values: tuple[Any, ...] = ("nonsense", "", "1e999999", "99999-99-99", [], {}, 17)
            forged += [token(sort, value, uuid) for value in values]
        for cursor in forged:
            reply = client.request(method, path, query={**place, "sort": sort, "cursor": cursor})
            assert reply.status == 400, f"{cursor}: {reply.body}"
            assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", "cursor")


# Statements


@pytest.fixture
def count_statements(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """Counts the statements of what it is given, without those that look up key and domain."""
    ran = 0
    execute = Session._execute

    def counting(session: Session, *arguments: Any) -> Any:
        nonlocal ran
        ran += 1
        return execute(session, *arguments)

    def count(action: Callable[[], Any]) -> int:
        nonlocal ran
        for _ in range(2):  # after which a large total is remembered
            action()
        ran = 0
        action()
        return ran

    monkeypatch.setattr(callers, "SECONDS", 60.0)
    monkeypatch.setattr(Session, "_execute", counting)
    return count


@pytest.fixture
def count_rounds(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """Counts the round trips to PostgreSQL of what it is given, without those that look up key and domain."""
    made = 0
    ask = Connection.ask

    def counting(connection: Connection, asked: Any) -> None:
        nonlocal made
        made += 1
        ask(connection, asked)

    def count(action: Callable[[], Any]) -> int:
        nonlocal made
        action()
        made = 0
        action()
        return made

    monkeypatch.setattr(callers, "SECONDS", 60.0)
    monkeypatch.setattr(Backlog, "SECONDS", 60.0)
    monkeypatch.setattr(Connection, "ask", counting)
    return count


def test_a_create_asks_for_all_that_it_checks_at_once_and_writes_with_its_commit(
    suite: Suite, name: str, count_rounds: Callable[[Callable[[], Any]], int]
) -> None:
    if suite.kind(name).body is None:
        pytest.skip(f"{name} has no create")
    declaration = suite.resources[name].declaration
    rounds = count_rounds(lambda: suite.make(name))
    if "create" in declaration.standard and not (declaration.prepare or declaration.store):
        assert rounds == 2
    assert rounds <= 5, "Call.soon, Call.do and Resource.settings spare most of what a create waits for"


def test_the_statements_of_a_list_do_not_grow_with_its_rows(
    suite: Suite, name: str, operation: str, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    few = count_statements(lambda: suite.page(name, operation, per_page=1))
    many = count_statements(lambda: suite.page(name, operation, per_page=100))
    assert few == many
    assert many <= 3, "a list is one statement for its rows and one for their number"


def test_the_statements_of_a_get_do_not_grow_with_the_rows(
    suite: Suite, name: str, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    if "get" not in {o.name for o in suite.items(name)}:
        pytest.skip(f"{name} has no get")
    uuid = suite.full(name)
    before = count_statements(lambda: suite.client.get(name, uuid))
    if suite.kind(name).body is not None:
        for _ in range(5):
            suite.make(name)
    assert count_statements(lambda: suite.client.get(name, uuid)) == before
    assert before <= 4


def columns(suite: Suite, statement: Any) -> list[str]:
    """The columns that a statement really returns."""
    parameters = dict.fromkeys(statement.parameters) | {"domain_uuid": DOMAIN_UUID}
    with suite.pbx.database.lend() as connection:
        description = connection.execute(statement.text, parameters).description
    return [column.name for column in description or ()]


def test_a_lists_statement_returns_what_the_list_uses_and_nothing_else(
    suite: Suite, name: str, operation: str
) -> None:
    rows = suite.resources[name].lists[operation]
    sorts = (sort.column for sort in rows.listing.sorts.values())
    used = {*rows.row, rows.declaration.id, *rows.search, *rows.filters, *sorts}
    found = columns(suite, rows.listing.statement)
    assert len(set(found)) == len(found)
    assert set(found) == used


def test_get_answers_the_fields_of_the_schema_neither_more_nor_less(suite: Suite, name: str) -> None:
    resource = suite.resources[name]
    if "get" not in resource.statements:
        pytest.skip(f"{name} has no get")
    declared = set(resource.schema.dump_fields) - resource.statement("get").absent
    found = columns(suite, resource.statement("get"))
    assert len(set(found)) == len(found)
    for uuid in {suite.make(name), suite.full(name)}:
        answered = suite.client.get(name, uuid)
        parameters = dict.fromkeys(resource.statement("get").parameters)
        known = {resource.declaration.id: uuid, "domain_uuid": DOMAIN_UUID}
        row = suite.pbx.rows(resource.statement("get").text, **{**parameters, **known})[0]
        absent = {column for column, value in row.items() if value is None}
        assert set(answered) <= declared
        assert declared - set(answered) <= absent


def test_get_answers_text_and_flags_as_the_contract_spells_them(suite: Suite, name: str) -> None:
    resource = suite.resources[name]
    if "get" not in {o.name for o in suite.items(name)}:
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

    for uuid in {suite.make(name), suite.full(name)}:
        for column, value in suite.client.get(name, uuid).items():
            check(value, column)


def text_of(value: Any) -> Any:
    """How get spells what a column holds."""
    return (
        {True: "true", False: "false", None: ""}.get(value, str(value)) if not isinstance(value, list) else value
    )


def test_an_update_leaves_what_was_not_sent_as_it_was(suite: Suite, name: str) -> None:
    """An update writes the whole row. What get answers may replace what nobody had set, and nothing else."""
    resource = suite.resources[name]
    declaration = resource.declaration
    if "update" not in declaration.standard or not declaration.table:
        pytest.skip(f"{name} has no update of a table")
    for uuid in {suite.make(name), suite.full(name)}:
        select = f"select * from {declaration.table} where {declaration.id} = %(uuid)s::uuid"
        before, answered = suite.pbx.rows(select, uuid=uuid)[0], suite.client.get(name, uuid)
        writable = [f for f in resource.schema.load_fields if isinstance(answered.get(f), str)]
        writable = [f for f in writable if f not in resource.secrets]
        field = next((f for f in writable if f.endswith("description")), writable[0])
        reply = suite.client.call(name, "update", uuid, {field: answered[field]})
        assert reply.status == 200, reply.body
        after = suite.pbx.rows(select, uuid=uuid)[0]
        changed = {column for column in after if after[column] != before[column]} - {"update_date", "update_user"}
        for column in changed:
            assert before[column] in (None, ""), f"{column} was {before[column]!r} and is {after[column]!r}"
            assert answered.get(column) == text_of(after[column]), f"{column} became {after[column]!r}"
        assert suite.client.get(name, uuid) == answered


def test_an_update_can_merge_every_column_that_it_writes(suite: Suite, name: str) -> None:
    """update.sql writes the whole row: what get.sql does not answer would be lost."""
    resource = suite.resources[name]
    if "update" not in resource.declaration.standard:
        pytest.skip(f"{name} has no update")
    found = set(columns(suite, resource.statement("get")))
    written = set(resource.statement("update").parameters) - {
        "domain_uuid",
        "domain_name",
        resource.declaration.id,
    }
    assert written <= found


# A record's life


@pytest.mark.parametrize("family", FAMILIES)
def test_a_record_lives_from_create_to_delete(suite: Suite, name: str, family: Family) -> None:
    if suite.kind(name).body is None or not suite.offers(name, "get", "delete"):
        pytest.skip(f"{name} has no create, get and delete")
    client, declaration = suite.client.through(family), suite.resources[name].declaration
    made = client.call(name, "create", json=suite.body(name))
    assert (made.status, made.body["message"]) == (201, f"{declaration.label} created successfully")
    uuid = made.data[declaration.id]
    answered = client.get(name, uuid)
    assert answered[declaration.id] == uuid
    text = next((n for n in suite.resources[name].schema.load_fields if n.endswith("description")), "")
    if text and suite.offers(name, "update"):
        assert client.update(name, uuid, **{text: "Étage 2"}).body["message"] == (
            f"{declaration.label} updated successfully"
        )
        assert client.get(name, uuid) == {**answered, text: "Étage 2"}
    gone = client.call(name, "delete", uuid)
    assert (gone.status, gone.body["message"]) == (200, f"{declaration.label} deleted successfully")
    for operation in ("get", "delete"):
        assert client.call(name, operation, uuid).status == 404


def test_what_must_be_unique_is_taken_once(suite: Suite, name: str) -> None:
    declaration = suite.resources[name].declaration
    if suite.kind(name).body is None or not (declaration.uniques or declaration.numbers):
        pytest.skip(f"{name} has nothing unique")
    body = suite.body(name)
    suite.client.create(name, **body)
    again = suite.client.call(name, "create", json=body)
    assert (again.status, again.error["code"]) == (409, "DUPLICATE_ERROR"), again.body
    assert again.error["field"] in {*declaration.numbers, *(c for u in declaration.uniques for c in u.columns)}
    elsewhere = suite.client.of(suite.pbx.other_domain).call(name, "create", json=body)
    everywhere = any(unique.everywhere for unique in declaration.uniques)
    assert elsewhere.status == 201 or everywhere, "another domain's records are nothing to this one"


def test_an_etag_stands_for_a_record_until_it_changes(suite: Suite, name: str) -> None:
    if not suite.offers(name, "get") or "get" not in suite.resources[name].statements:
        pytest.skip(f"{name} has no get.sql")
    uuid = suite.full(name)
    first, again = suite.client.call(name, "get", uuid), suite.client.call(name, "get", uuid)
    assert first.headers["ETag"] == again.headers["ETag"], "what get.sql answers changes by itself"
    known = {"If-None-Match": first.headers["ETag"]}
    assert suite.client.call(name, "get", uuid, headers=known).status == 304
    if suite.offers(name, "update", "delete"):
        for operation in ("update", "delete"):
            reply = suite.client.call(name, operation, uuid, {}, headers={"If-Match": '"other"'})
            assert (reply.status, reply.error["code"]) == (412, "PRECONDITION_FAILED")
        match = {"If-Match": first.headers["ETag"]}
        assert suite.client.call(name, "update", uuid, {}, headers=match).status == 200


_NEVER_TEXT: tuple[Any, ...] = ({"a": 1}, ["x"], True, "a\0b", "a\x1bb", "x" * 100_000)


def test_what_a_field_cannot_hold_is_refused_with_its_name(suite: Suite, name: str) -> None:
    if not suite.offers(name, "update") or suite.kind(name).body is None:
        pytest.skip(f"{name} has no update")
    uuid = suite.make(name)
    kinds: tuple[type, ...] = (Text, Digits, TrueFalse, Link)
    for column, declared in suite.resources[name].schema.load_fields.items():
        for value in _NEVER_TEXT:
            if value is True and isinstance(declared, TrueFalse):
                continue
            sent = json.dumps({column: value}).encode()
            reply = suite.client.request("PUT", f"/{name}/{uuid}", body=sent)
            assert reply.status < 500, f"{column} = {str(value)[:40]!r}: {reply.body}"
            if isinstance(declared, kinds):
                assert reply.status == 400, f"{column} = {str(value)[:40]!r}: {reply.body}"
                assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", column)
    assert suite.client.request("PUT", f"/{name}/{uuid}", body=b"[1]").status == 400


def test_a_field_that_is_unknown_is_ignored_or_refused(suite: Suite, name: str) -> None:
    if suite.kind(name).body is None:
        pytest.skip(f"{name} has no create")
    clean = suite.client.call(name, "create", json={**suite.body(name), "no_such_field": "1"})
    assert (clean.status, clean.error["field"]) == (400, "no_such_field")
    php = suite.client.through("php").call(name, "create", json={**suite.body(name), "no_such_field": "1"})
    assert php.status == 201, php.body


def test_every_change_can_be_applied_on_the_switch(suite: Suite, name: str) -> None:
    if suite.kind(name).body is None or not suite.offers(name, "update", "delete"):
        pytest.skip(f"{name} has no create, update and delete")
    client, body = suite.client, suite.body(name)
    made = client.call(name, "create", json=body)
    uuid = made.data[suite.resources[name].declaration.id]
    replies = [made]
    for operation, sent in (("update", suite.body(name)), ("delete", None)):
        assert suite.pbx.apply() >= 1
        replies.append(client.call(name, operation, uuid, sent))
        assert replies[-1].status == 200, replies[-1].body
    suite.pbx.apply()
    for reply in replies:
        if "X-Change-Id" in reply.headers:
            change = suite.pbx.change(reply)
            assert change["state"] == "applied", change


def test_effects_are_computed_from_the_same_rows_for_many_changes_as_for_one(suite: Suite, name: str) -> None:
    resource, pbx = suite.resources[name], suite.pbx
    if resource.declaration.effects is None or resource.current not in resource.statements:
        pytest.skip(f"the effects of {name} are not computed from {resource.current}.sql")
    (domain,) = pbx.rows("select domain_uuid, domain_name from v_domains where domain_name = %(n)s", n=pbx.domain)
    uuids = [UUID(suite.full(name)), uuid4(), UUID(suite.make(name))]
    together = [(uuid, domain["domain_uuid"], domain["domain_name"]) for uuid in uuids]
    known: dict[Hashable, Any] = {}
    given = {**resource.declaration.parameters, **domain, "domains": None}
    with pbx.database.reading() as session:
        for uuid in uuids:
            change = Change(
                resource=resource,
                session=session,
                action="update",
                uuid=uuid,
                **domain,
                old={},
                changed=frozenset(),
                config=pbx.config,
                hostname="",
                known=known,
                together=together,
            )
            alone = session.rows(resource.statement(resource.current), **{**given, resource.declaration.id: uuid})
            assert change.own(resource.current) == alone


# What the API says of itself, and to whom


def test_the_document_names_every_operation_in_both_families(suite: Suite, name: str) -> None:
    document = suite.client.request("GET", "/openapi.json").body
    prefix = suite.pbx.config.url_prefix
    for operation in suite.operations(name):
        for _family, method, path, _query in suite.calls(name, operation, "{uuid}", f"{{{operation.part}}}"):
            assert method.lower() in document["paths"].get(prefix + path, {}), f"{method} {path}"


def test_nothing_of_it_opens_without_a_key_or_a_domain(suite: Suite, name: str) -> None:
    rules: list[Rule] = list(suite.pbx.app.url_map.iter_rules())
    place = f"{suite.pbx.config.url_prefix}/{name}"
    rules = [rule for rule in rules if rule.rule == place or rule.rule.startswith(place + "/")]
    assert rules
    for rule in rules:
        path = re.sub(r"<[^>]+>", str(uuid4()), rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            for headers, code in (
                ({"X-Domain": suite.pbx.domain}, "UNAUTHORIZED"),
                ({"X-Domain": suite.pbx.domain, "X-API-Key": "wrong"}, "UNAUTHORIZED"),
                ({"X-API-Key": suite.client.key}, "MISSING_DOMAIN"),
            ):
                reply = suite.pbx.app.test_client().open(path, method=method, headers=headers)
                assert reply.get_json()["error"]["code"] == code, f"{method} {path}"


__all__ = [
    "KINDS",
    "Kind",
    "Suite",
    "count_rounds",
    "count_statements",
    "guess",
    "pytest_generate_tests",
    "suite",
    *(name for name in dir() if name.startswith("test_")),
]
