"""The declaration of a resource, and of its operations."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from marshmallow import Schema

from pbxapi.data.listing import Sort
from pbxapi.plugin import crud, imports
from pbxapi.plugin.call import Answer, Call
from pbxapi.plugin.effects import Effect
from pbxapi.plugin.expectations import Expectation
from pbxapi.plugin.fields import Record
from pbxapi.plugin.tables import LINES

if TYPE_CHECKING:
    from pbxapi.plugin.change import Change

BODY_MOST = 1024 * 1024
"""Bytes of a request's body, where an operation does not say otherwise."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A list that is answered in pages: a resource's own, or one of what belongs to a record.

    An `Operation` with rows and the handler `list_records` takes and answers what every list does: page,
    per_page, cursor, search, sort, filters.

    Attributes:
        statement: name of its select; it sees ``%(domain_uuid)s``, the fields of `query` by name, and the uuid
            of the record that it belongs to under the name of `Resource.id`.
        id: column of a row's own uuid, the last word in every order.
        schema: one row.
        row: the fields that are answered; all but nested and secret ones when left out.
        search: columns that ``search=`` looks into.
        sort: sort orders by name; a text names a column in natural order.
        order: the order when none is asked for; the first of `sort` when left out.
        filters: columns that can be filtered by equality.
        query: schema of further parameters, which the statement sees by name (None when not sent).
        count_most: the total is counted exactly up to here and estimated above; None counts always.
    """

    statement: str
    id: str
    schema: type[Record]
    row: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    sort: Mapping[str, Sort] | Sequence[str] = ()
    order: str = ""
    filters: tuple[str, ...] = ()
    query: type[Schema] | None = None
    count_most: int | None = None

    @property
    def sorts(self) -> dict[str, Sort]:
        """`sort`, spelled out; by uuid where nothing is declared."""
        if isinstance(self.sort, Mapping):
            return dict(self.sort)
        return {name: Sort(name) for name in self.sort} or {self.id: Sort(self.id, "text")}


@dataclass(frozen=True)
class Operation:
    """One thing that can be done with a resource.

    Attributes:
        name: unique in the resource; the last part of the ``.php`` URL unless `php` says otherwise.
        handler: does it, within the caller's session.
        methods: of the clean URL; the ``.php`` URL takes the first.
        on: the whole ``collection``, or one ``item``, whose record is loaded first (404 where it is not there).
        path: of the clean URL, below the collection or the item. One of its words can be ``<name>``: a uuid,
            which is `Call.part`; the ``.php`` URL has it in its query.
        php: file name of the ``.php`` URL without the ending.
        query: schema of the query parameters; `rows` brings its own.
        body: schema of the body; ``partial`` says whether only what was sent counts.
        takes: media types of a body that is no JSON object; `Call.content` is what came, whatever its type.
        body_most: bytes of a body at most.
        answer: schema of ``data``, for the documentation.
        media: further media types that it answers to a caller who prefers them; `Call.media` says which.
        many: whether ``data`` is a list.
        rows: what is listed in pages; says what ``data`` is.
        streams: whether it answers rows of the resource's export as CSV or NDJSON, and no envelope.
        writes: whether it runs in a transaction.
        scope: what a key needs for it; ``<resource>:read``, or ``:write`` where it writes, when left out.
        files: media types of the file that it answers, instead of JSON.
        summary: one line for the documentation.
    """

    name: str
    handler: Callable[[Call], Answer]
    methods: tuple[Method, ...] = ("GET",)
    on: Literal["collection", "item"] = "collection"
    path: str = ""
    php: str = ""
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    partial: bool = False
    takes: tuple[str, ...] = ()
    body_most: int = BODY_MOST
    answer: type[Schema] | None = None
    media: tuple[str, ...] = ()
    many: bool = False
    rows: Rows | None = None
    streams: bool = False
    writes: bool = False
    status: int = 200
    scope: str = ""
    files: tuple[str, ...] = ()
    summary: str = ""

    @property
    def part(self) -> str:
        """The name of the uuid in `path`; empty where there is none."""
        return self.path.partition("<")[2].partition(">")[0]

    @property
    def php_name(self) -> str:
        """The file of the ``.php`` URL, such as ``list.php``."""
        return f"{self.php or self.name}.php"

    @property
    def reads(self) -> bool:
        """Whether nothing is different afterwards; one without a transaction may still do something outside."""
        return not self.writes and "GET" in self.methods


@dataclass(frozen=True)
class Unique:
    """Columns that no two records may share.

    Attributes:
        columns: compared together, in any letter case.
        everywhere: over all domains instead of within one; a function where a setting says so.
        free: values of the first column that any number of records may have: placeholders.
    """

    columns: tuple[str, ...]
    everywhere: bool | Callable[[Call], bool] = False
    free: tuple[str, ...] = ()


Prepare = Callable[[Call, dict[str, Any], "Mapping[str, Any] | None"], None]
Store = Callable[[Call, Mapping[str, Any], "Mapping[str, Any] | None"], None]
StoreNew = Callable[[Call, Sequence[crud.Made]], Generator[None, Sequence[crud.Made], None]]

STANDARD = ("list", "get", "create", "update", "delete")

PAST = {"create": "created", "update": "updated", "delete": "deleted"}
"""What a change has done, as its event's type says it."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource: what it is called, what its records look like, where they are, what a change of one does.

    With ``list.sql``, ``get.sql``, ``create.sql``, ``update.sql`` and ``delete.sql`` beside it that is all. The
    statements see ``%(domain_uuid)s``, the record's uuid under the name `id`, and the schema's fields by name.

    Attributes:
        name: of the URLs, such as ``inbound-routes``.
        label: for messages, such as ``Inbound route``.
        id: the column and field of a record's uuid.
        schema: input and answer of one record.
        table: where the records are; for the audit row, locks and unique checks.
        row: fields of a list's row; all that `get.sql` answers when left out.
        sql: folder of the statements, when it is not named as the resource.
        uses: further folders, whose statements are called ``folder/name``: what belongs to other resources too.
        parameters: values that its statements see besides, by name: what tells it from others of the same table.
        app_uuid: FusionPBX's uuid of the application, for the audit row.
        search: columns that ``search=`` looks into.
        sort: sort orders by name; a text names a column in natural order.
        order: the order of a list when none is asked for; the first of `sort` when left out.
        filters: columns that a list can be filtered by equality.
        query: schema of further list parameters, which ``list.sql`` sees by name (None when not sent).
        count_most: a list's total is counted exactly up to here and estimated above; None counts always.
        unique: columns, or `Unique`, that no two records share.
        numbers: fields that hold a number dialled in the domain.
        indexes: indexes that its statements want, as ``table (columns)``; doctor tells which are missing.
        limit: name of the setting ``limit/...`` that bounds how many there may be.
        settings: FusionPBX's settings that its writes look at (`Call.settings`), as ``category/subcategory``: they
            and the limit are read in one statement, once in a call.
        standard: which of list, get, create, update, delete are offered.
        bulk: ``import`` makes records of the lines of a file; ``export`` streams all rows as CSV or NDJSON: those
            of ``export.sql``, with every field that can be written, where there is one, else those of the list.
        operations: further operations, or replacements of standard ones by name.
        prepare: completes and checks a record before it is written: ``(call, record, old or None)``.
        store: writes what belongs to it elsewhere, after the record: ``(call, record, old or None)``.
        store_new: does what `store` does, for all records that one request makes: ``(call, made)``, a generator.
            What it asks for before its ``yield`` (`Call.soon`) is answered together with the checks; the yield
            gives those of the records that are right, and it refuses none of them. `store` is for updates only
            then.
        remove: removes what belongs to it elsewhere, before the record: ``(call, record)``.
        show: completes what `get` answers: ``(call, record)``.
        keep: fields whose old values the effects need.
        effects: what a change does to a switch node, computed there from the current rows.
        expects: what the switch should say of a record, from the current rows; for `pbxapi reconcile`.
    """

    name: str
    label: str
    id: str
    schema: type[Record]
    table: str = ""
    row: tuple[str, ...] = ()
    sql: str = ""
    uses: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    app_uuid: UUID | None = None
    search: tuple[str, ...] = ()
    sort: Mapping[str, Sort] | Sequence[str] = ()
    order: str = ""
    filters: tuple[str, ...] = ()
    query: type[Schema] | None = None
    count_most: int | None = None
    unique: tuple[str | Unique, ...] = ()
    numbers: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    limit: str = ""
    settings: tuple[str, ...] = ()
    standard: tuple[str, ...] = STANDARD
    bulk: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    prepare: Prepare | None = None
    store: Store | None = None
    store_new: StoreNew | None = None
    remove: Callable[[Call, Mapping[str, Any]], None] | None = None
    show: Callable[[Call, dict[str, Any]], None] | None = None
    keep: tuple[str, ...] = ()
    effects: Callable[[Change], Iterable[Effect]] | None = None
    expects: Callable[[Change], Iterable[Expectation]] | None = None

    @property
    def uniques(self) -> tuple[Unique, ...]:
        """`unique`, spelled out."""
        return tuple(u if isinstance(u, Unique) else Unique((u,)) for u in self.unique)

    @property
    def rows(self) -> Rows:
        """Its own list."""
        return Rows(
            statement="list",
            id=self.id,
            schema=self.schema,
            row=self.row,
            search=self.search,
            sort=self.sort,
            order=self.order,
            filters=self.filters,
            query=self.query,
            count_most=self.count_most,
        )

    @property
    def noun(self) -> str:
        """The label as the first part of an event's type: ``extension``, ``inbound-route``."""
        return "-".join(self.label.lower().split())

    @property
    def changes(self) -> list[str]:
        """Which of create, update and delete can befall a record."""
        offered = {operation.name for operation in self.all_operations() if operation.writes}
        # An operation of its own, such as the rotation of a key, notes an update of a record.
        further = bool(self.table and offered - PAST.keys())
        return [action for action in PAST if action in offered or (action == "update" and further)]

    def event(self, action: str) -> str:
        """The type of the event that tells of a change: ``extension.created``."""
        return f"{self.noun}.{PAST[action]}"

    def scope(self, operation: Operation) -> str:
        """What a key needs for an operation."""
        return operation.scope or f"{self.name}:{'write' if operation.writes else 'read'}"

    def all_operations(self) -> list[Operation]:
        """Standard ones and further ones, each name once."""
        found = {o.name: o for o in _standard(self) if o.name in (*self.standard, *self.bulk)}
        found.update({o.name: o for o in self.operations})
        return list(found.values())


def _standard(resource: Resource) -> list[Operation]:
    label, schema = resource.label, resource.schema
    one = label.lower() if not label.isupper() else label
    a_one = f"{'an' if label[0] in 'AEIO' else 'a'} {one}"
    return [
        Operation("list", crud.list_records, rows=resource.rows, summary=f"List {resource.name}"),
        Operation("create", crud.create_record, ("POST",), body=schema, answer=schema, writes=True, status=201,
                  summary=f"Create {a_one}"),
        Operation("get", crud.get_record, on="item", answer=schema, summary=f"Get {a_one}"),
        Operation("update", crud.update_record, ("PUT", "PATCH"), "item", body=schema, partial=True, answer=schema,
                  writes=True, summary=f"Update {a_one}"),
        Operation("delete", crud.delete_record, ("DELETE",), "item", writes=True, summary=f"Delete {a_one}"),
        Operation("export", crud.export_records, path="export", media=LINES, streams=True,
                  summary=f"Export {resource.name}"),
        Operation("import", imports.import_records, ("POST",), path="import", takes=LINES,
                  query=imports.ImportQuery, body_most=imports.BODY_MOST, answer=imports.ImportReport, writes=True,
                  summary=f"Import {resource.name}"),
    ]  # fmt: skip
