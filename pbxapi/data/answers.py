"""Answers that are kept for a day, so that a request that is repeated gets its answer and does nothing twice."""

from __future__ import annotations

from uuid import UUID

from pbxapi.data.change import new_change_id
from pbxapi.data.database import Row, Session

HOURS = 24

_HOLD = "select pg_try_advisory_xact_lock(hashtextextended(%(name)s, 7065)) as held"

_FIND = """
select request_hash, status, change_id, sealed
  from pbxapi.answer
 where name_hash = %(name_hash)s and created_at > clock_timestamp() - make_interval(hours => %(hours)s)
 order by created_at desc
 limit 1
"""

_KEEP = """
insert into pbxapi.answer (answer_id, name_hash, request_hash, status, change_id, sealed)
values (%(answer_id)s, %(name_hash)s, %(request_hash)s, %(status)s, %(change_id)s, %(sealed)s)
"""

_PRUNE = """
delete from pbxapi.answer where answer_id in (
  select answer_id from pbxapi.answer
   where created_at < clock_timestamp() - make_interval(hours => %(hours)s)
   limit %(most)s
)
"""


def hold_request(session: Session, name_hash: bytes) -> bool:
    """Make a request's transaction the only one of its name; False while another runs."""
    return bool(session.value(_HOLD, name=name_hash.hex()))


def find_answer(session: Session, name_hash: bytes) -> Row | None:
    """The answer kept under a name: request_hash, status, change_id, sealed."""
    return session.row(_FIND, name_hash=name_hash, hours=HOURS)


def keep_answer(
    session: Session, *, name_hash: bytes, request_hash: bytes, status: int, change_id: UUID | None, sealed: bytes
) -> None:
    """Keep an answer, in the transaction of what it answers."""
    session.do(
        _KEEP,
        answer_id=new_change_id(),
        name_hash=name_hash,
        request_hash=request_hash,
        status=status,
        change_id=change_id,
        sealed=sealed,
    )


def prune_answers(session: Session, most: int = 5000) -> int:
    """Forget at most so many answers that nobody can ask for any more; how many went."""
    return session.run(_PRUNE, hours=HOURS, most=most)
