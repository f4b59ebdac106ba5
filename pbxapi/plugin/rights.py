"""The rights that the product's own role needs in FusionPBX's database: read off the SQL that runs, and given.

Nothing is granted that no statement uses. The statements of the resources and the texts in the code of the product
and of its plugins say which tables are read and which are written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pbxapi
from pbxapi.data.database import Session
from pbxapi.data.statements import Catalogue, bare_sql, plain_sql
from pbxapi.plugin.loader import LoadedResource, Registry, has_tables

ROLE = "pbxapi"
"""The role that the documents and the installer speak of."""

SCHEMA = "pbxapi"

_VERBS = ("select", "insert", "update", "delete")
_WRITES = re.compile(r"\b(insert)\s+into\s+(\w+)|\b(update)\s+(\w+)|\b(delete)\s+from\s+(\w+)")
_LOCKS = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:update|share)\b")
_READS_BACK = re.compile(r"\breturning\b|\bon\s+conflict\b")
_INSERTED = re.compile(r"\binsert\s+into\s+\w+")
_FUSIONPBXS = re.compile(r"\b(?:v|view)_\w+")
_OTHERS = re.compile(r"\b(?:from|join|into|update|using)\s+(?:only\s+)?(\w+)")
_CTE = re.compile(r"\b(\w+)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(")
_STATEMENT = re.compile(r"\s*(?:select|insert|update|delete|with)\b")

# Parts of the package that no service runs.
_NOT_SERVED = frozenset({"sandbox", "authoring.py", "conformance.py", "testing.py"})

_ROLE = "select rolsuper from pg_roles where rolname = %(role)s"

_PLACES = """
select has_database_privilege(%(role)s, current_database(), 'connect') as connects,
       has_schema_privilege(%(role)s, 'public', 'usage') as uses_public,
       current_database() as database
"""

_TABLES = """
select c.relname as name,
       array(select verb from unnest(%(verbs)s::text[]) as verb
              where has_table_privilege(%(role)s, c.oid, verb)) as given
  from pg_class as c
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
"""

# Who owns FusionPBX's tables will own those that an upgrade makes, too.
_DEFAULTS = """
select owner.rolname as owner,
       exists (select from pg_default_acl as d
                cross join lateral aclexplode(d.defaclacl) as given
                 join pg_roles as r on r.oid = given.grantee
                where d.defaclrole = owner.oid and d.defaclnamespace = 'public'::regnamespace
                  and d.defaclobjtype = 'r' and r.rolname = %(role)s and given.privilege_type = 'SELECT') as given
  from pg_roles as owner
 where owner.oid in (select relowner from pg_class
                      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
                        and relname ~ '^(v|view)_')
   and owner.rolname <> %(role)s
 order by owner.rolname
"""

_SCHEMAS = """
select wanted.name, n.oid is not null as made, coalesce(pg_get_userbyid(n.nspowner) = %(role)s, false) as own
  from unnest(%(schemas)s::text[]) with ordinality as wanted(name, place)
  left join pg_namespace as n on n.nspname = wanted.name
 order by wanted.place
"""

_OTHERS_OBJECTS = """
select 'table ' || c.oid::regclass as object
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
 where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
   and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype in ('a', 'i'))
   and pg_get_userbyid(c.relowner) <> %(role)s
union all
select 'routine ' || p.oid::regprocedure
  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
 where n.nspname = any(%(schemas)s) and pg_get_userbyid(p.proowner) <> %(role)s
 order by 1
"""


@dataclass(frozen=True)
class Right:
    """One thing that the role must be allowed.

    Attributes:
        what: for a person: ``select, update on v_extensions``.
        statement: what gives it; for a superuser, and harmless when run again.
        given: whether the database gives it.
    """

    what: str
    statement: str
    given: bool


def table_rights(registry: Registry, catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """Table of schema public -> which of ``select``, ``insert``, ``update``, ``delete`` are used on it."""
    found: dict[str, set[str]] = {}
    for text in _texts(registry):
        for table, verbs in _used(text, catalogue).items():
            found.setdefault(table, set()).update(verbs)
    for resource in registry.resources.values():
        # A record is locked before it is changed.
        if resource.declaration.table in catalogue and _writes(resource):
            found.setdefault(resource.declaration.table, set()).update(("select", "update"))
    return {table: frozenset(verbs) for table, verbs in sorted(found.items())}


def _writes(resource: LoadedResource) -> bool:
    return any(operation.writes for operation in resource.declaration.all_operations())


def _used(text: str, catalogue: Catalogue) -> dict[str, set[str]]:
    """What a text does with which tables; one that is no statement may name a table for a statement."""
    bare = bare_sql(plain_sql(text)).replace("public.", "")
    read = _INSERTED.sub("", bare)
    named = set(_FUSIONPBXS.findall(read))
    if not _STATEMENT.match(bare):
        return {name: {"select"} for name in named if name in catalogue}
    named |= set(_OTHERS.findall(read)) - set(_CTE.findall(read))
    found = {name: {"select"} for name in named if name in catalogue}
    for groups in _WRITES.findall(bare):
        verb, table = (part for part in groups if part)
        if table in catalogue:
            verbs = found.setdefault(table, set())
            verbs.add(verb)
            if _READS_BACK.search(bare):
                verbs.add("select")
    if _LOCKS.search(bare):
        for verbs in found.values():
            verbs.add("update")
    return found


def _texts(registry: Registry) -> Iterator[str]:
    for resource in registry.resources.values():
        yield from (statement.text for statement in (*resource.statements.values(), *resource.shared.values()))
    package = Path(pbxapi.__file__).parent
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] not in (*_NOT_SERVED, "_builtin"):
            yield from _code_texts(path)
    for loaded in registry.plugins:
        if not loaded.error:
            for path in Path(loaded.origin).rglob("*.py"):
                yield from _code_texts(path)


def _code_texts(path: Path) -> Iterator[str]:
    """The texts in a module, without those that only explain it."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def read_rights(session: Session, registry: Registry, role: str = ROLE) -> list[Right]:
    """Every right that the role needs, in the order in which they can be given.

    A superuser needs none; that is more than the product asks for.
    """
    # Before the transaction begins: a busy host takes longer for it than one may be idle.
    needed = table_rights(registry, registry.catalogue)
    known = session.row(_ROLE, role=role)
    if known and known["rolsuper"]:
        return []
    schemas = [SCHEMA, *(p.plugin.schema for p in registry.plugins if p.plugin and has_tables(p))]
    # A role that is not there yet has nothing: what everybody may is asked for it.
    asked = role if known else "public"
    places = session.row(_PLACES, role=asked)
    assert places is not None
    quoted = _identifier(role)
    rights = [
        Right(
            f"role {role}", f"create role {quoted} login nosuperuser nocreatedb nocreaterole", known is not None
        ),
        Right(
            "connect to the database",
            f"grant connect on database {_identifier(places['database'])} to {quoted}",
            places["connects"],
        ),
        Right("usage on schema public", f"grant usage on schema public to {quoted}", places["uses_public"]),
    ]
    given = {row["name"]: set(row["given"]) for row in session.rows(_TABLES, role=asked, verbs=list(_VERBS))}
    for table, verbs in needed.items():
        if table in given:
            words = ", ".join(verb for verb in _VERBS if verb in verbs)
            rights.append(
                Right(f"{words} on {table}", f"grant {words} on {table} to {quoted}", verbs <= given[table])
            )
    for row in session.rows(_DEFAULTS, role=role):
        owner = _identifier(row["owner"])
        rights.append(
            Right(
                f"select on what {row['owner']} makes in schema public from now on",
                f"alter default privileges for role {owner} in schema public grant select on tables to {quoted}",
                row["given"],
            )
        )
    for row in session.rows(_SCHEMAS, role=role, schemas=schemas):
        verb = (
            f"alter schema {row['name']} owner to {quoted}"
            if row["made"]
            else f"create schema {row['name']} authorization {quoted}"
        )
        rights.append(Right(f"schema {row['name']} as its own", verb, row["own"]))
    for row in session.rows(_OTHERS_OBJECTS, role=role, schemas=schemas):
        rights.append(
            Right(f"{row['object']} as its own", f"alter {row['object']} owner to {quoted}", given=False)
        )
    return rights


def missing_rights(session: Session, registry: Registry, role: str = ROLE) -> list[Right]:
    """Those of `read_rights` that the database does not give."""
    return [right for right in read_rights(session, registry, role) if not right.given]


def grant(session: Session, rights: Iterable[Right]) -> None:
    """Give rights, in the session's transaction; for a superuser's session."""
    for right in rights:
        session.run(right.statement)


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


__all__ = ["ROLE", "Right", "grant", "missing_rights", "read_rights", "table_rights"]
