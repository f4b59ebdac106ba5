"""FusionPBX's XML handler as the switch sees it: directory and gateways from the database, through a file cache.

On a FusionPBX host mod_lua answers the switch's look-ups. It believes a cache file without looking at its age,
else asks the database and writes the file; it never overwrites one. So a row that changed takes effect when
its file is deleted, and a look-up that read the old row can write its file after that delete.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, LiteralString
from xml.etree.ElementTree import Element, SubElement, tostring

import psycopg
from psycopg.rows import DictRow, dict_row

from pbxapi.sandbox import switch_xml

log = logging.getLogger(__name__)

# One row each, as JSON: the columns differ between FusionPBX versions, flags are boolean or text.
_EXTENSION = """
select to_jsonb(e) as record
  from v_extensions e
  join v_domains d on d.domain_uuid = e.domain_uuid
 where d.domain_name = %(domain)s
   and d.domain_enabled::text = 'true'
   and (e.extension = %(user)s or e.number_alias = %(user)s)
   and e.enabled::text = 'true'
 limit 1
"""
_GATEWAYS = """
select to_jsonb(g) as record
  from v_gateways g
 where g.profile = %(profile)s
   and g.enabled::text = 'true'
   and (g.hostname = %(hostname)s or g.hostname is null or g.hostname = '')
 order by g.gateway, g.gateway_uuid
"""
_MESSAGES = """
select count(*) filter (where coalesce(m.message_status, '') = '') as new,
       count(*) filter (where m.message_status = 'saved') as saved
  from v_voicemail_messages m
  join v_voicemails v on v.voicemail_uuid = m.voicemail_uuid
  join v_domains d on d.domain_uuid = v.domain_uuid
 where v.voicemail_id = %(box)s
   and d.domain_name = %(domain)s
"""

_USER_VARIABLES = (
    "domain_uuid",
    "extension_uuid",
    "call_timeout",
    "call_group",
    "user_record",
    "hold_music",
    "toll_allow",
    "accountcode",
    "user_context",
    "effective_caller_id_name",
    "effective_caller_id_number",
    "outbound_caller_id_name",
    "outbound_caller_id_number",
    "forward_all_enabled",
    "forward_all_destination",
    "do_not_disturb",
)
_GATEWAY_PARAMS = (
    "username",
    "distinct-to",
    "auth-username",
    "password",
    "realm",
    "from-user",
    "from-domain",
    "proxy",
    "register-proxy",
    "outbound-proxy",
    "expire-seconds",
    "register",
    "register-transport",
    "contact-params",
    "retry-seconds",
    "extension",
    "ping",
    "ping-min",
    "ping-max",
    "contact-in-ping",
    "context",
    "caller-id-in-from",
    "extension-in-contact",
)


class XmlHandler:
    """What mod_lua with FusionPBX's scripts answers to the switch.

    Args:
        database_url: of FusionPBX's database.
        cache_dir: folder of the cache files; None for a host without a cache.
        hostname: as the API command `hostname` gives it.
        before_cache_write: called with the key between the SELECT and the writing of its file.
    """

    def __init__(
        self,
        database_url: str,
        cache_dir: Path | None,
        hostname: str,
        before_cache_write: Callable[[str], None],
    ) -> None:
        self._database_url = database_url
        self._cache_dir = cache_dir
        self._hostname = hostname
        self._before_cache_write = before_cache_write

    def directory(self, user: str, domain: str) -> Element | None:
        """The directory document with that user, by number or alias; None when there is none."""
        cached = self._cached(f"directory:{user}@{domain}")
        if cached is not None or user in ("", "*97"):
            return cached
        rows = self._select(_EXTENSION, {"user": user, "domain": domain})
        if not rows:
            return None
        extension = rows[0]["record"]
        document = _directory_document(extension, domain)
        for number in dict.fromkeys([extension["number_alias"] or extension["extension"], extension["extension"]]):
            self._write(f"directory:{number}@{domain}", document)
        return document

    def sofia_conf(self, profiles: tuple[str, ...]) -> Element | None:
        """The configuration document with the gateways of the profiles; None when the database is away."""
        key = f"{self._hostname}:configuration:sofia.conf"
        cached = self._cached(key)
        if cached is not None:
            return cached
        document, found = _document("configuration")
        holder = SubElement(SubElement(found, "configuration", name="sofia.conf"), "profiles")
        for profile in profiles:
            rows = self._select(_GATEWAYS, {"profile": profile, "hostname": self._hostname})
            if rows is None:
                return None
            gateways = SubElement(SubElement(holder, "profile", name=profile), "gateways")
            for row in rows:
                _add_gateway(gateways, row["record"])
        self._write(key, document)
        return document

    def messages(self, box: str, domain: str) -> tuple[int, int]:
        """How many new and saved messages a voicemail box holds; (0, 0) when the database is away."""
        rows = self._select(_MESSAGES, {"box": box, "domain": domain})
        return (rows[0]["new"], rows[0]["saved"]) if rows else (0, 0)

    def _select(self, statement: LiteralString, values: Mapping[str, str]) -> list[DictRow] | None:
        """The rows; None, as FusionPBX's scripts take it, when the database is away."""
        try:
            with psycopg.connect(self._database_url, row_factory=dict_row, connect_timeout=3) as connection:
                return connection.execute(statement, values).fetchall()
        except psycopg.Error as error:
            log.warning("the switch's XML handler has no database: %s", error)
            return None

    def _file(self, key: str) -> Path | None:
        if self._cache_dir is None:
            return None
        return self._cache_dir / key.replace(":", ".").replace("/", "_").replace("\\", "_")

    def _cached(self, key: str) -> Element | None:
        file = self._file(key)
        if file is None or not file.is_file():
            return None
        try:
            return switch_xml.parse(file.read_text())
        except FileNotFoundError:
            return None
        except switch_xml.XmlBroken as fault:
            log.warning("the switch's cache file %s is broken: %s", file.name, fault)
            return Element("document")

    def _write(self, key: str, document: Element) -> None:
        file = self._file(key)
        if file is None:
            return
        self._before_cache_write(key)
        if file.exists():
            return
        unfinished = file.with_name(f"{file.name}.{uuid.uuid4()}.tmp")
        unfinished.write_bytes(tostring(document))
        unfinished.rename(file)


def _document(section: str) -> tuple[Element, Element]:
    document = Element("document", type="freeswitch/xml")
    return document, SubElement(document, "section", name=section)


def _text(value: Any) -> str:
    """A JSON value as FusionPBX writes it; "" for null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _directory_document(extension: Mapping[str, Any], domain: str) -> Element:
    document, section = _document("directory")
    owner = SubElement(section, "domain", name=domain, alias="true")
    group = SubElement(SubElement(owner, "groups"), "group", name="default")
    user = SubElement(SubElement(group, "users"), "user", id=extension["extension"])
    if extension["number_alias"]:
        user.set("number-alias", extension["number_alias"])
    SubElement(SubElement(user, "params"), "param", name="password", value=_text(extension["password"]))
    variables = SubElement(user, "variables")
    SubElement(variables, "variable", name="domain_name", value=domain)
    for column in _USER_VARIABLES:
        if value := _text(extension.get(column)):
            SubElement(variables, "variable", name=column, value=value)
    return document


def _add_gateway(gateways: Element, row: Mapping[str, Any]) -> None:
    """A gateway, named by its lower-case uuid; parameters without a value are left out."""
    gateway = SubElement(gateways, "gateway", name=_text(row["gateway_uuid"]).lower())
    for param in _GATEWAY_PARAMS:
        if value := _text(row.get(param.replace("-", "_"))):
            SubElement(gateway, "param", name=param, value=value)
