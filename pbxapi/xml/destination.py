"""Destinations: the number that callers dial, as a regular expression and as a dialplan.

FusionPBX's rules (app/destinations/destination_edit.php, resources/classes/destinations.php), in our own code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from pbxapi.xml.dialplan import Detail, from_details, inbound_marks, is_public
from pbxapi.xml.text import InvalidValue, check, check_row, is_true, plain

_WILDCARDS = {"N": "[2-9]", "X": "[0-9]", "Z": "[1-9]"}
_RECORDING = (
    "record_path=${recordings_dir}/${domain_name}/archive/${strftime(%Y)}/${strftime(%b)}/${strftime(%d)}",
    "record_name=${uuid}.",
    "record_append=true",
    "record_in_progress=true",
    "recording_follow_transfer=true",
    "record_stereo=true",
)


def number_regex(number: str, prefix: str = "", trunk_prefix: str = "", area_code: str = "") -> str:
    """The regular expression of a destination's number.

    - ``5551234567`` is ``^(5551234567)$``.
    - With a leading ``+`` the number is whole: ``^\\+(15551234567)$``, whatever else is given.
    - With a country prefix: ``^\\+?1?(5551234567)$``, of several digits ``^\\+?(?:44)?(...)$``.
    - With a country prefix and a trunk prefix, an area code or both: alternatives, from the longest form
      to the bare number, in one pair of parentheses.
    - ``N``, ``X`` and ``Z`` stand for the digits 2-9, 0-9 and 1-9, in either letter case.
    - ``^``, ``$`` and parentheses that are there stay; with parentheses the prefix is not added.

    Raises:
        InvalidValue: the number is empty.
    """
    if not number:
        raise InvalidValue("destination_number", "is empty")
    international = number.startswith("+")
    pattern = _wildcards(_stars(number.removeprefix("+")).removeprefix("^").removesuffix("$"))
    if international:
        return rf"^\+({pattern})$"
    prefix = prefix.replace("+", "")
    if prefix and (trunk_prefix or area_code):
        area = _wildcards(area_code)
        forms = [rf"\+?{prefix}{area}{pattern}$"]
        if trunk_prefix:
            forms.append(f"^{trunk_prefix}{area}{pattern}$")
        if area_code:
            forms.append(f"^{area}{pattern}$")
        forms.append(f"^{pattern}$")
        return f"({'|'.join(forms)})"
    if "(" in pattern:
        return f"^{pattern}$"
    return f"^{_optional(prefix)}({pattern})$"


def _optional(prefix: str) -> str:
    """A country prefix that a caller may leave out, with or without ``+`` before it."""
    digits = prefix if len(prefix) < 2 else f"(?:{prefix})"
    return rf"\+?{digits}?" if digits else ""


def _stars(number: str) -> str:
    """A plain number's stars are keys of the telephone, not the star of an expression."""
    return number.replace("*", r"\*") if re.fullmatch("[0-9NXZnxz*#]+", number) else number


def _wildcards(number: str) -> str:
    return re.sub("[NXZnxz]", lambda letter: _WILDCARDS[letter[0].upper()], number)


def destination_details(
    destination: Mapping[str, Any],
    *,
    domain_uuid: UUID | str,
    domain_name: str,
    fax_extension: str | None = None,
    condition_field: str | None = None,
    record_extension: str = "mp3",
) -> list[Detail]:
    """The details of a destination's dialplan, for the editor; `destination_dialplan` is made of them.

    FusionPBX writes such details too (setting destinations/dialplan_details), in an order other than that of
    its XML; these give the XML again when somebody saves the dialplan in the editor.

    Args:
        destination: its row in v_destinations. ``destination_actions`` (a list of ``{"destination_app",
            "destination_data"}`` or its JSON) counts before the columns destination_app/_data and
            destination_alternate_app/_data; ``destination_conditions`` likewise is a list of
            ``{"condition_field", "condition_expression", "condition_app", "condition_data"}``; one without
            an expression or an application has no effect and is left out.
        domain_uuid: of the owner.
        domain_name: of the owner.
        fax_extension: of the fax that ``fax_uuid`` names; turns on fax detection.
        condition_field: what the number is compared with, where the destination itself has no
            ``destination_condition_field``: the setting dialplan/destination, ``destination_number``
            without.
        record_extension: the setting call_recordings/record_extension, without a dot.

    Raises:
        InvalidValue: a value cannot stand in XML, the number is empty, or actions or conditions are no list
            of objects; the key is the column.
    """
    check_row(destination)

    def value(column: str) -> str:
        return plain(destination.get(column))

    field = value("destination_condition_field") or condition_field or "destination_number"
    regex = number_regex(
        value("destination_number"),
        value("destination_prefix"),
        value("destination_trunk_prefix"),
        value("destination_area_code"),
    )
    marks = [] if is_public(context_of(destination)) else inbound_marks(domain_uuid, domain_name)
    if value("provider_uuid"):
        marks.append(_set(f"provider_uuid={value('provider_uuid')}"))

    groups: list[list[Detail]] = []
    for caller_field, expression, application, data in _objects(
        destination,
        "destination_conditions",
        ("condition_field", "condition_expression", "condition_app", "condition_data"),
    ):
        if expression and application:
            caller = _caller(caller_field, expression, value("destination_number"), value("destination_prefix"))
            group = [Detail("condition", "regex", "all", break_="never"), Detail("regex", field, regex), caller]
            groups.append([*group, *marks, Detail("action", application, data)])

    actions = _actions(destination)
    applications = [application for application, _ in actions]
    group = [Detail("condition", field, regex), *marks]
    if "bridge" in applications:
        group.append(_set(f"presence_id=$1@{domain_name}"))
        group += [_set("hangup_after_bridge=true"), _set("continue_on_fail=true")]
    if "phrase" in applications:
        group.append(Detail("action", "answer"))
    if value("destination_cid_name_prefix"):
        group.append(_set(f"effective_caller_id_name={value('destination_cid_name_prefix')}#${{caller_id_name}}"))
    if is_true(destination.get("destination_record")):
        group += [_set(f"{data}{record_extension}" if data.endswith(".") else data) for data in _RECORDING]
        group.append(Detail("action", "record_session", "${record_path}/${record_name}", inline="false"))
    for variable, column in (
        ("hold_music", "destination_hold_music"),
        ("sip_h_Alert-Info", "destination_distinctive_ring"),
        ("ringback", "destination_ringback"),
        ("transfer_ringback", "destination_ringback"),
        ("accountcode", "destination_accountcode"),
    ):
        if value(column):
            group.append(Detail("action", "export", f"{variable}={value(column)}", inline="true"))
    if value("destination_carrier"):
        group.append(_set(f"carrier={value('destination_carrier')}"))
    if fax_extension:
        group.append(_set(f"presence_id=$1@{domain_name}"))
        group.append(_set("tone_detect_hits=1"))
        group.append(_set(f"execute_on_tone_detect=transfer {fax_extension} XML ${{domain_name}}"))
        group.append(Detail("action", "tone_detect", "fax 1100 r +3000"))
    group += [Detail("action", application, data) for application, data in actions]
    if len(group) == 1:
        # Nothing that the marks could stand before; a call that goes nowhere is the domain's all the same.
        group += inbound_marks(domain_uuid, domain_name)
    groups.append(group)
    return _numbered(groups)


def destination_dialplan(
    destination: Mapping[str, Any],
    *,
    name: str,
    dialplan_uuid: UUID | str,
    domain_uuid: UUID | str,
    domain_name: str,
    fax_extension: str | None = None,
    condition_field: str | None = None,
    record_extension: str = "mp3",
) -> str:
    """The ``<extension>`` of a destination, inbound or local.

    Args:
        name: of the dialplan; FusionPBX takes the number, written as a telephone number, where none is given.
        dialplan_uuid: of the dialplan.

    The other arguments and the errors are those of `destination_details`.
    """
    return from_details(
        name,
        destination_details(
            destination,
            domain_uuid=domain_uuid,
            domain_name=domain_name,
            fax_extension=fax_extension,
            condition_field=condition_field,
            record_extension=record_extension,
        ),
        uuid=dialplan_uuid,
        context=context_of(destination),
        continue_=False,
        domain_uuid=domain_uuid,
        domain_name=domain_name,
    )


def context_of(destination: Mapping[str, Any]) -> str:
    """The context of a destination's dialplan: ``public`` where it names none."""
    return plain(destination.get("destination_context")) or "public"


def _set(data: str) -> Detail:
    return Detail("action", "set", data, inline="true")


def _caller(field: str, expression: str, number: str, prefix: str) -> Detail:
    if prefix and re.fullmatch("[0-9]+", expression) and len(expression) == len(number):
        expression = _optional(prefix.replace("+", "")) + expression
    else:
        expression = expression.replace("+", r"\+")
    if field == "caller_id_number_prefix":
        return Detail("regex", "caller_id_number", f"^{expression}")
    return Detail("regex", field, f"^{expression}$")


def _actions(destination: Mapping[str, Any]) -> list[tuple[str, ...]]:
    given = _objects(destination, "destination_actions", ("destination_app", "destination_data"))
    columns = [
        (plain(destination.get(f"{column}_app")), plain(destination.get(f"{column}_data")))
        for column in ("destination", "destination_alternate")
    ]
    return [action for action in given or columns if action[0]]


def _objects(destination: Mapping[str, Any], column: str, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The values of these names in each object of a JSON column, which comes as a list or as its JSON."""
    given = destination.get(column) or []
    try:
        objects = json.loads(given) if isinstance(given, str) else given
        rows = [tuple(plain(entry.get(name)) for name in names) for entry in objects]
    except (ValueError, TypeError, AttributeError):
        raise InvalidValue(column, "must be a list of objects") from None
    for index, row in enumerate(rows):
        for name, text in zip(names, row, strict=True):
            check(text, f"{column}.{index}.{name}")
    return rows


def _numbered(groups: list[list[Detail]]) -> list[Detail]:
    """Groups 0, 10, ...; orders 20, 30, ... through all of them."""
    numbered: list[Detail] = []
    for index, group in enumerate(groups):
        for detail in group:
            numbered.append(replace(detail, group=10 * index, order=20 + 10 * len(numbered)))
    return numbered
