"""Background jobs of plugins: rows that outlive every process."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

import orjson

from pbxapi.data.change import CHANNEL, new_change_id
from pbxapi.data.database import Row, Session

_SECRET_WORDS = re.compile(r"password|secret|token|api_?key|(^|_)(pin|key)($|_)", re.I)
_TELLING = 8
"""Characters from which on a text is hardly the same by chance: four digits may be a PIN, and an extension too."""

_ADD = f"""
with added as (
  insert into pbxapi.job (job_id, plugin, name, arguments, due_at)
  values (%(job_id)s, %(plugin)s, %(name)s, %(arguments)s::jsonb,
          clock_timestamp() + make_interval(secs => %(delay)s))
)
select pg_notify('{CHANNEL}', '')
"""

_TAKE = """
update pbxapi.job
   set attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => %(lease)s)
 where job_id = (
   select job_id from pbxapi.job
    where plugin = %(plugin)s and state = 'waiting' and due_at <= clock_timestamp()
    order by due_at
    limit 1
      for update skip locked
 )
returning job_id, name, arguments, attempts
"""

_DONE = "delete from pbxapi.job where job_id = %(job_id)s"

_FAILED = """
update pbxapi.job
   set error = %(error)s,
       state = case when attempts >= %(most)s then 'failed' else 'waiting' end,
       due_at = clock_timestamp() + make_interval(secs => %(pause)s)
 where job_id = %(job_id)s
"""

_DUE = "select distinct plugin from pbxapi.job where state = 'waiting' and due_at <= clock_timestamp()"

_SCHEDULE = """
insert into pbxapi.schedule (plugin, name, next_at)
values (%(plugin)s, %(name)s, clock_timestamp() + make_interval(secs => %(every)s))
on conflict (plugin, name) do update
   set next_at = excluded.next_at
 where schedule.next_at <= clock_timestamp()
returning xmax::text <> '0' as due
"""


def add_job(session: Session, plugin: str, name: str, arguments: Mapping[str, Any], *, delay: float = 0.0) -> UUID:
    """Note a job in the session's transaction; it runs after the commit, at least once.

    Args:
        arguments: what can be said in JSON; never a secret.
        delay: seconds to wait at least.
    """
    job_id = new_change_id()
    text = orjson.dumps(dict(arguments), default=str).decode()
    session.run(_ADD, job_id=job_id, plugin=plugin, name=name, arguments=text, delay=delay)
    return job_id


def take_job(session: Session, plugin: str, lease: float) -> Row | None:
    """The next due job of a plugin, hidden from others for `lease` seconds; None when there is none."""
    return session.row(_TAKE, plugin=plugin, lease=lease)


def finish_job(session: Session, job_id: UUID) -> None:
    """A job is done."""
    session.run(_DONE, job_id=job_id)


def fail_job(session: Session, job_id: UUID, error: str, *, most: int, pause: float) -> None:
    """A job failed: it is tried again after a pause, or set aside after `most` attempts."""
    session.run(_FAILED, job_id=job_id, error=error[:2000], most=most, pause=pause)


def plugins_with_jobs(session: Session) -> list[str]:
    """Plugins that have a job to do now."""
    return [row["plugin"] for row in session.rows(_DUE)]


def is_due(session: Session, plugin: str, name: str, every: float) -> bool:
    """Whether a scheduled job is due; says yes once per period, over all processes that ask."""
    row = session.row(_SCHEDULE, plugin=plugin, name=name, every=every)
    return bool(row and row["due"])


def refuse_secrets(arguments: Mapping[str, Any], secrets: frozenset[str], values: Collection[str] = ()) -> None:
    """Keep secrets out of what is stored and logged.

    Args:
        secrets: names of the resource's secret fields.
        values: what those fields hold, of the record at hand; short ones may be anything, and are not looked for.

    Raises:
        ValueError: an argument, or what is in it, is named like a secret or holds one; pass the record's uuid and
            read the value in the job.
    """
    long = [value for value in values if len(value) >= _TELLING]
    for name, value in _named(arguments):
        if name in secrets or _SECRET_WORDS.search(name) or any(secret in str(value) for secret in long):
            raise ValueError(f"{name} may be a secret: pass the record's uuid and read it where it is needed")


def secrets_in(names: frozenset[str], value: Any) -> set[str]:
    """What the fields of these names hold in a value, however deep."""
    return {str(found) for name, found in _named(value) if name in names}


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name in a value, however deep, with what has it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key), inner
            yield from _named(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _named(inner)
