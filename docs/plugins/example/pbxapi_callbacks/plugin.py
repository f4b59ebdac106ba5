"""Callbacks: whom the domain has promised to call back."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import (
    Answer,
    Call,
    Change,
    CheckRun,
    Command,
    CommandRun,
    Effect,
    EventType,
    Job,
    JobRun,
    Link,
    Metric,
    Operation,
    Plugin,
    Record,
    Resource,
    Rows,
    RunTask,
    Setting,
    Sort,
    Text,
    fields,
    invalid,
    list_records,
    not_found,
    validate,
)


class Callback(Record):
    callback_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    number = Text(max=64, pattern=r"\+?[0-9*#]+", expected="a number to dial", required=True)
    extension_uuid = Link("v_extensions", "extension_uuid", load_default="")
    description = Text(max=1000, load_default="")
    state = Text(dump_only=True, metadata={"enum": ["open", "late", "done", "given up"]})


class Wanted(Record):
    state = Text(pattern="open|late", expected="open or late", load_default="")


class Attempt(Record):
    attempt_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    outcome = fields.String(required=True, validate=validate.OneOf(["busy", "no answer", "talked"]))
    noted_at = Text(dump_only=True)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """A new callback is looked at again later, by a job."""
    if old is None:
        delay = call.options["PBXAPI_CALLBACKS_REMIND_SECONDS"]
        call.later("remind", delay=delay, callback_uuid=record["callback_uuid"])


def next_callback(call: Call) -> Answer:
    """The oldest one that waits, for whoever has a minute."""
    found = call.row("next", state=call.query.get("state", ""))
    if found is None:
        raise not_found("Nobody waits for a call")
    return Answer(dict(found))


def add_attempt(call: Call) -> Answer:
    """Note an attempt; one in which somebody talked ends the callback."""
    assert call.uuid is not None
    if call.record["state"] in ("done", "given up"):
        raise invalid(f"the callback is {call.record['state']}")
    uuid = uuid4()
    call.do("add_attempt", attempt_uuid=uuid, callback_uuid=call.uuid, outcome=call.data["outcome"])
    if call.data["outcome"] == "talked":
        call.do("finish", callback_uuid=call.uuid, state="done")
    call.note_change("update", call.uuid, call.record)
    return Answer({"attempt_uuid": uuid}, 201, "Attempt noted")


def effects(change: Change) -> Iterator[Effect]:
    """The wallboard of each node shows how many are open."""
    board = change.options["PBXAPI_CALLBACKS_BOARD"]
    if board is not None:
        row = change.row("count_open")
        words = {"board": str(board), "domain": str(change.domain_uuid), "open": str(row["open"] if row else 0)}
        yield RunTask("callbacks", "show", tuple(words.items()))


def show(board: str, domain: str, open: str) -> None:
    """The task in a node's worker: write the wallboard's file."""
    Path(board, f"{domain}.txt").write_text(f"{open}\n", "utf-8")


def remind(run: JobRun) -> None:
    """A callback that is still open is late, and whoever listens is told."""
    late = run.session.run(
        "update plugin_callbacks.callback set state = 'late'"
        " where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s and state = 'open'",
        **run.arguments,
    )
    if late:
        domain, callback = (UUID(run.arguments[name]) for name in ("domain_uuid", "callback_uuid"))
        run.tell("callbacks.late", {"callback_uuid": callback}, domain_uuid=domain, record_uuid=callback)


def expire(run: JobRun) -> None:
    """Every hour: what is open for too long is given up, in all domains."""
    given_up = run.session.run(
        "update plugin_callbacks.callback set state = 'given up'"
        " where (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s))"
        " and state in ('open', 'late') and insert_date < now() - make_interval(days => %(days)s)",
        domains=None,
        days=run.options["PBXAPI_CALLBACKS_EXPIRE_DAYS"],
    )
    run.log.info("%d callbacks are given up", given_up)


def by_state(run: CheckRun) -> dict[tuple[str, ...], float]:
    """The figure: how many there are in each state, in all domains."""
    rows = run.session.rows(
        "select state, count(*) as callbacks from plugin_callbacks.callback"
        " where %(domains)s::uuid[] is null or domain_uuid = any(%(domains)s) group by state",
        domains=None,
    )
    return {(row["state"],): row["callbacks"] for row in rows}


def arguments(parser: ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--open", action="store_true", help="only those that are open or late")


def count(run: CommandRun) -> int:
    """``pbxapi callbacks``: how many there are, by domain."""
    with run.database.reading() as session:
        rows = session.rows(
            "select d.domain_name, count(*) as callbacks"
            "  from plugin_callbacks.callback as c join v_domains as d using (domain_uuid)"
            " where (%(domains)s::uuid[] is null or c.domain_uuid = any(%(domains)s))"
            " and (not %(open)s or c.state in ('open', 'late')) group by 1 order by 1",
            domains=None,
            open=run.arguments.open,
        )
    for row in rows:
        print(f"{row['domain_name']}: {row['callbacks']}")
    return 0


def on_time(run: CheckRun) -> str:
    """Whether somebody sees to the callbacks."""
    late = run.session.value(
        "select count(*) from plugin_callbacks.callback"
        " where state = 'late' and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s))",
        domains=None,
    )
    if late > 100:
        raise RuntimeError(f"{late} callbacks are late")
    return f"{late} late"


callbacks = Resource(
    name="callbacks",
    label="Callback",
    id="callback_uuid",
    schema=Callback,
    table="plugin_callbacks.callback",
    row=("callback_uuid", "number", "description", "state"),
    search=("number", "description"),
    sort={"number": Sort("number"), "made": Sort("insert_date", "time")},
    order="-made",
    filters=("state",),
    keep=("state",),
    store=store,
    effects=effects,
    operations=(
        Operation(
            "next",
            next_callback,
            path="next",
            query=Wanted,
            answer=Callback,
            summary="Get the callback that has waited longest",
        ),
        Operation(
            "attempts",
            list_records,
            on="item",
            path="attempts",
            rows=Rows(statement="attempts", id="attempt_uuid", schema=Attempt, sort={"noted": Sort("at", "time")}),
            summary="List the attempts to call back",
        ),
        Operation(
            "add-attempt",
            add_attempt,
            ("POST",),
            "item",
            path="attempts",
            body=Attempt,
            answer=Attempt,
            writes=True,
            status=201,
            scope="callbacks:attempt",
            summary="Note an attempt to call back",
        ),
    ),
)

plugin = Plugin(
    name="callbacks",
    version="1.0.0",
    api=">=1,<2",
    resources=(callbacks,),
    tasks={"show": show},
    jobs={"remind": Job(remind, attempts=3), "expire": Job(expire, every=3600.0)},
    settings=(
        Setting("PBXAPI_CALLBACKS_EXPIRE_DAYS", int, 30, help="Days until an open callback is given up."),
        Setting("PBXAPI_CALLBACKS_REMIND_SECONDS", float, 900.0, help="Seconds until an open callback is late."),
        Setting("PBXAPI_CALLBACKS_BOARD", Path, help="A folder on each node for the wallboard."),
    ),
    scopes=("callbacks:attempt",),
    events=(
        EventType(
            "callbacks.late",
            "Nobody has called back in time.",
            {"type": "object", "properties": {"callback_uuid": {"type": "string", "format": "uuid"}}},
        ),
    ),
    commands={"callbacks": Command(count, arguments, "How many callbacks there are, by domain.")},
    checks={"on_time": on_time},
    metrics={"by_state": Metric("Callbacks in each state.", by_state, labels=("state",))},
)
