"""The directory as files: what a phone that registers is checked against, where the operator wants files.

Read by FreeSWITCH only where FusionPBX's default setting switch/extensions names a folder; else its Lua
script reads the same rows from the database. Order and names follow that script
(xml_handler/directory/directory.lua), the two ``reverse-auth`` parameters FusionPBX's own files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pbxapi.xml.text import Element, InvalidValue, check, check_row, include_file, is_true, plain

_REMOVED = re.compile(r"""[*:\\/<>|'"?]""")
_FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_VERTO = {
    "jsonrpc-allowed-methods": "verto",
    "jsonrpc-allowed-event-channels": "demo,conference,presence",
}
_MEDIA = {
    "bypass-media": "bypass_media",
    "bypass-media-after-bridge": "bypass_media_after_bridge",
    "proxy-media": "proxy_media",
}


def extension_file_name(extension: str) -> str:
    """The name of an extension's file: ``v_101.xml``.

    FusionPBX's rule: spaces become ``_``, and ``* : \\ / < > | ' " ?`` go. So ``*101`` and ``101`` share a
    file.

    Raises:
        InvalidValue: nothing is left of the number, or it holds a control character.
    """
    kept = _REMOVED.sub("", extension.replace(" ", "_"))
    if not kept or not kept.isprintable():
        raise InvalidValue("extension", "no file can be named after it")
    return f"v_{kept}.xml"


def domain_folder_name(domain_name: str) -> str:
    """The folder that holds the files of a domain's extensions; beside it the domain's own, named so + ``.xml``.

    Raises:
        InvalidValue: the name has other characters than letters, digits, ``_``, ``-`` and inner dots.
    """
    if not _FOLDER.fullmatch(domain_name):
        raise InvalidValue("domain_name", "no folder can be named after it")
    return domain_name


def extension_file(
    extension: Mapping[str, Any],
    voicemail: Mapping[str, Any] | None,
    *,
    domain_name: str,
    dial_string: str | None,
    settings: Sequence[Mapping[str, Any]] = (),
    user_uuid: UUID | str | None = None,
    contact_uuid: UUID | str | None = None,
    number_as_presence_id: bool = False,
) -> str:
    """The file of one extension.

    Args:
        extension: its row in v_extensions. ``follow_me_enabled`` is that of v_follow_me in FusionPBX 5.6.
        voicemail: the row in v_voicemails whose voicemail_id is its number_alias, else its number.
        domain_name: of the domain.
        dial_string: the setting domain/dial_string, if there is one.
        settings: its rows in v_extension_settings.
        user_uuid: of the first user linked to it.
        contact_uuid: of that user.
        number_as_presence_id: whether the switch's config.lua says that the alias is the presence id.

    Raises:
        InvalidValue: the extension is disabled (a file would let its phone in), or a value cannot stand in XML.
    """
    if not is_true(extension.get("enabled")):
        raise InvalidValue("enabled", "a disabled extension has no file")
    for row in (extension, voicemail or {}, *settings):
        check_row(row)
    number = plain(extension.get("extension"))
    alias = plain(extension.get("number_alias"))
    presence_id = f"{alias if number_as_presence_id and alias else number}@{domain_name}"
    enabled = [setting for setting in settings if is_true(setting.get("extension_setting_enabled"))]

    params = [
        ("password", plain(extension.get("password"))),
        ("reverse-auth-user", number),
        ("reverse-auth-pass", plain(extension.get("password"))),
        *_voicemail_params(voicemail or {}),
        *_filled(("MWI-Account", extension.get("mwi_account")), ("auth-acl", _auth_acl(extension))),
        ("dial-string", _dial_string(extension, dial_string, domain_name, presence_id)),
        ("verto-context", plain(extension.get("user_context"))),
        ("verto-dialplan", "XML"),
        *_VERTO.items(),
        *_filled(("max-registrations-per-extension", extension.get("max_registrations"))),
        *_settings(enabled, "param"),
    ]
    variables = [
        ("domain_uuid", plain(extension.get("domain_uuid"))),
        ("domain_name", domain_name),
        ("extension_uuid", plain(extension.get("extension_uuid"))),
        *_filled(("user_uuid", user_uuid), ("contact_uuid", contact_uuid)),
        ("call_timeout", plain(extension.get("call_timeout"))),
        ("caller_id_name", number),
        ("caller_id_number", alias or number),
        ("presence_id", presence_id),
        *_variables(extension),
        ("record_stereo", "true"),
        ("transfer_fallback_extension", "operator"),
        ("export_vars", "domain_name,domain_uuid"),
        *_settings(enabled, "variable"),
    ]
    names = {"id": number} | dict(_filled(("cidr", extension.get("cidr")), ("number-alias", alias)))
    return include_file(
        [
            Element(
                "user",
                names,
                [
                    Element("params", {}, [_pair("param", *pair) for pair in params]),
                    Element("variables", {}, [_pair("variable", *pair) for pair in variables]),
                ],
            )
        ]
    )


def domain_file(domain_name: str, groups: Mapping[str, Sequence[str]]) -> str:
    """The file of a domain, which takes in the files of its extensions.

    Args:
        domain_name: also the name of the folder that is included.
        groups: the numbers of each call group, by its name.

    Raises:
        InvalidValue: the domain's name cannot name a folder, or a value cannot stand in XML.
    """
    # The preprocessor reads this line itself: nothing in it may need escaping.
    files = {"cmd": "include", "data": f"{domain_folder_name(domain_name)}/*.xml"}
    members = [Element("group", {"name": domain_name}, [Element("users", {}, [Element("X-PRE-PROCESS", files)])])]
    for name, numbers in groups.items():
        pointers = [Element("user", {"id": check(number, "extension"), "type": "pointer"}) for number in numbers]
        members.append(Element("group", {"name": check(name, "call_group")}, [Element("users", {}, pointers)]))
    return include_file(
        [
            Element(
                "domain",
                {"name": domain_name, "alias": "true"},
                [
                    Element("params", {}, [_pair("param", *pair) for pair in _VERTO.items()]),
                    Element("groups", {}, members),
                ],
            )
        ]
    )


def call_groups(call_group: str | None) -> list[str]:
    """The call groups of an extension, from its column call_group: separated by ``,`` or ``;``."""
    return [name for part in re.split("[,;]", call_group or "") if (name := part.strip())]


def _pair(tag: str, name: str, value: str) -> Element:
    return Element(tag, {"name": name, "value": value})


def _filled(*pairs: tuple[str, object]) -> list[tuple[str, str]]:
    return [(name, plain(value)) for name, value in pairs if plain(value)]


def _voicemail_params(voicemail: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    enabled = plain(voicemail.get("voicemail_enabled")) or "true"
    yield "vm-enabled", enabled
    if plain(voicemail.get("voicemail_mail_to")):
        yield "vm-password", plain(voicemail.get("voicemail_password"))
        yield "vm-email-all-messages", enabled
        yield "vm-attach-file", plain(voicemail.get("voicemail_attach_file"))
        yield "vm-keep-local-after-email", plain(voicemail.get("voicemail_local_after_email"))
        yield "vm-mailto", plain(voicemail.get("voicemail_mail_to"))


def _auth_acl(extension: Mapping[str, Any]) -> str:
    if plain(extension.get("extension_type")) == "virtual":
        # No access list has this name, so no phone can register.
        return f"virtual.{extension.get('extension_uuid')}"
    return plain(extension.get("auth_acl"))


def _dial_string(extension: Mapping[str, Any], default: str | None, domain_name: str, presence_id: str) -> str:
    if is_true(extension.get("do_not_disturb")):
        return "error/user_busy"
    return (
        plain(extension.get("dial_string"))
        or default
        or f"{{sip_invite_domain={domain_name},presence_id={presence_id}}}"
        f"${{sofia_contact(*/{plain(extension.get('extension'))}@{domain_name})}}"
    )


def _settings(enabled: Iterable[Mapping[str, Any]], kind: str) -> list[tuple[str, str]]:
    return [
        (plain(setting.get("extension_setting_name")), plain(setting.get("extension_setting_value")))
        for setting in enabled
        if plain(setting.get("extension_setting_type")) == kind
    ]


def _variables(extension: Mapping[str, Any]) -> list[tuple[str, str]]:
    def text(*columns: str) -> list[tuple[str, str]]:
        return _filled(*((column, extension.get(column)) for column in columns))

    def yes(column: str, name: str = "") -> list[tuple[str, str]]:
        return [(name or column, "true")] if is_true(extension.get(column)) else []

    first, last = plain(extension.get("directory_first_name")), plain(extension.get("directory_last_name"))
    forwards = ("forward_all", "forward_busy", "forward_no_answer", "forward_user_not_registered")
    elsewhere = is_true(extension.get("do_not_disturb")) or is_true(extension.get("forward_all_enabled"))
    media = _MEDIA.get(plain(extension.get("sip_bypass_media")))
    return [
        *text("call_group"),
        *yes("call_screen_enabled"),
        *text("user_record", "hold_music", "toll_allow", "accountcode"),
        ("user_context", plain(extension.get("user_context"))),
        *text("effective_caller_id_name", "effective_caller_id_number"),
        *text("outbound_caller_id_name", "outbound_caller_id_number"),
        *text("emergency_caller_id_name", "emergency_caller_id_number"),
        *text("missed_call_app", "missed_call_data"),
        *_filled(("directory_full_name", f"{first} {last}".strip() if first else "")),
        *yes("directory_visible", "directory-visible"),
        *yes("directory_exten_visible", "directory-exten-visible"),
        ("limit_max", plain(extension.get("limit_max")) or "5"),
        *text("limit_destination"),
        *_filled(("sip-force-contact", extension.get("sip_force_contact"))),
        *_filled(("sip-force-expires", extension.get("sip_force_expires"))),
        *text("nibble_account", "absolute_codec_string"),
        *yes("force_ping"),
        *([(media, "true")] if media else []),
        *(pair for forward in forwards for pair in (*yes(f"{forward}_enabled"), *text(f"{forward}_destination"))),
        *([] if elsewhere else yes("follow_me_enabled")),
        *yes("do_not_disturb"),
        *_filled(
            ("default_language", extension.get("extension_language")),
            ("default_dialect", extension.get("extension_dialect")),
            ("default_voice", extension.get("extension_voice")),
        ),
    ]
