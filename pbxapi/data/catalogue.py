"""What tables and columns the database at hand really has."""

from __future__ import annotations

from pbxapi.data.database import Session
from pbxapi.data.statements import Catalogue

_COLUMNS = """
select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end as table_name,
       a.attname as column_name, t.typname as type_name
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v', 'm')
  join pg_namespace n on n.oid = c.relnamespace
   and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  join pg_type t on t.oid = a.atttypid
 where a.attnum > 0 and not a.attisdropped
"""


def read_catalogue(session: Session) -> Catalogue:
    """Tables of schema public by name, others as ``schema.table``, each with its columns and their types.

    FusionPBX's column types change between releases (text flags became boolean in 5.5, column by column), so
    the types are read here and never assumed from a version.
    """
    tables: dict[str, dict[str, str]] = {}
    for row in session.rows(_COLUMNS):
        tables.setdefault(row["table_name"], {})[row["column_name"]] = row["type_name"]
    return tables
