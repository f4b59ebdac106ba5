"""Dialplans of what has a number of its own: ring groups, menus, call flows, conferences, fax, queues.

Each owns one v_dialplans row, named by its column dialplan_uuid, and FusionPBX's pages write that row's XML
without details. The rules are theirs (app/ring_groups, ivr_menus, call_flows, conferences,
conference_centers, fax, call_centers), with two differences: an extension's number is matched literally
(FusionPBX lets ``*72`` be a broken expression), and no action without an application is written.

Every builder takes the resource's row under FusionPBX's column names, and raises InvalidValue with the column
as its key where a value cannot stand in XML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pbxapi.xml.dialplan import exactly
from pbxapi.xml.text import Element, check_row, plain

FAX_VARIABLES = ("fax_enable_t38=true", "fax_enable_t38_request=false", "ignore_early_media=true")
"""FusionPBX's shipped settings fax/variable."""

LAST_FAX = "${caller_id_number}-${strftime(%Y-%m-%d-%H-%M-%S)}"
"""What a received fax is called where the setting fax/last_fax says nothing."""


def ring_group_dialplan(ring_group: Mapping[str, Any], *, ring_ready: bool = True) -> str:
    """The dialplan of a ring group (order 101, context ring_group_context).

    Args:
        ring_group: its row in v_ring_groups.
        ring_ready: the setting ring_group/ring_ready.
    """
    actions = [_action("ring_ready")] if ring_ready else []
    actions += [
        _set(f"ring_group_uuid={plain(ring_group.get('ring_group_uuid'))}"),
        _set("record_stereo=true"),
        _action("lua", "app.lua ring_groups"),
    ]
    return _extension(ring_group, "ring_group_name", [_dialled(ring_group, "ring_group_extension", actions)])


def ivr_menu_dialplan(menu: Mapping[str, Any], *, answer: bool = True, application: str = "") -> str:
    """The dialplan of an IVR menu (order 101, context ivr_menu_context).

    Args:
        menu: its row in v_ivr_menus.
        answer: the setting ivr_menu/answer.
        application: the setting ivr_menu/application; ``lua`` for FusionPBX's script instead of ``ivr``.
    """
    uuid, ringback, language, prefix = (
        plain(menu.get(f"ivr_menu_{column}")) for column in ("uuid", "ringback", "language", "cid_prefix")
    )
    actions = [_action("ring_ready")]
    if answer:
        actions.append(_action("answer"))
    actions += [_action("sleep", "1000"), _set("hangup_after_bridge=true")]
    if ringback:
        actions.append(_set(f"ringback={ringback}"))
    if language:
        dialect, voice = plain(menu.get("ivr_menu_dialect")), plain(menu.get("ivr_menu_voice"))
        actions += [
            _set(f"sound_prefix=$${{sounds_dir}}/{language}/{dialect}/{voice}", inline=True),
            _set(f"default_language={language}", inline=True),
            _set(f"default_dialect={dialect}", inline=True),
            _set(f"default_voice={voice}", inline=True),
        ]
    if ringback:
        actions.append(_set(f"transfer_ringback={ringback}"))
    actions.append(_set(f"ivr_menu_uuid={uuid}"))
    if application == "lua":
        actions.append(_action("lua", "ivr_menu.lua"))
    else:
        if prefix:
            actions.append(_set(f"caller_id_name={prefix}#${{caller_id_name}}"))
            actions.append(_set("effective_caller_id_name=${caller_id_name}"))
        actions.append(_action("ivr", uuid))
    actions += _optional_action(menu.get("ivr_menu_exit_app"), menu.get("ivr_menu_exit_data"))
    return _extension(menu, "ivr_menu_name", [_dialled(menu, "ivr_menu_extension", actions)])


def call_flow_dialplan(call_flow: Mapping[str, Any]) -> str:
    """The dialplan of a call flow (order 333, context call_flow_context).

    The feature code is also reached as ``flow+<code>``, which a phone's lamp key subscribes to.

    Args:
        call_flow: its row in v_call_flows.
    """
    run = [
        _set(f"call_flow_uuid={plain(call_flow.get('call_flow_uuid'))}"),
        _action("lua", "call_flow.lua"),
    ]
    conditions = []
    code = plain(call_flow.get("call_flow_feature_code"))
    if code:
        optional = "" if code.startswith("flow+") else r"(?:flow\+)?"
        conditions.append(
            _condition(
                f"^{optional}{exactly(code)[1:]}",
                [_action("answer"), _action("sleep", "200"), _set("feature_code=true"), *run],
                break_="on-true",
            )
        )
    conditions.append(_dialled(call_flow, "call_flow_extension", run))
    return _extension(call_flow, "call_flow_name", conditions)


def conference_dialplan(conference: Mapping[str, Any], *, domain_name: str) -> str:
    """The dialplan of a conference (order 333, context conference_context).

    Args:
        conference: its row in v_conferences.
        domain_name: of the owner; part of the room's name ``<extension>@<domain_name>``.
    """
    extension, profile, pin, flags = (
        plain(conference.get(f"conference_{column}")) for column in ("extension", "profile", "pin_number", "flags")
    )
    room = f"{extension}@{domain_name}@{profile}{f'+{pin}' if pin else ''}+flags{{'{flags}'}}"
    actions = [
        _action("answer"),
        _set(f"conference_uuid={plain(conference.get('conference_uuid'))}", inline=True),
        _set(f"conference_extension={extension}", inline=True),
        _action("conference", room),
    ]
    return _extension(conference, "conference_name", [_dialled(conference, "conference_extension", actions)])


def conference_center_dialplan(center: Mapping[str, Any]) -> str:
    """The dialplan of a conference center (order 333, context the domain's name).

    With PINs of 2 or 3 digits the number can be dialled with the PIN behind it.

    Args:
        center: its row in v_conference_centers.
    """
    run = _action("lua", "app.lua conference_center")
    conditions = []
    length = int(center.get("conference_center_pin_length") or 0)
    if 1 < length < 4:
        number = exactly(plain(center.get("conference_center_extension")))[1:-1]
        conditions.append(
            _condition(
                rf"^({number})(\d{{{length}}})$",
                [_set("destination_number=$1"), _set("pin_number=$2"), run],
                break_="on-true",
            )
        )
    conditions.append(_dialled(center, "conference_center_extension", [run]))
    return _extension(center, "conference_center_name", conditions)


def fax_dialplan(
    fax: Mapping[str, Any],
    *,
    domain_name: str,
    storage: str,
    variables: Iterable[str] = FAX_VARIABLES,
    last_fax: str = LAST_FAX,
) -> str:
    """The dialplan that receives faxes (order 40, context the domain's name).

    Args:
        fax: its row in v_fax; the number is fax_destination_number, else fax_extension.
        domain_name: of the owner; part of the folder.
        storage: the setting switch/storage.
        variables: the settings fax/variable; those that begin with ``outbound:`` are for sending.
        last_fax: the setting fax/last_fax.
    """
    extension, prefix = plain(fax.get("fax_extension")), plain(fax.get("fax_prefix"))
    number = "fax_destination_number" if plain(fax.get("fax_destination_number")) else "fax_extension"
    actions = [
        _action("answer"),
        _set(f"fax_uuid={plain(fax.get('fax_uuid'))}"),
        _set("api_hangup_hook=lua app/fax/resources/scripts/hangup_rx.lua"),
        *(
            _set(variable.removeprefix("inbound:"))
            for variable in variables
            if not variable.startswith("outbound:")
        ),
        _set(f"last_fax={last_fax}"),
        _action("rxfax", f"{storage}/fax/{domain_name}/{extension}/inbox/{prefix}${{last_fax}}.tif"),
        _action("hangup"),
    ]
    return _extension(fax, "fax_name", [_dialled(fax, number, actions)])


def call_center_queue_dialplan(
    queue: Mapping[str, Any],
    *,
    domain_name: str,
    sounds: str,
    greeting: str = "",
    export_variables: Iterable[str] = ("hold_music",),
) -> str:
    """The dialplan of a call center queue (order 230, context queue_context).

    Args:
        queue: its row in v_call_center_queues. ``queue_timeout_action`` is ``application:data``, parted at
            the first colon.
        domain_name: of the owner; part of the queue's name ``<extension>@<domain_name>``.
        sounds: the setting switch/sounds.
        greeting: what queue_greeting names: a path, ``phrase:...``, ``say:...`` or ``tone_stream://...``.
        export_variables: the settings call_center/export_vars.
    """
    extension, uuid = plain(queue.get("queue_extension")), plain(queue.get("call_center_queue_uuid"))
    dialled = rf"^(callcenter\+)?{exactly(extension)[1:]}"
    exported = ",".join(
        [
            "${cc_export_vars}",
            "call_center_queue_uuid",
            "sip_h_Alert-Info",
            "sound_prefix",
            *export_variables,
        ]
    )
    languages = [plain(queue.get(f"queue_{column}")) for column in ("language", "dialect", "voice")]
    voice = "/".join(languages if any(languages) else ("en", "us", "callie"))
    actions = [
        _action("answer"),
        _set(f"sound_prefix={sounds}/{voice}"),
        _set(f"call_center_queue_uuid={uuid}"),
    ]
    if extension.isdecimal():
        actions.append(_set(f"queue_extension={extension}"))
    actions += [_set(f"cc_export_vars={exported}"), _set("hangup_after_bridge=true")]
    score, prefix, keys, limit = (
        plain(queue.get(f"queue_{column}"))
        for column in ("time_base_score_sec", "cid_prefix", "cc_exit_keys", "limit")
    )
    if score not in ("", "0"):
        actions.append(_set(f"cc_base_score={score}"))
    if greeting:
        kind, colon, words = greeting.partition(":")
        spoken = kind if colon and kind in ("phrase", "say") else "playback"
        actions += [_action("sleep", "1000"), _action(spoken, greeting if spoken == "playback" else words)]
    if prefix:
        actions.append(_set(f"effective_caller_id_name={prefix}#${{caller_id_name}}"))
    if keys:
        actions.append(_set(f"cc_exit_keys={keys}"))
    actions.append(_action("callcenter", f"{extension}@{domain_name}"))
    application, _, data = plain(queue.get("queue_timeout_action")).partition(":")
    actions += _optional_action(application, data)

    conditions = []
    if limit not in ("", "0"):
        counted = _action("limit", f"hash inbound ${{destination_number}} {limit} !NORMAL_CIRCUIT_CONGESTION")
        conditions.append(_condition(dialled, [counted], break_="on-false"))
    conditions += [
        _condition("^([^#]+#)(.*)$", [_set("caller_id_name=$2")], break_="never"),
        _condition(dialled, actions),
    ]
    return _extension(queue, "queue_name", conditions)


def _extension(row: Mapping[str, Any], name: str, conditions: list[Element]) -> str:
    check_row(row)
    return Element(
        "extension",
        {"name": plain(row.get(name)), "continue": "false", "uuid": plain(row.get("dialplan_uuid"))},
        conditions,
    ).render()


def _dialled(row: Mapping[str, Any], column: str, actions: list[Element]) -> Element:
    return _condition(exactly(plain(row.get(column))), actions)


def _condition(expression: str, actions: list[Element], break_: str = "") -> Element:
    breaks = {"break": break_} if break_ else {}
    return Element("condition", {"field": "destination_number", "expression": expression} | breaks, actions)


def _action(application: str, data: str = "", inline: bool = False) -> Element:
    at_once = {"inline": "true"} if inline else {}
    return Element("action", {"application": application, "data": data} | at_once)


def _set(data: str, inline: bool = False) -> Element:
    return _action("set", data, inline)


def _optional_action(application: Any, data: Any) -> list[Element]:
    return [_action(plain(application), plain(data))] if plain(application) else []
