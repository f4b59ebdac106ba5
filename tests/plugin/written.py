"""A small plugin, and where to write it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from pbxapi.plugin.loader import Registry
from pbxapi.testing import Client

SQL = {
    "list": """
        -- Notes of a domain, for the list.
        select call_block_uuid, call_block_name from v_call_block where domain_uuid = %(domain_uuid)s
    """,
    "get": """
        -- One note.
        select call_block_uuid, call_block_name from v_call_block
         where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s
    """,
}
PLUGIN = """
    from pbxapi.plugin import Plugin, Record, Resource, Text

    class Note(Record):
        call_block_uuid = Text(dump_only=True)
        call_block_name = Text()

    notes = Resource(
        name="notes", label="Note", id="call_block_uuid", schema=Note, table="v_call_block",
        standard=("list", "get"), sort=("call_block_name",),
    )
    plugin = Plugin(name="notes", version="1.0.0", resources=(notes,))
"""


def write_plugin(
    root: Path, folder: str, text: str = PLUGIN, sql: Mapping[str, str] = SQL, migration: str = ""
) -> Path:
    """A plugin in a folder below `root`."""
    place = root / folder
    (place / "sql").mkdir(parents=True)
    (place / "plugin.py").write_text(textwrap.dedent(text), "utf-8")
    for name, statement in sql.items():
        (place / "sql" / f"{name}.sql").write_text(textwrap.dedent(statement), "utf-8")
    if migration:
        (place / "migrations").mkdir()
        (place / "migrations" / "0001_first.sql").write_text(migration, "utf-8")
    return place


Host = Callable[..., tuple[Registry, Client]]
"""Starts the API again with the plugins of a test; what it loaded, and a client."""
