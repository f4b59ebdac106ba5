"""The audit row that FusionPBX's own save and delete write, in v_database_transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson

from pbxapi.data.database import Session

REDACTED = "********"

_AUDIT = """
insert into v_database_transactions
       (database_transaction_uuid, domain_uuid, app_uuid, app_name, transaction_code, transaction_address,
        transaction_type, transaction_date, transaction_old, transaction_new)
select row.uuid, %(domain_uuid)s, %(app_uuid)s, %(app_name)s, '200', %(address)s,
       %(type)s, now(), row.old, row.new
  from jsonb_to_recordset(%(rows)s::jsonb) as row (uuid uuid, old text, new text)
"""


def write_audit(
    session: Session,
    *,
    action: str,
    table: str,
    domain_uuid: UUID | None,
    app_uuid: UUID | None,
    app_name: str,
    address: str,
    changes: Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]],
    secrets: frozenset[str],
) -> None:
    """Write a row for each change: who changed what, as FusionPBX's transaction page shows it.

    Args:
        action: ``add``, ``update`` or ``delete``.
        changes: the record before and after, each; None where there is none.
        secrets: fields whose values are replaced by ``********``.
    """
    rows = [
        {"uuid": uuid4(), "old": _document(table, old, secrets), "new": _document(table, new, secrets)}
        for old, new in changes
    ]
    session.do(
        _AUDIT,
        rows=orjson.dumps(rows).decode(),
        domain_uuid=domain_uuid,
        app_uuid=app_uuid,
        app_name=app_name,
        address=address,
        type=action,
    )


def redact(record: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """The record with the values of secret fields hidden, in nested records too.

    Of a secret field that is an object the values are hidden, and their names are not.
    """
    return {
        name: value if type(value) is str and name not in secrets else _redact(name, value, secrets)
        for name, value in record.items()
    }


def _redact(name: str, value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return redact(value, frozenset(value) if name in secrets else secrets)
    if isinstance(value, list):
        return [_redact(name, item, secrets) for item in value]
    return REDACTED if name in secrets and value else value


def _document(table: str, record: Mapping[str, Any] | None, secrets: frozenset[str]) -> str | None:
    if record is None:
        return None
    document = {table: [redact(record, secrets)]}
    return orjson.dumps(document, default=str, option=orjson.OPT_INDENT_2).decode()
