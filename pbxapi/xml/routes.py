"""Inbound and outbound routes and time conditions, as the details that FusionPBX's own editors write.

Sources: app/dialplan_inbound/dialplan_inbound_add.php, app/dialplan_outbound/dialplan_outbound_add.php and
app/time_conditions/time_condition_edit.php of FusionPBX; how times are compared: FreeSWITCH, src/switch_xml.c
(switch_xml_std_datetime_check) and src/switch_utils.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from pbxapi.xml.dialplan import TIME_TYPES, Detail, exactly
from pbxapi.xml.text import InvalidValue, plain

EMERGENCY = "(^911$|^933$)"
"""The expression whose calls carry the extension's emergency caller id."""

_ABBREVIATIONS = {
    r"^(\d{7})$": "7d",
    r"^(\d{8})$": "8d",
    r"^(\d{9})$": "9d",
    r"^(\d{10})$": "10d",
    r"^\+?(\d{11})$": "11d",
    r"^(?:\+1|1)?([2-9]\d{2}[2-9]\d{2}\d{4})$": "10-11-NANP",
    r"^(011\d{9,17})$": "011.9-17d",
    r"^(?:\+1|1)((?:264|268|242|246|441|284|345|767|809|829|849|473|658|876|664|787|939|869|758|784|721|868|649"
    r"|340|684|671|670|808)\d{7})$": "011.9-17d",
    r"^(\d{12,20})$": "International",
    "^(311)$": "311",
    "^(411)$": "411",
    "^(711)$": "711",
    EMERGENCY: "911",
    "(^988$)": "988",
    r"^9(\d{3})$": "9.3d",
    r"^9(\d{4})$": "9.4d",
    r"^9(\d{7})$": "9.7d",
    r"^9(\d{10})$": "9.10d",
    r"^9(\d{11})$": "9.11d",
    r"^9(\d{12,20})$": "9.12-20",
    r"^(?:\+1|1)?(8(00|33|44|55|66|77|88)[2-9]\d{6})$": "800",
    r"^0118835100\d{8}$": "inum",
}
_CRISIS_LINE = "18002738255"
_FAILURES = "1,2,3,6,18,21,27,28,31,34,38,41,42,44,58,88,111,403,501,602,607,809"

_BOUNDS = {
    "year": (1970, 2199),
    "yday": (1, 366),
    "mon": (1, 12),
    "mday": (1, 31),
    "week": (1, 53),
    "mweek": (1, 6),
    "wday": (1, 7),
    "hour": (0, 23),
    "minute": (0, 59),
    "minute-of-day": (1, 1440),
}
_NAMES = {
    "wday": ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
    "mon": (
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
}
_FIRST_GROUP, _GROUP_STEP, _OTHERWISE_GROUP = 500, 10, 999


@dataclass(frozen=True, slots=True)
class Route:
    """A dialplan of an outbound route: what differs from other dialplans of its context.

    Args:
        name: dialplan_name.
        order: dialplan_order.
        continue_: dialplan_continue.
        details: its details.
    """

    name: str
    order: int
    continue_: bool
    details: tuple[Detail, ...]


def inbound_route(number: str, actions: Sequence[tuple[str, str]], *, limit: int | None = None) -> list[Detail]:
    """The details of an inbound route.

    Args:
        number: a number (digits, ``*``, ``#``, a leading ``+``), or a regular expression, taken as it is.
        actions: (application, data), in their order. Before an ``ivr`` or ``conference`` the call is answered.
        limit: how many calls may be in the route at a time, counted over all inbound routes of the domain.

    Raises:
        InvalidValue: there is no number (key ``number``) or no action (key ``actions``).
    """
    if not number:
        raise InvalidValue("number", "is empty")
    if not actions:
        raise InvalidValue("actions", "at least one is needed")
    if re.fullmatch(r"\+?[0-9*#]+", number):
        number = f"^({exactly(number)[1:-1]})$"
    details = [Detail("condition", "destination_number", number)]
    if limit:
        details.append(Detail("action", "limit", f"hash ${{domain_name}} inbound {limit} !USER_BUSY"))
    if {"ivr", "conference"} & {application for application, _ in actions}:
        details.append(Detail("action", "answer"))
    details += [Detail("action", application, data) for application, data in actions]
    return _ordered(details, group=0, first=0)


def abbreviation(expression: str) -> str:
    """FusionPBX's short name of an outbound expression: ``10d``, ``911``; else its letters and digits."""
    return _ABBREVIATIONS.get(expression) or re.sub("[^0-9a-z_]", "", expression.lower().replace(" ", "_"))


def outbound_route(
    expression: str,
    gateways: Sequence[tuple[UUID | str, str]],
    *,
    prefix_number: str = "",
    toll_allow: str = "",
    limit: int | None = None,
    accountcode: str = "",
    pin_number: str = "",
    order: int = 300,
    description: str = "",
) -> tuple[Route, Route]:
    """The two dialplans of an outbound route: the first marks the call as outbound, the second bridges it.

    Details that FusionPBX writes switched off (account code, emergency notice, limit and PIN where none is
    given) are there, switched off, so that its editor offers them.

    Args:
        expression: regular expression of the dialled number; its first group is dialled.
        gateways: (uuid, name), tried one after the other.
        prefix_number: dialled before the number.
        toll_allow: regular expression that the caller's toll_allow must match; "" for everybody.
        limit: how many outbound calls the domain may have at a time.
        accountcode: instead of the caller's own.
        pin_number: digits, or ``database`` for the domain's PIN numbers; "" asks for none.
        order: of the second dialplan; FusionPBX allows up to 300, above that forwarding all calls could loop.
        description: of the route; without one the abbreviation is part of the first dialplan's name.

    Raises:
        InvalidValue: there is no expression or gateway, or the PIN is neither digits nor ``database``.
    """
    if not expression:
        raise InvalidValue("expression", "is empty")
    if not gateways:
        raise InvalidValue("gateways", "at least one is needed")
    if pin_number and pin_number != "database" and not re.fullmatch("[0-9]+", pin_number):
        raise InvalidValue("pin_number", "must be digits or the word database")
    short = abbreviation(expression)
    outbound = Detail("action", "export", "call_direction=outbound", inline="true")
    no_user = Detail("condition", "${user_exists}", "false")
    dialled = Detail("condition", "destination_number", expression)
    direction = [no_user, Detail("condition", "${call_direction}", "^$"), dialled, outbound]

    emergency = expression == EMERGENCY
    caller = "emergency" if emergency else "outbound"
    leading = re.match(r"\^(\d+)\(", expression)
    bridge = [no_user]
    if toll_allow:
        bridge.append(Detail("condition", "${toll_allow}", toll_allow))
    bridge += [
        dialled,
        replace(_set(f"sip_h_accountcode={accountcode or '${accountcode}'}"), enabled=bool(accountcode)),
        outbound,
        Detail("action", "unset", "call_timeout"),
        _set("hangup_after_bridge=true"),
        _set(f"effective_caller_id_name=${{{caller}_caller_id_name}}"),
        _set(f"effective_caller_id_number=${{{caller}_caller_id_number}}"),
    ]
    if emergency:
        bridge.append(replace(_set("call_date=${strftime(%d-%b-%Y %r)}"), enabled=False))
        bridge.append(Detail("action", "lua", "app.lua emergency 1", enabled=False))
    limits = "hash ${domain_name} outbound ${limit_max} !USER_BUSY"
    bridge += [
        _set("inherit_codec=true"),
        _set("ignore_display_updates=true"),
        _set("callee_id_number=$1"),
        _set(f"continue_on_fail={_FAILURES}"),
        replace(_set(f"limit_max={plain(limit)}"), enabled=bool(limit)),
        Detail("action", "limit", limits, enabled=bool(limit)),
    ]
    if leading:
        bridge.append(_set(f"outbound_prefix={leading[1]}"))
    bridge.append(replace(_set(f"pin_number={pin_number}"), enabled=bool(pin_number)))
    bridge.append(Detail("action", "lua", "pin_number.lua", enabled=bool(pin_number)))
    if len(prefix_number) > 2:
        bridge.append(_set(f"provider_prefix={prefix_number}"))
    number = _CRISIS_LINE if short == "988" else "$1"
    bridge += [Detail("action", "bridge", f"sofia/gateway/{uuid}/{prefix_number}{number}") for uuid, _ in gateways]
    return (
        Route(
            "call_direction-outbound" + ("" if description else f".{short}"),
            22,
            True,
            tuple(_ordered(direction, group=0)),
        ),
        Route(f"{gateways[0][1]}.{short}", order, False, tuple(_ordered(bridge, group=0))),
    )


def time_condition(
    extension: str,
    conditions: Sequence[Mapping[str, Any]],
    otherwise: Sequence[Mapping[str, str]] = (),
    timezone: str = "",
) -> list[Detail]:
    """The details of a time condition, in the groups of FusionPBX's editor.

    Group 0 sets the time zone, groups 500, 510, ... hold the conditions in their order, group 999 what
    happens otherwise. The first group whose times all match takes the call.

    Args:
        extension: the number of the time condition.
        conditions: each with times, all of which must match, and what happens then::

            {"wday": "mon-fri", "time-of-day": "09:00-17:00", "actions": [{"app": "transfer", "data": "..."}]}

            The times: ``year``, ``mon`` (1-12 or names), ``mday``, ``yday``, ``week`` (of the year), ``mweek``
            (of the month), ``wday`` (1-7 from Sunday, or names), ``hour`` (0-23), ``minute``,
            ``minute-of-day`` (1-1440: 541 is 09:00), each a number, a range or several of them:
            ``"9-12,14-17"``, ``"fri-mon"``; ``time-of-day`` as ``"09:00-17:00"``, without its last minute;
            ``date-time`` as ``"2026-12-24 18:00~2026-12-26 23:59"``, where days alone stand for whole days.
            FreeSWITCH compares date-time in the host's own time zone, whatever ``timezone`` says.
            ``preset`` is the name of a FusionPBX preset, for its editor.
        otherwise: what happens when none matches: ``{"app", "data"}``.
        timezone: such as ``America/Boise``; "" for the host's.

    Raises:
        InvalidValue: with a key such as ``conditions.0.hour``: a value out of range or not understood, a time
            of day that passes midnight (two conditions are needed), a condition without times or actions,
            more than 49 conditions.
    """
    if not extension:
        raise InvalidValue("extension", "is empty")
    dialled = Detail("condition", "destination_number", exactly(extension))
    details: list[Detail] = []
    if timezone:
        details += _ordered([dialled, replace(_set(f"timezone={timezone}"), inline="true")], group=0)
    if len(conditions) > (_OTHERWISE_GROUP - _FIRST_GROUP) // _GROUP_STEP:
        raise InvalidValue("conditions", "are more than 49")
    for index, condition in enumerate(conditions):
        key = f"conditions.{index}"
        if not isinstance(condition, Mapping):
            raise InvalidValue(key, "must be an object")
        group = [dialled, *_times(condition, key)]
        if condition.get("preset"):
            group.append(replace(_set(f"preset={condition['preset']}"), inline="true"))
        group += _plain_actions(condition.get("actions"), f"{key}.actions")
        details += _ordered(group, group=_FIRST_GROUP + _GROUP_STEP * index)
    if otherwise:
        group = [dialled, *_plain_actions(otherwise, "otherwise")]
        details += _ordered(group, group=_OTHERWISE_GROUP)
    if not details:
        raise InvalidValue("conditions", "at least one is needed")
    return details


def read_time_condition(details: Iterable[Detail]) -> dict[str, Any] | None:
    """A time condition in the words of `time_condition`: the way back, for what FusionPBX's editor made.

    Returns:
        ``{"extension", "conditions", "otherwise", "timezone"}``, from which `time_condition` makes the same
        dialplan; None where the details are no time condition or hold more than these words can say.
    """
    rows = sorted(
        (detail for detail in details if detail.enabled),
        key=lambda detail: (detail.group, detail.tag != "condition", detail.order),
    )
    numbers = {row.data for row in rows if row.type == "destination_number"}
    if len(numbers) != 1:
        return None
    expression = numbers.pop()
    extension = re.sub(r"\\(.)", r"\1", expression[1:-1])
    if exactly(extension) != expression and f"^{extension}$" != expression:
        return None
    read: dict[str, Any] = {"extension": extension, "conditions": [], "otherwise": [], "timezone": ""}
    for number, group in groupby(rows, key=lambda row: row.group):
        if not _read_group(read, number, list(group)):
            return None
    return read


def _read_group(read: dict[str, Any], number: int, rows: list[Detail]) -> bool:
    dialled, *rest = rows
    times = [row for row in rest if row.tag == "condition"]
    actions = [row for row in rest if row.tag == "action"]
    if dialled.type != "destination_number" or len(times) + len(actions) != len(rest) or not actions:
        return False
    condition: dict[str, Any] = {}
    for time in times:
        key, words = _words(time.type, time.data)
        if not words or key in condition or time.break_ != "never":
            return False
        condition[key] = words
    if not times and number == 0 and [row.type for row in actions] == ["set"]:
        name, _, zone = actions[0].data.partition("=")
        read["timezone"] = zone
        return name == "timezone" and bool(zone) and actions[0].inline == "true"
    if actions[0].type == "set" and actions[0].data.startswith("preset=") and actions[0].inline == "true":
        condition["preset"] = actions.pop(0).data.partition("=")[2]
    if not actions or any(action.inline == "true" for action in actions):
        return False
    outcome = [{"app": action.type, "data": action.data} for action in actions]
    if times:
        read["conditions"].append(condition | {"actions": outcome})
        return not read["otherwise"]
    read["otherwise"] = outcome
    return number == _OTHERWISE_GROUP and "preset" not in condition


def _set(data: str) -> Detail:
    return Detail("action", "set", data)


def _ordered(details: Iterable[Detail], *, group: int, first: int = 10) -> list[Detail]:
    return [replace(detail, group=group, order=first + 10 * index) for index, detail in enumerate(details)]


def _plain_actions(given: Any, key: str) -> list[Detail]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InvalidValue(key, "at least one is needed")
    details = []
    for index, action in enumerate(given):
        if not isinstance(action, Mapping) or not action.get("app"):
            raise InvalidValue(f"{key}.{index}.app", "is needed")
        details.append(Detail("action", plain(action["app"]), plain(action.get("data"))))
    return details


def _times(condition: Mapping[str, Any], key: str) -> Iterator[Detail]:
    seen = set()
    for name, given in condition.items():
        if name in ("actions", "preset"):
            continue
        if name not in TIME_TYPES:
            raise InvalidValue(f"{key}.{name}", f"is not known; known are {', '.join(TIME_TYPES)}")
        try:
            kind, data = _data(name, given)
        except ValueError as fault:
            raise InvalidValue(f"{key}.{name}", str(fault)) from None
        if kind in seen:
            raise InvalidValue(f"{key}.{name}", "time-of-day and minute-of-day cannot stand together")
        seen.add(kind)
        yield Detail("condition", kind, data, break_="never")
    if not seen:
        raise InvalidValue(key, f"needs one of {', '.join(TIME_TYPES)}")


def _data(name: str, given: Any) -> tuple[str, str]:
    """The type and data of a condition; ValueError says what is wrong."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError("must be text or a number")
    text = plain(given).strip().lower()
    if name == "date-time":
        return name, _date_times(text)
    if name == "time-of-day":
        return "minute-of-day", _minutes(text)
    return name, _numbers(name, text)


def _numbers(name: str, text: str) -> str:
    lowest, highest = _BOUNDS[name]
    chosen: list[int] = []
    for part in text.split(","):
        start, dash, stop = (bound.strip() for bound in part.partition("-"))
        first = _number(name, start)
        last = _number(name, stop) if dash else first
        if first <= last:
            chosen += range(first, last + 1)
        elif name in ("year", "minute-of-day"):
            raise ValueError("must not run backwards; two conditions are needed to pass midnight")
        else:
            chosen += [*range(first, highest + 1), *range(lowest, last + 1)]
    numbers = list(dict.fromkeys(chosen))
    # FreeSWITCH takes one range or a list of numbers, not both, and no range that runs backwards.
    if sorted(numbers) == [*range(min(numbers), max(numbers) + 1)]:
        return f"{min(numbers)}-{max(numbers)}" if len(numbers) > 1 else f"{numbers[0]}"
    if len(numbers) > 366:
        raise ValueError("must be one range")
    return ",".join(map(str, numbers))


def _number(name: str, text: str) -> int:
    lowest, highest = _BOUNDS[name]
    for index, word in enumerate(_NAMES.get(name, ()), start=1):
        if text in (word, word[:3]):
            return index
    if not re.fullmatch("[0-9]{1,4}", text) or not lowest <= int(text) <= highest:
        raise ValueError(f"must be from {lowest} to {highest}" + (", or names" if name in _NAMES else ""))
    return int(text)


def _minutes(text: str) -> str:
    """A time of day as FusionPBX stores it: minutes of the day, counted from 1, the last one left out."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?:\s*-\s*([0-9]{1,2}):([0-9]{2}))?", text)
    if not found:
        raise ValueError("must be like 09:00-17:00")
    hours = [int(part) for part in found.groups() if part]
    bounds = [60 * hour + minute for hour, minute in zip(hours[::2], hours[1::2], strict=True)]
    if max(bounds) > 1440 or bounds[0] > 1439 or max(hours[1::2]) > 59:
        raise ValueError("must be from 00:00 to 24:00")
    if len(bounds) == 1:
        return f"{bounds[0] + 1}"
    if bounds[0] >= bounds[1]:
        raise ValueError("must not run backwards; two conditions are needed to pass midnight")
    return f"{bounds[0] + 1}-{bounds[1]}"


def _date_times(text: str) -> str:
    first, tilde, last = (part.strip() for part in text.partition("~"))
    start, stop = _moment(first, "00:00"), _moment(last if tilde else first, "23:59:59")
    if start >= stop:
        raise ValueError("must not run backwards")
    return f"{_moment_text(start)}~{_moment_text(stop)}"


def _moment(text: str, time: str) -> datetime:
    day, _, clock = text.replace("t", " ").partition(" ")
    try:
        return datetime.fromisoformat(f"{day} {clock.strip() or time}").replace(microsecond=0)
    except ValueError:
        raise ValueError("must be like 2026-12-24 18:00~2026-12-26 23:59") from None


def _moment_text(moment: datetime) -> str:
    if moment.tzinfo:
        raise ValueError("must not name a time zone: FreeSWITCH compares it in the host's own")
    return moment.isoformat(" ", "seconds" if moment.second else "minutes")


def _words(name: str, data: str) -> tuple[str, str]:
    """A condition's type and data in words; the words are "" where they cannot say the same."""
    if name not in TIME_TYPES:
        return name, ""
    try:
        kind, same = _data(name, data)
    except ValueError:
        return name, ""
    if "," in data and data != same:
        # FreeSWITCH reads only a part of such a list.
        return name, ""
    if kind == "minute-of-day":
        first, _, last = same.partition("-")
        opening, closing = int(first) - 1, int(last or 0)
        if "," in same:
            return kind, same
        clock = f"{opening // 60:02}:{opening % 60:02}"
        return "time-of-day", f"{clock}-{closing // 60:02}:{closing % 60:02}" if last else clock
    names = _NAMES.get(kind)
    if names:
        same = re.sub("[0-9]+", lambda number: names[int(number[0]) - 1][:3], same)
    return kind, same
