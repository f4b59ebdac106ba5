"""Totals of long lists, which are not counted for each page.

Counting 100,000 rows takes longer than everything else that a list does. So a large total is remembered, and only
while no change of the domain has been noted since: nobody is shown a total older than his own last write. What
FusionPBX's pages and the switch write beside us PostgreSQL's statistics tell, as a rule when the connection that
wrote ends; so such a total is out of date for two seconds, and for a minute at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from pbxapi.data.database import Row, Session

SECONDS = 2.0
"""For which a total is believed that somebody else may have changed meanwhile."""

SECONDS_MOST = 60.0
"""For which one is believed that nobody seems to have changed, or that is an estimate anyway."""

LARGE = 2_000
"""Totals below this are always counted: it costs no more than looking whether they still hold."""

_MOST = 10_000

# A write notes its change in its own transaction, which lasts a few seconds at most: one that began before another
# and was committed after it changes the count, should not another leave the minute just then, as the oldest tells.
_MARK = """
select count(*) as changes, min(created_at) as oldest, max(created_at) as newest
  from pbxapi.change
 where domain_uuid = %(domain_uuid)s and created_at > clock_timestamp() - interval '1 minute'
"""

# Null where one of the tables is none: what a view shows is written elsewhere.
_WRITTEN = """
select case when bool_and(c.relkind = 'r')
            then sum(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
                     + pg_stat_get_tuples_deleted(c.oid)) end as written
  from unnest(%(tables)s::text[]) as name
 cross join lateral (select oid, relkind from pg_class where oid = to_regclass(name) offset 0) as c
"""

Total = tuple[int, bool]
"""How many rows there are, and whether that is an estimate."""


@dataclass(frozen=True)
class _Known:
    total: Total
    mark: Row | None
    written: Decimal | None
    counted_at: float


class Totals:
    """The totals that one process remembers."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}
        self._lock = threading.Lock()

    def get(
        self, session: Session, domain_uuid: UUID, key: Hashable, tables: Iterable[str], count: Callable[[], Total]
    ) -> Total:
        """The total of one list.

        Args:
            domain_uuid: whose writes make it void.
            key: which list, with all that it is narrowed by.
            tables: whose rows decide it.
            count: counts it.
        """
        known = self._known.get(key)
        if known is None:
            total = count()
            if total[0] >= LARGE:
                # From now on the marks are read first: they must be no younger than the count.
                self._remember(key, _Known(total, None, None, float("-inf")))
            return total
        now = time.monotonic()
        marks = session.ask(_MARK, domain_uuid=domain_uuid)
        written: Decimal | None = None
        if beside := now - known.counted_at >= SECONDS:  # what others write begins to matter
            written = session.value(_WRITTEN, tables=sorted(tables))
        mark = marks()[0]
        same = known.total[1] or (written is not None and written == known.written)
        if mark == known.mark and (not beside or (same and now - known.counted_at < SECONDS_MOST)):
            return known.total
        total = count()
        self._remember(key, _Known(total, mark, written, now))
        return total

    def _remember(self, key: Hashable, known: _Known) -> None:
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = known
