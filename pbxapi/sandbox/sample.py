"""Sample data: three domains with what a small telephone system holds, the same at every run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from pbxapi.xml.dialplan import Detail, from_details

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_NAMESPACE = UUID("5f0c2a4e-7d6b-4d1c-9a55-3c1f0e8b7a10")


def uuid_of(kind: str, *key: object) -> UUID:
    """The uuid of a sample record, such as ``uuid_of("extension", "pbx.example.com", "1001")``."""
    return uuid5(_NAMESPACE, "/".join((kind, *map(str, key))))


DOMAIN = "pbx.example.com"
DOMAIN_UUID = uuid_of("domain", DOMAIN)
SECOND_DOMAIN = "second.example.com"
SECOND_DOMAIN_UUID = uuid_of("domain", SECOND_DOMAIN)
CLOSED_DOMAIN = "closed.example.com"
CLOSED_DOMAIN_UUID = uuid_of("domain", CLOSED_DOMAIN)
"""The disabled one."""

FIRST_EXTENSION = 1001
"""Extensions count up from here in every domain. Of the shorter numbers only 500 (time condition) and 710
(alias of 1010) are taken."""

GROUPS = {
    "superadmin": 80,
    "admin": 50,
    "user": 30,
    "managers": 30,
    "agent": 20,
    "accountants": 20,
    "public": 10,
}
"""Groups of all domains, and their levels."""

PASSWORD = "Sandbox-Door-1"
"""What every sample user logs in with."""

_PASSWORD_HASH = "$2y$10$wqjJMJjF7N.tFnx38lwVzOkCioycLcn/YUWJj/B95E0eF2MLKMQU."

INBOUND_APP = UUID("c03b422e-13a8-bd1b-e42b-b6b9b4d27ce4")
OUTBOUND_APP = UUID("8c914ec3-9fc0-8ab5-4cda-6c9288bdc9a3")
TIME_CONDITION_APP = UUID("4b821450-926b-175a-af93-a03c441818b1")
DIALPLAN_APP = UUID("742714e5-8cdf-32fd-462c-cbe7e3d655db")

GIVEN_NAMES = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Elif",
    "Felix",
    "Greta",
    "Hugo",
    "Iris",
    "Jonas",
    "Kaya",
    "Liam",
    "Mara",
    "Noah",
    "Olga",
    "Paul",
]
FAMILY_NAMES = [
    "Adler",
    "Berg",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Hansen",
    "Ivanov",
    "Jensen",
    "Keller",
    "Lopez",
    "Moreau",
]


class Person(NamedTuple):
    """A sample user."""

    domain: str
    username: str
    groups: tuple[str, ...]
    given: str
    family: str
    extension: int | None = None


PEOPLE = (
    Person(DOMAIN, "admin", ("superadmin",), "Ada", "Root"),
    Person(DOMAIN, "anna", ("user", "managers"), "Anna", "Adler", 1001),
    Person(DOMAIN, "ben", ("user", "accountants"), "Ben", "Berg", 1002),
    Person(DOMAIN, "clara", ("user", "agent"), "Clara", "Costa", 1003),
    Person(SECOND_DOMAIN, "admin", ("admin",), "Sam", "Second"),
    Person(CLOSED_DOMAIN, "admin", ("admin",), "Cleo", "Closed"),
)


def fill(
    connection_or_url: psycopg.Connection[Any] | str,
    *,
    key: str,
    xml_dirs: Mapping[str, Path],
    extensions: int = 200,
    cdrs: int = 3000,
    now: datetime | None = None,
) -> bool:
    """Load the sample data into a database without domains; one with domains is left as it is.

    Args:
        connection_or_url: a connection that is in a transaction stays in it; otherwise the data are committed.
        key: the API key of the system (default setting api/secret_key).
        xml_dirs: the folders that the settings name: ``extensions``, ``sip_profiles``, ``dialplan``,
            ``voicemail``, ``recordings`` and ``cache``. They are not made.
        extensions: how many the first domain gets; the second gets a tenth.
        cdrs: call records over the 30 days before `now`, a tenth of them in the second domain.
        now: the present moment.

    Returns:
        Whether the data were loaded.

    Raises:
        KeyError: a folder is missing in `xml_dirs`.
        psycopg.Error: no connection, or not FusionPBX's tables.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    opened = (
        psycopg.connect(connection_or_url)
        if isinstance(connection_or_url, str)
        else nullcontext(connection_or_url)
    )
    with opened as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('pbxapi.sandbox.sample'))")
        cursor.execute("select exists (select from v_domains)")
        if cursor.fetchone() == (True,):
            return False
        for tables in (
            _settings(key, xml_dirs),
            _domains_and_profiles(),
            _users(now),
            _extensions(extensions, now),
            _gateways(),
            _devices(extensions),
            _dialplans(),
            _calls(cdrs, extensions, xml_dirs["recordings"], now),
        ):
            for table, rows in tables.items():
                _copy(cursor, table, rows, now)
        cursor.execute("analyze")
    return True


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: Sequence[Row], now: datetime) -> None:
    if not rows:
        return
    columns = list(dict.fromkeys(column for row in rows for column in row))
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, [*columns, "insert_date"]))
    )
    with cursor.copy(statement) as copy:
        for row in rows:
            values = (row.get(column) for column in columns)
            # FusionPBX stores an empty text as NULL.
            copy.write_row([*(None if value == "" else value for value in values), now])


def _settings(key: str, folders: Mapping[str, Path]) -> Tables:
    on, off = True, False
    default = [
        ("api", "secret_key", "text", key, on),
        ("cache", "method", "text", "file", on),
        ("cache", "location", "text", folders["cache"], on),
        ("cdr", "limit", "numeric", 800, on),
        ("destinations", "dialplan_details", "boolean", "true", on),
        ("destinations", "dialplan_mode", "text", "single", on),
        ("destinations", "unique", "boolean", "true", on),
        ("dialplan", "destination", "text", "destination_number", on),
        ("domain", "dial_string", "text", "${sofia_contact(*/${dialed_user}@${dialed_domain})}", on),
        ("domain", "language", "code", "en-us", on),
        ("domain", "time_zone", "text", "UTC", on),
        ("extension", "password_length", "numeric", 20, on),
        ("extension", "password_strength", "numeric", 4, on),
        ("provision", "enabled", "boolean", "true", off),
        ("provision", "http_auth_enabled", "boolean", "true", on),
        ("provision", "line_register_expires", "text", 120, on),
        ("provision", "line_sip_port", "text", 5060, on),
        ("provision", "line_sip_transport", "text", "tcp", on),
        ("provision", "path", "text", None, off),
        ("switch", "dialplan", "dir", folders["dialplan"], on),
        ("switch", "extensions", "dir", folders["extensions"], on),
        ("switch", "recordings", "dir", folders["recordings"], on),
        ("switch", "sip_profiles", "dir", folders["sip_profiles"], on),
        ("switch", "voicemail", "dir", folders["voicemail"], on),
        ("users", "password_length", "numeric", 12, on),
        ("users", "password_lowercase", "boolean", "true", on),
        ("users", "password_number", "boolean", "true", on),
        ("users", "password_special", "boolean", "false", on),
        ("users", "password_uppercase", "boolean", "true", on),
        ("users", "unique", "text", "global", off),
        ("voicemail", "keep_local", "boolean", "true", on),
        ("voicemail", "password_length", "numeric", 8, on),
        ("voicemail", "storage_type", "text", "base64", off),
        ("voicemail", "use_deletion_queue", "boolean", "false", off),
        ("voicemail", "voicemail_file", "text", "attach", on),
    ]
    limited = "call_center_queues destinations devices extensions gateways ivr_menus ring_groups users"
    default += [("limit", what, "numeric", 3, off) for what in limited.split()]
    return {
        "v_default_settings": [
            {
                "default_setting_uuid": uuid_of("default setting", category, subcategory),
                "default_setting_category": category,
                "default_setting_subcategory": subcategory,
                "default_setting_name": name,
                "default_setting_value": None if value is None else str(value),
                "default_setting_enabled": enabled,
            }
            for category, subcategory, name, value, enabled in default
        ],
        "v_domain_settings": [
            {
                "domain_setting_uuid": uuid_of("domain setting", SECOND_DOMAIN, "time_zone"),
                "domain_uuid": SECOND_DOMAIN_UUID,
                "domain_setting_category": "domain",
                "domain_setting_subcategory": "time_zone",
                "domain_setting_name": "name",
                "domain_setting_value": "Europe/Berlin",
                "domain_setting_enabled": True,
            }
        ],
    }


def _domains_and_profiles() -> Tables:
    domains = [
        (DOMAIN, True, "Head office"),
        (SECOND_DOMAIN, True, "Another tenant"),
        (CLOSED_DOMAIN, False, "A tenant that has left"),
    ]
    profiles = {
        "internal": [("sip-port", "5060"), ("context", "public"), ("auth-calls", "true")],
        "external": [("sip-port", "5080"), ("context", "public"), ("auth-calls", "false")],
    }
    return {
        "v_domains": [
            {
                "domain_uuid": uuid_of("domain", name),
                "domain_name": name,
                "domain_enabled": enabled,
                "domain_description": description,
            }
            for name, enabled, description in domains
        ],
        "v_sip_profiles": [
            {
                "sip_profile_uuid": uuid_of("sip profile", name),
                "sip_profile_name": name,
                "sip_profile_enabled": True,
                "sip_profile_description": f"The {name} side",
            }
            for name in profiles
        ],
        "v_sip_profile_settings": [
            {
                "sip_profile_setting_uuid": uuid_of("sip profile setting", profile, name),
                "sip_profile_uuid": uuid_of("sip profile", profile),
                "sip_profile_setting_name": name,
                "sip_profile_setting_value": value,
                "sip_profile_setting_enabled": True,
            }
            for profile, settings in profiles.items()
            for name, value in [*settings, ("dialplan", "XML"), ("user-agent-string", "Sandbox")]
        ],
        "v_sip_profile_domains": [
            {
                "sip_profile_domain_uuid": uuid_of("sip profile domain", profile),
                "sip_profile_uuid": uuid_of("sip profile", profile),
                "sip_profile_domain_name": "all",
                "sip_profile_domain_alias": alias,
                "sip_profile_domain_parse": parse,
            }
            for profile, alias, parse in [("internal", "true", "false"), ("external", "false", "true")]
        ],
    }


def _users(now: datetime) -> Tables:
    tables: Tables = {
        "v_groups": [
            {
                "group_uuid": uuid_of("group", name),
                "group_name": name,
                "group_level": level,
                "group_protected": False,
                "group_description": f"Sample group {name}",
            }
            for name, level in GROUPS.items()
        ],
        "v_users": [],
        "v_user_groups": [],
        "v_user_settings": [],
        "v_contacts": [],
        "v_contact_emails": [],
    }
    for person in PEOPLE:
        who = (person.domain, person.username)
        domain = {"domain_uuid": uuid_of("domain", person.domain)}
        user = {"user_uuid": uuid_of("user", *who)}
        contact = {"contact_uuid": uuid_of("contact", *who)}
        email = f"{person.username}@{person.domain}"
        tables["v_users"].append(
            {
                **user,
                **domain,
                **contact,
                "username": person.username,
                "password": _PASSWORD_HASH,
                "user_email": email,
                "user_type": "default",
                "user_enabled": True,
                "add_user": "admin",
                "add_date": now.isoformat(),
            }
        )
        tables["v_user_groups"] += [
            {
                "user_group_uuid": uuid_of("user group", *who, group),
                **domain,
                **user,
                "group_name": group,
                "group_uuid": uuid_of("group", group),
            }
            for group in person.groups
        ]
        tables["v_user_settings"] += [
            {
                "user_setting_uuid": uuid_of("user setting", *who, subcategory),
                **domain,
                **user,
                "user_setting_category": "domain",
                "user_setting_subcategory": subcategory,
                "user_setting_name": name,
                "user_setting_value": value,
                "user_setting_enabled": True,
            }
            for subcategory, name, value in [("language", "code", "en-us"), ("time_zone", "name", "UTC")]
        ]
        tables["v_contacts"].append(
            {
                **contact,
                **domain,
                "contact_type": "user",
                "contact_organization": "Example",
                "contact_name_given": person.given,
                "contact_name_family": person.family,
                "contact_nickname": person.username,
            }
        )
        tables["v_contact_emails"].append(
            {
                "contact_email_uuid": uuid_of("contact email", *who),
                **domain,
                **contact,
                "email_label": "Work",
                "email_primary": True,
                "email_address": email,
            }
        )
    return tables


def _numbers(domain: str, extensions: int) -> range:
    """The extension numbers of a domain."""
    count = {DOMAIN: extensions, SECOND_DOMAIN: extensions // 10, CLOSED_DOMAIN: 2}[domain]
    return range(FIRST_EXTENSION, FIRST_EXTENSION + count)


def _extensions(count: int, now: datetime) -> Tables:
    """Nine in ten have a voicemail box; one in 25 is disabled; the first boxes hold messages."""
    random = Random("extensions")
    tables: Tables = {
        "v_extensions": [],
        "v_extension_users": [],
        "v_voicemails": [],
        "v_voicemail_messages": [],
    }
    for domain in (DOMAIN, SECOND_DOMAIN, CLOSED_DOMAIN):
        tenant = {"domain_uuid": uuid_of("domain", domain)}
        for place, number in enumerate(_numbers(domain, count)):
            extension = str(number)
            given = GIVEN_NAMES[place % len(GIVEN_NAMES)]
            family = FAMILY_NAMES[place % len(FAMILY_NAMES)]
            record = {"extension_uuid": uuid_of("extension", domain, extension)}
            alias = "710" if (domain, extension) == (DOMAIN, "1010") else None
            tables["v_extensions"].append(
                {
                    **record,
                    **tenant,
                    "extension": extension,
                    "number_alias": alias,
                    "password": f"{random.getrandbits(64):016x}",
                    "accountcode": domain,
                    "effective_caller_id_name": f"{given} {family}",
                    "effective_caller_id_number": extension,
                    "outbound_caller_id_name": "Example",
                    "outbound_caller_id_number": "2025550101",
                    "directory_first_name": given,
                    "directory_last_name": family,
                    "directory_visible": True,
                    "directory_exten_visible": True,
                    "limit_max": "5",
                    "limit_destination": "!USER_BUSY",
                    "user_context": domain,
                    "call_timeout": 30,
                    "call_group": "sales" if place % 5 == 0 else None,
                    "do_not_disturb": False,
                    "forward_all_enabled": False,
                    "enabled": place % 25 != 24,
                    "description": f"Desk of {given} {family}",
                }
            )
            if place % 10 == 9 and alias is None:
                continue
            box = {"voicemail_uuid": uuid_of("voicemail", domain, alias or extension)}
            tables["v_voicemails"].append(
                {
                    **tenant,
                    **box,
                    "voicemail_id": alias or extension,
                    "voicemail_password": f"{random.randrange(1_000_000):06d}",
                    "voicemail_tutorial": False,
                    "voicemail_mail_to": f"{extension}@{domain}" if place % 3 == 0 else None,
                    "voicemail_file": "attach",
                    "voicemail_local_after_email": True,
                    "voicemail_transcription_enabled": False,
                    "voicemail_enabled": True,
                    "voicemail_description": f"{given} {family}",
                }
            )
            if place < 20:
                tables["v_voicemail_messages"] += _messages(domain, tenant | box, number, random, now)
    tables["v_extension_users"] = [
        {
            "extension_user_uuid": uuid_of("extension user", person.domain, person.username),
            "domain_uuid": uuid_of("domain", person.domain),
            "extension_uuid": uuid_of("extension", person.domain, person.extension),
            "user_uuid": uuid_of("user", person.domain, person.username),
        }
        for person in PEOPLE
        if person.extension in _numbers(person.domain, count)
    ]
    return tables


def _messages(domain: str, box: Row, number: int, random: Random, now: datetime) -> Iterable[Row]:
    """Two new messages, one that was heard and one on its way out."""
    for place, status in enumerate((None, None, "saved", "deleted")):
        created = int(now.timestamp()) - random.randrange(86_400 * 14)
        yield {
            **box,
            "voicemail_message_uuid": uuid_of("voicemail message", domain, number, place),
            "created_epoch": created,
            "read_epoch": created + 3600 if status else None,
            "caller_id_name": random.choice(GIVEN_NAMES),
            "caller_id_number": f"20255501{random.randrange(100):02d}",
            "message_length": random.randrange(3, 120),
            "message_status": status,
        }


def _gateways() -> Tables:
    # name, domain (None: shared), registers, enabled
    gateways = [
        ("carrier", DOMAIN, True, True),
        ("backup", DOMAIN, False, True),
        ("retired", DOMAIN, True, False),
        ("carrier", SECOND_DOMAIN, True, True),
        ("shared", None, False, True),
    ]
    return {
        "v_gateways": [
            {
                "gateway_uuid": uuid_of("gateway", domain, name),
                "domain_uuid": None if domain is None else uuid_of("domain", domain),
                "gateway": name,
                "username": f"{name}-user",
                "password": f"{name}-secret",
                "proxy": f"sip.{name}.example.net",
                "expire_seconds": 800,
                "register": registers,
                "register_transport": "udp",
                "retry_seconds": 30,
                "ping": "30",
                "caller_id_in_from": False,
                "supress_cng": False,
                "context": "public",
                "profile": "external",
                "enabled": enabled,
                "description": f"Trunk {name}",
            }
            for name, domain, registers, enabled in gateways
        ]
    }


def _devices(extensions: int) -> Tables:
    """A telephone for each of the first extensions of the enabled domains."""
    models = [("yealink", "yealink/t46u"), ("polycom", "polycom/5.x"), ("grandstream", "grandstream/gxp2160")]
    tables: Tables = {
        "v_device_profiles": [
            {
                "device_profile_uuid": uuid_of("device profile", DOMAIN, "desk"),
                "domain_uuid": DOMAIN_UUID,
                "device_profile_name": "desk",
                "device_profile_enabled": True,
            }
        ],
        "v_devices": [],
        "v_device_lines": [],
    }
    for domain, most in ((DOMAIN, 12), (SECOND_DOMAIN, 3)):
        for place, number in enumerate(_numbers(domain, extensions)[:most]):
            vendor, template = models[place % len(models)]
            address = f"02005e{0 if domain == DOMAIN else 1:02x}{number:04x}"
            record = {
                "domain_uuid": uuid_of("domain", domain),
                "device_uuid": uuid_of("device", address),
            }
            tables["v_devices"].append(
                {
                    **record,
                    "device_profile_uuid": (
                        uuid_of("device profile", DOMAIN, "desk") if domain == DOMAIN else None
                    ),
                    "device_address": address,
                    "device_label": str(number),
                    "device_vendor": vendor,
                    "device_template": template,
                    "device_enabled": True,
                    "device_description": f"Telephone of {number}",
                }
            )
            tables["v_device_lines"].append(
                {
                    **record,
                    "device_line_uuid": uuid_of("device line", address, 1),
                    "line_number": "1",
                    "server_address": domain,
                    "display_name": str(number),
                    "user_id": str(number),
                    "auth_id": str(number),
                    "password": f"line-{address}",
                    "sip_port": 5060,
                    "sip_transport": "tcp",
                    "register_expires": 120,
                    "enabled": True,
                }
            )
    return tables


def _dialplans() -> Tables:
    tables: Tables = {"v_dialplans": [], "v_dialplan_details": [], "v_destinations": []}

    def add(
        name: str,
        domain: str | None,
        app: UUID,
        context: str,
        order: int,
        details: Sequence[Detail],
        *,
        number: str | None = None,
        goes_on: bool = False,
    ) -> UUID:
        record = uuid_of("dialplan", domain, name)
        domain_uuid = None if domain is None else uuid_of("domain", domain)
        details = [replace(detail, order=place * 10) for place, detail in enumerate(details, 1)]
        xml = from_details(
            name,
            details,
            uuid=record,
            context=context,
            continue_=goes_on,
            domain_uuid=domain_uuid,
            domain_name=domain,
        )
        tables["v_dialplans"].append(
            {
                "domain_uuid": domain_uuid,
                "dialplan_uuid": record,
                "app_uuid": app,
                "dialplan_context": context,
                "dialplan_name": name,
                "dialplan_number": number,
                "dialplan_destination": False,
                "dialplan_continue": goes_on,
                "dialplan_xml": xml,
                "dialplan_order": order,
                "dialplan_enabled": True,
                "dialplan_description": f"Sample dialplan {name}",
            }
        )
        tables["v_dialplan_details"] += [
            {
                "domain_uuid": domain_uuid,
                "dialplan_uuid": record,
                "dialplan_detail_uuid": uuid_of("dialplan detail", domain, name, place),
                **detail.as_row(),
            }
            for place, detail in enumerate(details, 1)
        ]
        return record

    def dialled(expression: str, group: int = 0) -> Detail:
        return Detail("condition", "destination_number", expression, group=group)

    def action(application: str, data: str, group: int = 0, inline: str = "") -> Detail:
        return Detail("action", application, data, inline=inline, group=group)

    add(
        "echo",
        None,
        DIALPLAN_APP,
        "global",
        500,
        [dialled(r"^\*196$"), action("answer", ""), action("echo", "")],
        number="*196",
    )
    add(
        "tenant-marker",
        None,
        DIALPLAN_APP,
        "global",
        20,
        [dialled("^.+$"), action("set", "sandbox=true", inline="true")],
        goes_on=True,
    )
    for domain in (DOMAIN, SECOND_DOMAIN):
        voicemail = [
            dialled(r"^\*98$"),
            action("answer", ""),
            action("voicemail", f"check default {domain}"),
        ]
        add("voicemail", domain, DIALPLAN_APP, domain, 380, voicemail, number="*98")
        local = [
            dialled(r"^(\d{4,6})$"),
            action("set", "hangup_after_bridge=true"),
            action("bridge", f"user/$1@{domain}"),
        ]
        add("extensions", domain, DIALPLAN_APP, domain, 890, local)
    for domain, base, count in ((DOMAIN, 2025550101, 5), (SECOND_DOMAIN, 2025550151, 2)):
        domain_uuid = uuid_of("domain", domain)
        for place in range(count):
            number = str(base + place)
            regex = rf"^\+?1?({number})$"
            target = f"{FIRST_EXTENSION + place} XML {domain}"
            route = add(
                number,
                domain,
                INBOUND_APP,
                "public",
                100,
                [dialled(regex), action("transfer", target)],
                number=number,
            )
            actions = [{"destination_app": "transfer", "destination_data": target}]
            tables["v_destinations"].append(
                {
                    "domain_uuid": domain_uuid,
                    "destination_uuid": uuid_of("destination", number),
                    "dialplan_uuid": route,
                    "destination_type": "inbound",
                    "destination_number": number,
                    "destination_prefix": "1",
                    "destination_number_regex": regex,
                    "destination_context": "public",
                    "destination_record": False,
                    "destination_type_voice": 1,
                    "destination_actions": json.dumps(actions),
                    "destination_app": "transfer",
                    "destination_data": target,
                    "destination_order": 100,
                    "destination_enabled": True,
                    "destination_description": f"Line {place + 1}",
                }
            )
        route_in = [dialled(f"^({base + 40})$"), action("transfer", f"1001 XML {domain}")]
        add("main-line", domain, INBOUND_APP, "public", 110, route_in, number=str(base + 40))

        abroad = [
            Detail("condition", "${user_exists}", "false"),
            dialled(r"^\+?1?(\d{10})$"),
            action("export", "call_direction=outbound", inline="true"),
        ]
        add("call_direction-outbound.10d", domain, OUTBOUND_APP, domain, 22, abroad, goes_on=True)
        trunk = [
            *abroad,
            action("set", "hangup_after_bridge=true"),
            action("set", "effective_caller_id_number=${outbound_caller_id_number}"),
            action("bridge", f"sofia/gateway/{uuid_of('gateway', domain, 'carrier')}/$1"),
        ]
        add("carrier.10d", domain, OUTBOUND_APP, domain, 300, trunk)
        hours = [
            dialled("^500$", 500),
            Detail("condition", "wday", "2-6", break_="never", group=500),
            Detail("condition", "hour", "8-17", break_="never", group=500),
            action("transfer", f"1001 XML {domain}", 500),
            dialled("^500$", 999),
            action("transfer", f"*991001 XML {domain}", 999),
        ]
        add("office-hours", domain, TIME_CONDITION_APP, domain, 300, hours, number="500")
    return tables


class Ending(NamedTuple):
    """How a call ends: status, hangup cause and its Q.850 number, and whether anybody talked."""

    status: str
    cause: str
    q850: int
    talked: bool = False


ENDINGS = (
    Ending("answered", "NORMAL_CLEARING", 16, True),
    Ending("no_answer", "NO_ANSWER", 19),
    Ending("cancelled", "ORIGINATOR_CANCEL", 487),
    Ending("busy", "USER_BUSY", 17),
    Ending("failed", "CALL_REJECTED", 21),
    Ending("missed", "NO_ANSWER", 19),
    Ending("voicemail", "NORMAL_CLEARING", 16, True),
)
_SHARES = (68, 9, 6, 5, 4, 4, 4)


def _calls(count: int, extensions: int, recordings: Path, now: datetime) -> Tables:
    """Calls of the enabled domains; one in four that were answered is recorded."""
    random = Random("calls")
    rows: list[Row] = []
    for domain, share in ((DOMAIN, count - count // 10), (SECOND_DOMAIN, count // 10)):
        numbers = _numbers(domain, extensions)
        if not numbers:
            continue
        for place in range(share):
            number = str(random.choice(numbers))
            outside = f"20255501{random.randrange(100):02d}"
            direction = random.choices(("inbound", "outbound", "local"), (45, 35, 20))[0]
            if direction == "inbound":
                caller, called = outside, number
            elif direction == "outbound":
                caller, called = number, outside
            else:
                caller, called = number, str(random.choice(numbers))
            # Only who calls in is missed or leaves a message.
            shares = _SHARES if direction == "inbound" else (*_SHARES[:5], 0, 0)
            ending = random.choices(ENDINGS, shares)[0]
            if ending.status == "voicemail":
                called = f"*99{called}"
            start = now - timedelta(seconds=random.randrange(60, 86_400 * 30))
            ring = timedelta(seconds=random.randrange(1, 30))
            talk = timedelta(seconds=random.randrange(2, 900) if ending.talked else 0)
            record = uuid_of("call", domain, place)
            recorded = ending.status == "answered" and random.random() < 0.25
            end = start + ring + talk
            rows.append(
                {
                    "xml_cdr_uuid": record,
                    "domain_uuid": uuid_of("domain", domain),
                    "extension_uuid": uuid_of("extension", domain, number),
                    "sip_call_id": f"{record}@{domain}",
                    "domain_name": domain,
                    "accountcode": domain,
                    "direction": direction,
                    "default_language": "en",
                    "context": "public" if direction == "inbound" else domain,
                    "caller_id_name": random.choice(GIVEN_NAMES),
                    "caller_id_number": caller,
                    "caller_destination": called,
                    "source_number": caller,
                    "destination_number": called,
                    "start_epoch": int(start.timestamp()),
                    "start_stamp": start,
                    "answer_epoch": int((start + ring).timestamp()) if ending.talked else None,
                    "answer_stamp": start + ring if ending.talked else None,
                    "end_epoch": int(end.timestamp()),
                    "end_stamp": end,
                    "duration": talk.seconds,
                    "mduration": (ring + talk).seconds * 1000,
                    "billsec": talk.seconds,
                    "billmsec": talk.seconds * 1000,
                    "read_codec": "PCMU",
                    "read_rate": "8000",
                    "write_codec": "PCMU",
                    "write_rate": "8000",
                    "record_path": (f"{recordings}/{domain}/archive/{start:%Y/%b/%d}" if recorded else None),
                    "record_name": f"{record}.wav" if recorded else None,
                    "record_length": talk.seconds if recorded else None,
                    "leg": "a",
                    "last_app": "bridge",
                    "voicemail_message": ending.status == "voicemail",
                    "missed_call": ending.status == "missed",
                    "status": ending.status,
                    "hangup_cause": ending.cause,
                    "hangup_cause_q850": ending.q850,
                }
            )
    return {"v_xml_cdr": rows}
