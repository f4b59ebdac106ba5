"""Imports as rows: how far each is, the parts that wait, and what became of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import orjson

from pbxapi.data.database import Row, Session

_ADD = """
insert into pbxapi.import (import_uuid, resource, domain_uuid, caller, dry_run, state, lines)
values (%(import_uuid)s, %(resource)s, %(domain_uuid)s, %(caller)s::jsonb, %(dry_run)s, 'running', %(lines)s)
"""

_ADD_PART = """
insert into pbxapi.import_part (part_uuid, import_uuid, number, lines)
values (%(part_uuid)s, %(import_uuid)s, %(number)s, %(lines)s::jsonb)
"""

_FIND = """
select import_uuid, resource, domain_uuid, caller, dry_run, state
  from pbxapi.import
 where import_uuid = %(import_uuid)s
   for update
"""

_TAKE_PART = """
delete from pbxapi.import_part where part_uuid = (
  select part_uuid from pbxapi.import_part where import_uuid = %(import_uuid)s order by number limit 1
)
returning lines
"""

_NOTE_LINES = """
with noted as (
  insert into pbxapi.import_line (line_uuid, import_uuid, line, status, record_uuid, field, code, message)
  select gen_random_uuid(), %(import_uuid)s, given.line, given.status, given.record_uuid, given.field, given.code,
         given.message
    from jsonb_to_recordset(%(lines)s::jsonb) as given (
           line integer, status text, record_uuid uuid, field text, code text, message text)
  returning status
), waiting as (
  select exists (select from pbxapi.import_part where import_uuid = %(import_uuid)s) as more
)
update pbxapi.import as i
   set created = created + (select count(*) from noted where noted.status <> 'refused'),
       refused = refused + (select count(*) from noted where noted.status = 'refused'),
       state = case when waiting.more then i.state else 'finished' end,
       finished_at = case when waiting.more then null else clock_timestamp() end
  from waiting
 where i.import_uuid = %(import_uuid)s
returning i.import_uuid, i.state, i.dry_run, i.lines, i.created, i.refused
"""

_FAIL = """
with gone as (
  delete from pbxapi.import_part where import_uuid = %(import_uuid)s
)
update pbxapi.import set state = 'failed', error = %(error)s, finished_at = clock_timestamp()
 where import_uuid = %(import_uuid)s and state = 'running'
"""

_LEFT = """
select import_uuid from pbxapi.import
 where state = 'running' and created_at < clock_timestamp() - interval '1 day'
"""

_PRUNE = """
with old as (
  select import_uuid from pbxapi.import
   where created_at < clock_timestamp() - make_interval(days => %(days)s) and state <> 'running'
   order by created_at
   limit %(most)s
), lines as (
  delete from pbxapi.import_line where import_uuid in (select import_uuid from old)
)
delete from pbxapi.import where import_uuid in (select import_uuid from old)
"""


def add_import(
    session: Session,
    import_uuid: UUID,
    *,
    resource: str,
    domain_uuid: UUID,
    caller: Mapping[str, Any],
    dry_run: bool,
    lines: int,
    parts: Sequence[Any],
) -> None:
    """Begin an import.

    Args:
        caller: for whom the parts that wait are done; never a key.
        lines: how many there are in all.
        parts: lines that wait for their turn.
    """
    session.do(
        _ADD,
        import_uuid=import_uuid,
        resource=resource,
        domain_uuid=domain_uuid,
        caller=orjson.dumps(caller, default=str).decode(),
        dry_run=dry_run,
        lines=lines,
    )
    for number, part in enumerate(parts):
        text = orjson.dumps(part).decode()
        session.do(_ADD_PART, part_uuid=uuid4(), import_uuid=import_uuid, number=number, lines=text)


def find_import(session: Session, import_uuid: UUID) -> Row | None:
    """An import, which nobody else goes on with until the transaction ends."""
    return session.row(_FIND, import_uuid=import_uuid)


def take_part(session: Session, import_uuid: UUID) -> Any:
    """The next lines, which are gone with the transaction; None when there are none."""
    return session.value(_TAKE_PART, import_uuid=import_uuid)


def note_lines(session: Session, import_uuid: UUID, lines: Sequence[Mapping[str, Any]]) -> Row:
    """Note what became of lines; how far the import is by now. It is finished when no part waits.

    Args:
        lines: line, status, record_uuid, field, code, message of each.
    """
    row = session.row(_NOTE_LINES, import_uuid=import_uuid, lines=orjson.dumps(lines).decode())
    assert row is not None
    return row


def fail_import(session: Session, import_uuid: UUID, error: str) -> None:
    """Give an import up; what waits goes."""
    session.run(_FAIL, import_uuid=import_uuid, error=error)


def prune_imports(session: Session, days: int, most: int = 100) -> int:
    """Forget at most so many imports older than some days; how many went. Those left for a day are given up."""
    for row in session.rows(_LEFT):
        fail_import(session, row["import_uuid"], "Nobody went on with it for a day: is `pbxapi jobs` running?")
    return session.run(_PRUNE, days=days, most=most)
