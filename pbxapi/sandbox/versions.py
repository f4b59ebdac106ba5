"""FusionPBX's tables as its earlier versions have them, made of those of 5.6.

What differs was computed from the definitions (app_config.php) of each tag: columns that came later are dropped,
and flags that 5.5 turned into booleans are text. Tables that came later stay: nothing here reads them. Five flags
that were numbers before 5.5 are text here, since it is not known which they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

ADDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "5.2": {
        "v_extensions": ("extension_language", "extension_dialect", "extension_voice"),
        "v_xml_cdr": ("provider_uuid", "status", "call_flow"),
        "v_call_center_queues": ("queue_context",),
    },
    "5.3": {
        "v_voicemails": ("voicemail_local_after_forward",),
        "v_destinations": ("destination_ringback",),
        "v_xml_cdr": ("hold_accum_seconds", "record_transcription"),
        "v_ring_groups": ("ring_group_call_screen_enabled",),
    },
    "5.4": {
        "v_devices": ("device_serial_number",),
        "v_destinations": ("destination_email",),
        "v_xml_cdr": ("ring_group_uuid", "ivr_menu_uuid"),
    },
    "5.5": {
        "v_destinations": ("provider_uuid",),
        "v_xml_cdr": ("call_disposition",),
    },
    "5.6": {
        "v_voicemails": (
            "voicemail_transcription_prompt",
            "voicemail_transcription_prompt_enabled",
            "alternate_voicemail_destination",
            "alternate_voicemail_enabled",
        ),
        "v_xml_cdr": ("processed",),
        "v_recordings": ("recording_speed",),
    },
}
"""Version -> the columns that it added, by table."""

BOOLEAN_BEFORE = frozenset(
    {
        "v_domains.domain_enabled",
        "v_dialplan_details.dialplan_detail_enabled",
        "v_default_settings.default_setting_enabled",
        "v_domain_settings.domain_setting_enabled",
        "v_extension_settings.extension_setting_enabled",
    }
)
"""Flags that were booleans in 5.1 already; all others became so in 5.5."""

VERSIONS = ("5.1", "5.2", "5.3", "5.4", "5.5", "5.6")

_FLAGS = """
select c.relname, a.attname
  from pg_attribute as a join pg_class as c on c.oid = a.attrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.atttypid = 'boolean'::regtype
   and a.attnum > 0 and not a.attisdropped
 order by c.relname, a.attname
"""

_HAS = """
select 1 from pg_attribute where attrelid = to_regclass(%s) and attname = %s and attnum > 0 and not attisdropped
"""


def later_columns(version: str) -> frozenset[str]:
    """The names of the columns that came after a version."""
    later = VERSIONS[VERSIONS.index(version) + 1 :]
    return frozenset(c for added in later for columns in ADDED[added].values() for c in columns)


def become(url: str, version: str, *, mixed: bool = False) -> None:
    """Make the tables of 5.6, rows and all, into those of an earlier version.

    Args:
        url: the database, for the owner of the tables.
        version: one of `VERSIONS`.
        mixed: only every second flag of text, as where an upgrade could not turn all of them.
    """
    with psycopg.connect(url) as connection:
        for added in VERSIONS[VERSIONS.index(version) + 1 :]:
            for table, columns in ADDED[added].items():
                for column in columns:
                    drop_column(connection, table, column)
        if version < "5.5":
            flags = [row for row in connection.execute(_FLAGS).fetchall() if ".".join(row) not in BOOLEAN_BEFORE]
            for table, column in flags[:: 2 if mixed else 1]:
                change_type(connection, table, column, "text")
            if not mixed:
                change_type(connection, "v_voicemails", "voicemail_alternate_greet_id", "numeric")


def drop_column(connection: psycopg.Connection, table: str, column: str) -> None:
    """Drop a column that must be there."""
    assert connection.execute(_HAS, [table, column]).fetchone(), f"there is no {table}.{column}"
    connection.execute(
        sql.SQL("alter table {} drop column {}").format(sql.Identifier(table), sql.Identifier(column))
    )


def change_type(connection: psycopg.Connection, table: str, column: str, kind: str) -> None:
    """Change a column's type, with its values."""
    connection.execute(
        sql.SQL("alter table {} alter column {} type {} using {}::{}").format(
            sql.Identifier(table),
            sql.Identifier(column),
            sql.SQL(kind),
            sql.Identifier(column),
            sql.SQL(kind),
        )
    )
