"""Targets 7 and 8: from a POST to the switch, idle and under load, and how fast one node works off what waits."""

from __future__ import annotations

import time

import data
import load
from bench import Bench
from stack import NODE
from table import Measure

IDLE_RATE, IDLE_SECONDS = 5, 8
BUSY_RATE, BUSY_SECONDS = 100, 5
BACKLOG = 3_000
LATE_MOST = 0.05
"""Seconds that a POST of an open loop may be sent late; beyond that its rate was not kept."""

_APPLIED = """
select change_id::text, extract(epoch from applied_at) from pbxapi.change_node where state = 'applied'
"""
_WAITING = "select count(*) from pbxapi.change_node where state = 'pending'"


def measure_time_to_switch(bench: Bench) -> list[Measure]:
    """Target 7: from when a POST is due to `applied_at`, which the worker writes after the switch's word.

    Both by the clock of this machine. Idle is five creates a second.
    """
    idle = Measure(
        f"7 POST to applied, idle ({IDLE_RATE} creates/s)",
        unit="ms",
        target="p50 <= 50 ms, p99 <= 250 ms",
        met=lambda m: all(m.median(v) <= 50 and m.p99(v) <= 250 for v in m.values),
    )
    busy = Measure(
        f"7 POST to applied, at {BUSY_RATE} creates/s",
        unit="ms",
        target="p99 <= 1,000 ms",
        met=lambda m: all(m.p99(v) <= 1_000 for v in m.values),
    )
    with bench.stack.worker():
        _send(bench, IDLE_RATE, 3)
        for _ in range(bench.rounds):
            for measure, rate, seconds in ((idle, IDLE_RATE, IDLE_SECONDS), (busy, BUSY_RATE, BUSY_SECONDS)):
                for value in _send(bench, rate, seconds):
                    measure.add("worker resident", value)
    return [idle, busy]


def _send(bench: Bench, rate: int, seconds: int) -> list[float]:
    """Milliseconds that each create took to the switch.

    Raises:
        RuntimeError: the rate was not kept, or a change was not applied.
    """
    headers = bench.stack.headers(bench.extensions())
    sent = load.create_at(f"{bench.stack.product}/extensions", headers, rate, rate * seconds, data.FIRST_NEW)
    late = sum(one.late > LATE_MOST for one in sent)
    if late > len(sent) // 100:
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


_BACKLOG = """
with extension as (
  select extension_uuid, domain_uuid from v_extensions where domain_uuid = %(domain)s limit %(count)s
), noted as (
  insert into pbxapi.change (change_id, resource, action, record_uuid, domain_uuid, domain_name)
  select gen_random_uuid(), 'extensions', 'update', extension_uuid, domain_uuid, %(name)s from extension
  returning change_id
)
insert into pbxapi.change_node (change_id, node) select change_id, %(node)s from noted
"""
_HOLD = "update pbxapi.node set retry_at = clock_timestamp() + interval '1 hour' where name = %s"
_RELEASE = """
with released as (update pbxapi.node set retry_at = null, attempts = 0 where name = %s returning 1)
select extract(epoch from clock_timestamp()), pg_notify('pbxapi_change', '') from released
"""
_LAST = """
select count(*), extract(epoch from max(applied_at)) from pbxapi.change_node where state = 'applied'
"""


def measure_backlog(bench: Bench) -> list[Measure]:
    """Target 8: changes of as many extensions wait, then the node is let go, and works until none waits."""
    measure = Measure(
        f"8 changes applied per second by one node, {BACKLOG:,} waiting",
        unit="changes/s",
        target=">= 500",
        met=lambda m: all(m.median(variant) >= 500 for variant in m.values),
    )
    name = bench.extensions(10_000)
    values = {"domain": data.domain_uuid(name), "count": BACKLOG, "name": name, "node": NODE}
    with bench.stack.worker(), bench.stack.connect() as connection:
        data.remove_new(connection)
        for number in range(bench.rounds + 1):
            connection.execute(_HOLD, [NODE])
            connection.execute(_BACKLOG, values)
            released = connection.execute(_RELEASE, [NODE]).fetchone()
            _wait_until_applied(bench, connection)
            last = connection.execute(_LAST).fetchone()
            data.remove_new(connection)
            assert released is not None
            assert last is not None
            if last[0] != BACKLOG:
                raise RuntimeError(f"{last[0]} of {BACKLOG} changes were applied; see {bench.stack.log}")
            if number:  # the first round warms up
                measure.add("one node", BACKLOG / (float(str(last[1])) - float(str(released[0]))))
    return [measure]
