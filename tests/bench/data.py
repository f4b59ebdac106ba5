"""The benchmark's data: tenants of every size, and calls by the million."""

from __future__ import annotations

from uuid import UUID, uuid5

import psycopg

SPACE = UUID("9d1c0f5e-2f0e-4a6c-8f62-5a0b6f3c7e11")
SIZES = (100, 10_000, 100_000)
"""Extensions of the three tenants that are measured; the other tenants have ten each."""

DOMAINS = 1_000


def domain_name(size: int) -> str:
    """Of the tenant with so many extensions, or calls."""
    return f"n{size}.example.com"


def domain_uuid(name: str) -> UUID:
    return uuid5(SPACE, name)


_DOMAIN = """
insert into v_domains (domain_uuid, domain_name, domain_enabled) values (%(uuid)s, %(name)s, true)
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


def fill_extensions(
    connection: psycopg.Connection[object], sizes: tuple[int, ...] = SIZES, domains: int = DOMAINS
) -> None:
    """Tenants with extensions and boxes."""
    for number in range(domains - len(sizes)):
        _fill_domain(connection, f"small{number}.example.com", 10)
    for size in sizes:
        _fill_domain(connection, domain_name(size), size)
    connection.execute("vacuum (analyze) v_extensions")
    connection.execute("vacuum (analyze) v_voicemails")


def _fill_domain(connection: psycopg.Connection[object], name: str, count: int) -> None:
    uuid = domain_uuid(name)
    connection.execute(_DOMAIN, {"uuid": uuid, "name": name})
    values = {"domain": uuid, "name": name, "count": count}
    connection.execute(_EXTENSIONS, values)
    connection.execute(_BOXES, values)


def fill_calls(connection: psycopg.Connection[object], sizes: tuple[int, ...]) -> None:
    """Tenants with call records; the tenants are made where they are missing."""
    for size in sizes:
        name = f"calls{size}.example.com"
        uuid = domain_uuid(name)
        connection.execute(_DOMAIN, {"uuid": uuid, "name": name})
        for first in range(1, size + 1, _STEP):
            last = min(first + _STEP - 1, size)
            connection.execute(_CALLS, {"domain": uuid, "first": first, "last": last})
    connection.execute("vacuum (analyze) v_xml_cdr")
