"""Totals of long lists, counted at most every two seconds.

Counting 100,000 rows takes longer than everything else that a list does. So a large total is remembered for a
moment, and only while no change of the domain has been noted since: nobody is shown a total older than his own
last write. What FusionPBX's pages and the switch write beside us shows after two seconds at the latest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from uuid import UUID

from pbxapi.data.database import Row, Session

SECONDS = 2.0
LARGE = 2_000
"""Totals below this are always counted: it costs no more than looking whether they still hold."""

_MOST = 10_000

# A write notes its change in its own transaction, which lasts a few seconds at most: one that began before another
# and was committed after it changes the count.
_MARK = """
select count(*) as changes, max(created_at) as newest
  from pbxapi.change
 where domain_uuid = %(domain_uuid)s and created_at > clock_timestamp() - interval '1 minute'
"""

Total = tuple[int, bool]
"""How many rows there are, and whether that is an estimate."""


@dataclass(frozen=True)
class _Known:
    total: Total
    mark: Row | None
    counted_at: float


class Totals:
    """The totals that one process remembers."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}
        self._lock = threading.Lock()

    def get(self, session: Session, domain_uuid: UUID, key: Hashable, count: Callable[[], Total]) -> Total:
        """The total of one list.

        Args:
            domain_uuid: whose writes make it void.
            key: which list, with all that it is narrowed by.
            count: counts it.
        """
        known = self._known.get(key)
        if known is None:
            total = count()
            if total[0] >= LARGE:
                # From now on the mark is read first: it must be no younger than the count.
                self._remember(key, _Known(total, None, float("-inf")))
            return total
        mark = session.row(_MARK, domain_uuid=domain_uuid)
        now = time.monotonic()
        if mark == known.mark and now - known.counted_at < SECONDS:
            return known.total
        total = count()
        self._remember(key, _Known(total, mark, now))
        return total

    def _remember(self, key: Hashable, known: _Known) -> None:
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = known
