"""The benchmark's data: tenants of every size, and calls by the million."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid5

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]

SPACE = UUID("9d1c0f5e-2f0e-4a6c-8f62-5a0b6f3c7e11")
OTHER_DOMAINS = 1_000
"""Tenants that nothing is asked of, with ten extensions each."""

FIRST_NEW = 10_000_000
"""Extensions that a measure makes are numbered from here; those of the data have five or six digits."""


def domain_name(kind: str, size: int) -> str:
    """Of the tenant with so many extensions, or calls."""
    return f"{kind}{size}.example.com"


def domain_uuid(name: str) -> UUID:
    """Of a tenant of the benchmark's own."""
    return uuid5(SPACE, name)


_DOMAIN = """
insert into v_domains (domain_uuid, domain_name, domain_enabled) values (%(uuid)s, %(name)s, true)
on conflict do nothing
"""

_EXTENSIONS = """
insert into v_extensions (extension_uuid, domain_uuid, extension, password, effective_caller_id_name,
       effective_caller_id_number, user_context, directory_visible, directory_exten_visible, max_registrations,
       limit_max, limit_destination, call_timeout, enabled, insert_date)
select gen_random_uuid(), %(domain)s, (10000 + n)::text, md5(n::text), 'Person ' || n, (10000 + n)::text, %(name)s,
       true, true, '1', '5', 'error/user_busy', 30, true, now()
  from generate_series(1, %(count)s) as n
"""

_BOXES = """
insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id, voicemail_password, voicemail_enabled)
select gen_random_uuid(), %(domain)s, (10000 + n)::text, '123456', true from generate_series(1, %(count)s) as n
"""

# An extension in the middle of each tenant has a user: what get answers is all there.
_USER = """
with own as (
  select extension_uuid from v_extensions where domain_uuid = %(domain)s and extension = '10050'
), contact as (
  insert into v_contacts (contact_uuid, domain_uuid, contact_name_given, contact_name_family)
  select gen_random_uuid(), %(domain)s, 'Pat', 'Person' from own returning contact_uuid
), someone as (
  insert into v_users (user_uuid, domain_uuid, contact_uuid, username, user_enabled)
  select gen_random_uuid(), %(domain)s, contact_uuid, 'pat', 'true' from contact returning user_uuid
)
insert into v_extension_users (extension_user_uuid, domain_uuid, extension_uuid, user_uuid)
select gen_random_uuid(), %(domain)s, extension_uuid, user_uuid from own cross join someone
"""

_CALLS = """
insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, direction, caller_id_name, caller_id_number, caller_destination,
       destination_number, start_stamp, answer_stamp, end_stamp, start_epoch, duration, billsec, hangup_cause, leg)
select gen_random_uuid(), %(domain)s, (array['inbound', 'outbound', 'local'])[1 + n %% 3], 'Caller ' || n,
       '555' || lpad((n %% 10000000)::text, 7, '0'), '101', '101', at, at + interval '5 s', at + interval '65 s',
       extract(epoch from at), 65, 60, 'NORMAL_CLEARING', 'a'
  from (select n, now() - n * interval '7 s' as at
          from generate_series(%(first)s::bigint, %(last)s::bigint) as n) as call
"""

_STEP = 500_000

_INDEXES = """
select indexname, indexdef from pg_indexes
 where schemaname = 'public' and tablename = 'v_xml_cdr' and indexname <> 'v_xml_cdr_pkey'
"""

# No log, since it has no say in what is read; and indexes are made in one go.
_LOOSEN = ("alter table v_xml_cdr set unlogged", "alter table v_xml_cdr drop constraint v_xml_cdr_pkey")
_FASTEN = "alter table v_xml_cdr add constraint v_xml_cdr_pkey primary key (xml_cdr_uuid)"


def fill_others(connection: Connection, domains: int = OTHER_DOMAINS) -> None:
    """The tenants that are only there."""
    for number in range(domains):
        _fill_domain(connection, domain_name("other", number), 10)
    _tidy(connection)


def fill_extensions(connection: Connection, size: int) -> str:
    """A tenant with so many extensions and boxes, where it is missing; its name."""
    name = domain_name("extensions", size)
    if not _is_there(connection, name):
        _fill_domain(connection, name, size)
        _tidy(connection)
    return name


def fill_calls(connection: Connection, size: int) -> str:
    """A tenant with so many call records, seven seconds apart, where it is missing; its name."""
    name = domain_name("calls", size)
    if _is_there(connection, name):
        return name
    uuid = domain_uuid(name)
    connection.execute(_DOMAIN, {"uuid": uuid, "name": name})
    indexes = connection.execute(_INDEXES).fetchall() if size > _STEP else []
    for statement in (*(f"drop index {index}" for index, _ in indexes), *(_LOOSEN if indexes else ())):
        connection.execute(statement)

    def fill(first: int) -> None:
        with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as own:
            own.execute(_CALLS, {"domain": uuid, "first": first, "last": min(first + _STEP - 1, size)})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(1, size + 1, _STEP)))
    connection.execute("set maintenance_work_mem = '512MB'")
    for statement in (*(str(definition) for _, definition in indexes), *((_FASTEN,) if indexes else ())):
        connection.execute(statement)
    connection.execute("vacuum (analyze) v_xml_cdr")
    return name


def remove_new(connection: Connection) -> None:
    """Take away what creates have made, and what they have noted of it: each round finds the same."""
    connection.execute("delete from v_extensions where extension ~ '^[0-9]{8,}$'")
    connection.execute("delete from v_voicemails where voicemail_id ~ '^[0-9]{8,}$'")
    connection.execute(
        "truncate v_database_transactions, pbxapi.change, pbxapi.change_node, pbxapi.event restart identity"
    )
    _tidy(connection)


def extension_uuid(connection: Connection, name: str) -> str:
    """The extension of a tenant that has a user and a box."""
    text = "select extension_uuid from v_extensions where domain_uuid = %s and extension = '10050'"
    row = connection.execute(text, [domain_uuid(name)]).fetchone()
    assert row is not None
    return str(row[0])


def _is_there(connection: Connection, name: str) -> bool:
    return connection.execute("select from v_domains where domain_name = %s", [name]).fetchone() is not None


def _fill_domain(connection: Connection, name: str, count: int) -> None:
    uuid = domain_uuid(name)
    connection.execute(_DOMAIN, {"uuid": uuid, "name": name})
    values = {"domain": uuid, "name": name, "count": count}
    for statement in (_EXTENSIONS, _BOXES, _USER):
        connection.execute(statement, values)


def _tidy(connection: Connection) -> None:
    connection.execute("vacuum (analyze) v_extensions")
    connection.execute("vacuum (analyze) v_voicemails")
