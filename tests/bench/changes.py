"""Targets 7 and 8: from a POST to the switch, idle and under load, and how fast one node works off what waits.

Each with the switch reading FusionPBX's database, and with XML files: these are written, brought to the disk that
the temporary folder is on, and followed by a `reloadxml`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import data
import load
from bench import Bench
from stack import NODE
from table import Measure

IDLE_RATE, IDLE_SECONDS = 5, 8
BUSY_RATE, BUSY_SECONDS = 100, 5
BACKLOG = 5_000
STREAM_RATE, STREAM_SECONDS = 500, 10
SLOW_RELOAD = 1.0
LATE_MOST = 0.05
"""Seconds that a POST of an open loop may be sent late; beyond that its rate was not kept."""

DATABASE, FILES = "from the database", "XML files"

_APPLIED = """
select change_id::text, extract(epoch from applied_at) from pbxapi.change_node where state = 'applied'
"""
_WAITING = "select count(*) from pbxapi.change_node where state = 'pending'"
_FILES = """
update v_default_settings set default_setting_enabled = %s
 where default_setting_category = 'switch'
   and default_setting_subcategory in ('extensions', 'sip_profiles', 'dialplan')
"""


@contextmanager
def _reading(bench: Bench, variant: str) -> Iterator[None]:
    """What the switch reads meanwhile; files begin with none."""
    folder = bench.stack.log.parent / "extensions"
    with bench.stack.connect() as connection:
        shutil.rmtree(folder)
        folder.mkdir()
        connection.execute(_FILES, [variant == FILES])
        yield
        connection.execute(_FILES, [False])


def measure_time_to_switch(bench: Bench) -> list[Measure]:
    """Target 7: from when a POST is due to `applied_at`, which the worker writes after the switch's word.

    Both by the clock of this machine. Idle is five creates a second. A reload that takes a second bounds it from
    below: a change that comes during one waits for the next, which is why that has no target.
    """
    idle = Measure(
        f"7 POST to applied, idle ({IDLE_RATE} creates/s)",
        unit="ms",
        target="p50 <= 50 ms, p99 <= 250 ms",
        met=lambda m: all(m.median(v) <= 50 and m.p99(v) <= 250 for v in m.values),
        paired=False,
    )
    busy = Measure(
        f"7 POST to applied, at {BUSY_RATE} creates/s",
        unit="ms",
        target="p99 <= 1,000 ms",
        met=lambda m: all(m.p99(v) <= 1_000 for v in m.values),
        paired=False,
    )
    slow = Measure(f"7 the same, a reload takes {SLOW_RELOAD:.0f} s", unit="ms", paired=False)
    reloads = Measure(f"7 reloads of {BUSY_RATE * BUSY_SECONDS} creates then", unit="reloads", paired=False)
    with bench.stack.worker():
        _send(bench, IDLE_RATE, 3)
        for _ in range(max(bench.rounds // 2, 1)):
            for variant in (DATABASE, FILES):
                with _reading(bench, variant):
                    for value in _send(bench, IDLE_RATE, IDLE_SECONDS):
                        idle.add(variant, value)
                    for value in _send(bench, BUSY_RATE, BUSY_SECONDS):
                        busy.add(variant, value)
        switch = bench.stack.switch
        switch.reload_seconds, before = SLOW_RELOAD, switch.reloads
        with _reading(bench, FILES):
            for value in _send(bench, BUSY_RATE, BUSY_SECONDS):
                slow.add(FILES, value)
        reloads.add(FILES, switch.reloads - before)
        switch.reload_seconds = 0.0
    return [idle, busy, slow, reloads]


def _send(bench: Bench, rate: int, seconds: int) -> list[float]:
    """Milliseconds that each create took to the switch.

    Raises:
        RuntimeError: the rate was not kept, or a change was not applied.
    """
    headers = bench.stack.headers(bench.extensions())
    sent = load.create_at(f"{bench.stack.product}/extensions", headers, rate, rate * seconds, data.FIRST_NEW)
    late = sum(one.late > LATE_MOST for one in sent)
    if late > len(sent) // 20:  # the few are counted from when they were due
        raise RuntimeError(f"{late} of {len(sent)} POSTs were sent late: {rate}/s were not kept")
    with bench.stack.connect() as connection:
        _wait_until_applied(bench, connection)
        applied = {str(change): float(str(at)) for change, at in connection.execute(_APPLIED).fetchall()}
        data.remove_new(connection)
    return [(applied[one.change_id] - one.due_at) * 1000 for one in sent]


def _wait_until_applied(bench: Bench, connection: data.Connection) -> None:
    end = time.monotonic() + 120
    while (row := connection.execute(_WAITING).fetchone()) and row[0]:
        if time.monotonic() > end:
            raise RuntimeError(f"{row[0]} changes still wait; see {bench.stack.log}")
        time.sleep(0.05)


# As a write notes it: what an update keeps of the record before, and what it changed.
_NOTE = """
with written as (
  select r.*, gen_random_uuid() as change_id from ({records}) as r
), noted as (
  insert into pbxapi.change (change_id, resource, action, record_uuid, domain_uuid, domain_name, old, changed)
  select change_id, resource, action, record_uuid, domain_uuid, domain_name,
         case when action = 'update' then old end, array['description']
    from written
)
insert into pbxapi.change_node (change_id, node) select change_id, %(node)s from written
"""
_EXTENSIONS = """
select 'extensions' as resource, %(action)s as action, extension_uuid as record_uuid, domain_uuid,
       user_context as domain_name,
       jsonb_build_object('extension', extension, 'user_context', user_context) as old
  from v_extensions
 where domain_uuid = %(domain)s
 limit %(count)s
"""
# Of all tenants: new and changed extensions, and boxes that changed, in turns.
_MIXED = """
select case when n %% 3 = 2 then 'voicemails' else 'extensions' end as resource,
       case when n %% 3 = 0 then 'create' else 'update' end as action,
       case when n %% 3 = 2 then voicemail_uuid else extension_uuid end as record_uuid,
       domain_uuid, user_context as domain_name,
       case when n %% 3 = 2 then jsonb_build_object('voicemail_id', extension)
            else jsonb_build_object('extension', extension, 'user_context', user_context) end as old
  from (select *, row_number() over () as n
          from (select e.*, v.voicemail_uuid
                  from v_extensions as e
                  join v_voicemails as v on v.domain_uuid = e.domain_uuid and v.voicemail_id = e.extension
                 where e.extension_uuid >= %(from)s
                 order by e.extension_uuid
                 limit %(count)s) as e) as e
"""
_HOLD = "update pbxapi.node set retry_at = clock_timestamp() + interval '1 hour' where name = %s"
_RELEASE = """
with released as (update pbxapi.node set retry_at = null, attempts = 0 where name = %s returning 1)
select extract(epoch from clock_timestamp()), pg_notify('pbxapi_change', '') from released
"""
_LAST = """
select count(*), extract(epoch from min(created_at)), extract(epoch from max(applied_at))
  from pbxapi.change_node where state = 'applied'
"""
_LATE = "select extract(epoch from applied_at - created_at) * 1000 from pbxapi.change_node where state = 'applied'"


def measure_backlog(bench: Bench) -> list[Measure]:
    """Target 8: changes of as many extensions wait, then the node is let go, and works until none waits.

    Then the other way: changes of all tenants and of three kinds come, a slice each 50 ms; the node must keep up.
    """
    waiting = Measure(
        f"8 changes applied per second by one node, {BACKLOG:,} waiting",
        unit="changes/s",
        target=">= 500",
        met=lambda m: all(m.median(variant) >= 500 for variant in m.values),
        paired=False,
    )
    coming = Measure(
        f"8 noted to applied, {STREAM_RATE} changes/s for {STREAM_SECONDS} s",
        unit="ms",
        target="keeps up: p99 <= 2,000 ms",
        met=lambda m: all(m.p99(variant) <= 2_000 for variant in m.values),
        paired=False,
    )
    bench.extensions(10_000)
    with bench.stack.worker():
        for number in range(bench.rounds + 1):
            for variant in (DATABASE, FILES):
                with _reading(bench, variant):
                    created = _work_off(bench, "create")
                    updated = _work_off(bench, "update")
                    late = _follow(bench) if number % 4 == 1 else []
                if number:  # the first round warms up
                    waiting.add(f"creates, {variant}", created)
                    waiting.add(f"updates, {variant}", updated)
                    for value in late:
                        coming.add(variant, value)
    return [waiting, coming]


def _work_off(bench: Bench, action: str) -> float:
    """Changes per second, from the release of what waits to the last `applied_at`."""
    name = bench.extensions(10_000)
    values = {"domain": data.domain_uuid(name), "count": BACKLOG, "node": NODE, "action": action}
    with bench.stack.connect() as connection:
        connection.execute(_HOLD, [NODE])
        connection.execute(_NOTE.format(records=_EXTENSIONS).encode(), values)
        released = connection.execute(_RELEASE, [NODE]).fetchone()
        _, last = _wait_for_all(bench, connection, BACKLOG)
        assert released is not None
        data.remove_new(connection)
    return BACKLOG / (last - float(str(released[0])))


def _follow(bench: Bench) -> list[float]:
    """Milliseconds that each change of a steady stream took, from its row to `applied_at`.

    Raises:
        RuntimeError: the rate was not kept.
    """
    slices, size = STREAM_SECONDS * 20, STREAM_RATE // 20
    with bench.stack.connect() as connection:
        began = time.monotonic()
        for number in range(slices):
            time.sleep(max(began + number * 0.05 - time.monotonic(), 0))
            start = f"{number * (2**32 // slices):08x}-0000-0000-0000-000000000000"
            connection.execute(_NOTE.format(records=_MIXED).encode(), {"from": start, "count": size, "node": NODE})
        if time.monotonic() - began > STREAM_SECONDS * 1.1:
            raise RuntimeError(f"{STREAM_RATE} changes/s were not kept")
        _wait_for_all(bench, connection, slices * size)
        late = [float(str(row[0])) for row in connection.execute(_LATE).fetchall()]
        data.remove_new(connection)
    return late


def _wait_for_all(bench: Bench, connection: data.Connection, count: int) -> tuple[float, float]:
    """When the first of them was noted and the last one applied.

    Raises:
        RuntimeError: one was not.
    """
    _wait_until_applied(bench, connection)
    row = connection.execute(_LAST).fetchone()
    assert row is not None
    if row[0] != count:
        raise RuntimeError(f"{row[0]} of {count} changes were applied; see {bench.stack.log}")
    return float(str(row[1])), float(str(row[2]))
