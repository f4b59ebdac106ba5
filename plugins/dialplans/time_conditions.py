"""Time conditions: dialplans that say in plain words when a call goes where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pbxapi.plugin import Call, invalid
from pbxapi.xml import Detail, InvalidValue, exactly, read_time_condition, time_condition

from .dialplans import as_rows, complete, fault, make_xml
from .routes import check_plain_actions
from .schemas import TIME_CONDITION_APP

_WORDS = ("timezone", "conditions", "otherwise")


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """A time condition, from details or from plain words."""
    number_field = _take_number(call, record, old)
    record["dialplan_name"] = call.data.get("name") or record["dialplan_name"]
    complete(call, record, old, app=TIME_CONDITION_APP, context=call.caller.domain_name, order="300")
    number = record["dialplan_number"]
    words = in_words(old) if old is not None else {}
    sent = {word: call.data[word] for word in _WORDS if word in call.data and call.data[word] != words.get(word)}
    renumbered = old is not None and number != old["dialplan_number"]
    plain = False
    if "details" in call.data and (old is None or call.data["details"] != old["details"]):
        if any(sent.values()):
            raise invalid("details can be given instead of conditions, not beside them", "details")
    elif any(sent.values()) or (sent and old is not None):
        if not number:
            raise invalid("Extension is required", "extension")
        record["details"] = _details(call, number, {**words, **sent})
        plain = True
    elif old is not None and renumbered:
        record["details"] = _renumbered(old["details"], old["dialplan_number"], number)
        plain = True
    if number and (old is None or renumbered):
        call.claim_numbers({number_field: number})
    make_xml(call, record, old, checked=plain)


def _take_number(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> str:
    """The number, under whichever of its two names a new one was sent; the name.

    Raises:
        ApiError: 400 where both hold a new one, or the old one was taken away.
    """
    before = old["dialplan_number"] if old is not None else ""
    new = {n: call.data[n] for n in ("extension", "dialplan_number") if call.data.get(n, before) != before}
    if len(set(new.values())) > 1:
        raise invalid("extension and dialplan_number are the same number", "extension")
    field, record["dialplan_number"] = next(iter(new.items()), ("dialplan_number", before))
    if before and not record["dialplan_number"]:
        raise invalid("Extension is required", field)
    return field


def show(call: Call, record: dict[str, Any]) -> None:
    """The plain words; empty where the details say more than these can."""
    record["extension"] = record["dialplan_number"]
    record.update(in_words(record))


def in_words(record: Mapping[str, Any]) -> dict[str, Any]:
    """``timezone``, ``conditions`` and ``otherwise`` of stored details."""
    try:
        read = read_time_condition(Detail.from_row(detail) for detail in record["details"])
    except InvalidValue:
        read = None
    return {word: (read or {}).get(word) or ("" if word == "timezone" else []) for word in _WORDS}


def _details(call: Call, number: str, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    conditions, otherwise = words.get("conditions") or [], words.get("otherwise") or []
    for place, condition in enumerate(conditions):
        check_plain_actions(call, condition["actions"], f"conditions.{place}.actions")
    check_plain_actions(call, otherwise, "otherwise")
    try:
        return as_rows(time_condition(number, conditions, otherwise, words.get("timezone") or ""))
    except InvalidValue as error:
        raise fault(error, "conditions") from None


def _renumbered(details: list[dict[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """The same for another number, as far as the details compare with the old one."""
    before = (exactly(old), f"^{old}$")
    return [
        {**detail, "dialplan_detail_data": exactly(new)}
        if detail["dialplan_detail_type"] == "destination_number" and detail["dialplan_detail_data"] in before
        else detail
        for detail in details
    ]
