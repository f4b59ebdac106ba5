"""The indexes that the resources' statements want: told to the operator, never made unasked."""

from __future__ import annotations

import hashlib
import re

from pbxapi.data.database import Session
from pbxapi.plugin.loader import Registry

_FOUND = "select indexdef from pg_indexes where schemaname = 'public' and indexname = %(name)s"


def recommended_indexes(registry: Registry) -> dict[str, str]:
    """What there should be: index name -> the statement that makes it without holding up writes."""
    wanted: dict[str, str] = {}
    for resource in registry.resources.values():
        for index in resource.declaration.indexes:
            wanted[_name(index)] = f"create index concurrently if not exists {_name(index)} on {index}"
    return wanted


def missing_indexes(session: Session, registry: Registry) -> dict[str, str]:
    """Those of `recommended_indexes` that this database lacks under their names."""
    wanted = recommended_indexes(registry)
    return {name: text for name, text in wanted.items() if session.row(_FOUND, name=name) is None}


def _name(index: str) -> str:
    """A name that says whose it is, and changes with what it holds."""
    table = re.match(r"\w+", index)
    assert table is not None
    return f"pbxapi_{table[0].removeprefix('v_')}_{hashlib.sha256(index.encode()).hexdigest()[:8]}"
