"""What all dialplans have in common: their XML and details, the cache entries and files that follow them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pbxapi.plugin import (
    ApiError,
    Call,
    Change,
    ClearCacheBelow,
    Effect,
    Note,
    RemoveFile,
    WriteFile,
    clear_cache,
    invalid,
)
from pbxapi.plugin.dialling import check_context, check_details, check_xml
from pbxapi.xml import (
    Detail,
    Element,
    InvalidValue,
    attributes,
    from_details,
    include_file,
    is_public,
    parse,
    relabelled,
)

from .schemas import DIALPLAN_APP, INBOUND_APP, TIME_CONDITION_APP

Made = TypeVar("Made")
Row = Mapping[str, Any]

GLOBAL_CONTEXTS = frozenset({"global", "${domain_name}"})
"""Contexts that every domain sees; the second is how older versions spell the first."""

_OWNERS = {
    "1d61fb65-1eec-bc73-a6ee-a6203b4fe6f2": "ring group",
    "a5788e9b-58bc-bd1b-df59-fff5d51253ab": "IVR menu",
    "95788e50-9500-079e-2807-fd530b0ea370": "call center queue",
    "b1b70f85-6b42-429b-8c5a-60c8b02b7d14": "call flow",
    "b81412e8-7253-91f4-e48e-42fc2c9a38d9": "conference",
    "24108154-4ac3-1db6-1551-4731703a4440": "fax",
}
"""Applications whose records write their dialplan themselves."""

_NOT_IN_A_FILE_NAME = re.compile(r"[^0-9A-Za-z._+-]")
_FOLDER = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._@-]*")


def prepare(call: Call, record: dict[str, Any], old: Row | None) -> None:
    """Fill what was left out, check what schemas cannot, and make the XML."""
    complete(call, record, old, app=DIALPLAN_APP, context=call.caller.domain_name, order="200")
    if record["app_uuid"] == str(TIME_CONDITION_APP) and record["dialplan_number"]:
        columns = ("app_uuid", "dialplan_number")
        if old is None or any(record[column] != old[column] for column in columns):
            call.claim_numbers({"dialplan_number": record["dialplan_number"]})
    make_xml(call, record, old)


def complete(call: Call, record: dict[str, Any], old: Row | None, *, app: UUID, context: str, order: str) -> None:
    """The columns that a record has though nobody sent them; the context must be the domain's."""
    if not record["dialplan_name"]:
        raise invalid("Dialplan name is required", "dialplan_name")
    for name, value in (("app_uuid", str(app)), ("dialplan_context", context), ("dialplan_order", order)):
        if old is None or record[name] != old[name]:
            record[name] = record.get(name) or value
    if old is None or record["dialplan_context"] != old["dialplan_context"]:
        check_context(call, record["dialplan_context"], "dialplan_context")
    owner = _owner(call, old) if old is not None else None
    if owner:
        call.warn(f"The dialplan belongs to a {owner}, which writes it anew when it is saved")


def make_xml(call: Call, record: dict[str, Any], old: Row | None, *, checked: bool = False) -> None:
    """Make ``dialplan_xml`` say what the rest of the record says.

    New details count, or new XML; without either only the name, the context and whether the switch goes on.

    Args:
        checked: whether the actions were checked under the names of their own fields.

    Raises:
        ApiError: 400 with the field at fault.
    """
    before: Row = old if old is not None else {"details": [], "dialplan_xml": "", "dialplan_continue": "false"}
    record["details"] = [_numbered(detail, place) for place, detail in enumerate(record["details"], start=1)]
    new_details = record["details"] != before["details"]
    new_xml = record["dialplan_xml"] != before["dialplan_xml"] and bool(record["dialplan_xml"])
    if new_xml and new_details and record["details"]:
        raise invalid("dialplan_xml can be given instead of details, not beside them", "dialplan_xml")
    if new_xml:
        _take_xml(call, record)
        return
    record["dialplan_continue"] = record["dialplan_continue"] or before["dialplan_continue"]
    if not new_details and old is not None and not _label_changed(record, old):
        record["dialplan_xml"] = old["dialplan_xml"]
        return
    details = [Detail.from_row(detail) for detail in record["details"]]
    if old is None or new_details:
        if not checked:
            check_details(call, details)
        record["dialplan_xml"] = _or_400(lambda: _from_details(call, record, details))
    else:
        record["dialplan_xml"] = _with_new_label(call, record, details, old["dialplan_xml"])


def store(call: Call, record: Row, old: Row | None) -> None:
    """The details, as far as they changed."""
    if record["details"] != (old["details"] if old is not None else []):
        write_details(call, record["dialplan_uuid"], record["details"])


def write_details(call: Call, dialplan_uuid: UUID, details: Iterable[Row], folder: str = "") -> None:
    """Replace the details of a dialplan.

    Args:
        folder: of the statements, where they are another resource's: ``dialplans/``.
    """
    call.do(f"{folder}delete_details", dialplan_uuid=dialplan_uuid)
    rows = [
        {"dialplan_detail_uuid": str(uuid4()), **{column: value or None for column, value in detail.items()}}
        for detail in details
    ]
    if rows:
        call.do(f"{folder}create_details", dialplan_uuid=dialplan_uuid, details=json.dumps(rows))


def remove(call: Call, record: Row) -> None:
    """The details go with the dialplan."""
    owner = _owner(call, record)
    if owner:
        call.warn(f"The dialplan belonged to a {owner}, which nobody can call now")
    call.do("delete_details", dialplan_uuid=record["dialplan_uuid"])


def as_rows(details: Iterable[Detail]) -> list[dict[str, Any]]:
    """Details as `get` answers them: every value as text."""
    rows = []
    for detail in details:
        row = detail.as_row()
        enabled = "true" if row["dialplan_detail_enabled"] else "false"
        rows.append({column: str(value) for column, value in row.items()} | {"dialplan_detail_enabled": enabled})
    return rows


def fault(error: InvalidValue, default: str, fields: Mapping[str, str] | None = None) -> ApiError:
    """What cannot stand in XML, as 400 with the field of the API.

    Args:
        default: the field where the error names none.
        fields: the API's names of the builder's, where they differ.
    """
    field = (fields or {}).get(error.key, error.key) or default
    return invalid(f"{field} {error.reason}", field)


def effects(change: Change) -> Iterator[Effect]:
    """The cache entries of the old and the new context go; the file follows."""
    contexts = change.values("dialplan_context")
    yield from clear_contexts(contexts)
    app = (change.current or change.old).get("app_uuid")
    if is_single(change.row("mode")):
        outside = any(map(is_public, contexts)) or app == str(INBOUND_APP)
        if outside or change.row("linked", dialplan_uuid=change.uuid) is not None:
            # By the number dialled: a dialplan does not say which those are.
            for context in dict.fromkeys(["public", *filter(is_public, contexts)]):
                yield ClearCacheBelow(f"dialplan:{context}:")
    if "dialplan" in change.folders:
        places = [change.old] if change.old else []
        yield from file_effects(change, change.uuid, places, change.current)


def clear_contexts(contexts: Iterable[str]) -> Iterator[Effect]:
    """The entries of whole contexts; a context of all domains is part of every entry."""
    for context in contexts:
        if context in GLOBAL_CONTEXTS:
            yield ClearCacheBelow("dialplan:")
        else:
            yield clear_cache(f"dialplan:{context}")


def is_single(mode: Row | None) -> bool:
    """Whether calls from outside are looked up by their number (`mode.sql`)."""
    return mode is not None and mode["mode"] == "single"


def file_effects(change: Change, uuid: UUID, places: Sequence[Row], current: Row | None) -> Iterator[Effect]:
    """The file of a dialplan, for a switch that reads its dialplans from files too.

    Args:
        places: where it was: rows with dialplan_context, dialplan_order and dialplan_name.
        current: the dialplan as it is now, None once it is gone.
    """
    wanted = None
    if current and current["dialplan_enabled"] == "true" and current["hostname"] in ("", change.hostname):
        wanted = file_path(change.domain_name, current, uuid)
    for path in dict.fromkeys(file_path(change.domain_name, place, uuid) for place in [*places, current or {}]):
        if path and path != wanted:
            yield RemoveFile("dialplan", path)
    if current is None or wanted is None:
        return
    try:
        text = parse(current["dialplan_xml"])
    except InvalidValue as error:
        yield RemoveFile("dialplan", wanted)
        yield Note(f"The dialplan has no file: {error}")
        return
    yield WriteFile("dialplan", wanted, f"<include>\n{text}</include>\n")
    yield _including_file(change.domain_name, current["dialplan_context"])


def file_path(domain: str, dialplan: Row, uuid: UUID) -> str | None:
    """Where a dialplan's file is; None for one whose context is not the domain's alone.

    FusionPBX's names (``100_v_name.xml`` in a folder for the context, calls from outside in ``public/<domain>``),
    with the uuid behind: names are not unique.
    """
    context = dialplan.get("dialplan_context", "")
    if context in GLOBAL_CONTEXTS or not _FOLDER.fullmatch(context) or not _FOLDER.fullmatch(domain):
        return None
    folder = f"public/{domain}" if context == "public" else context
    order = min(int(float(dialplan["dialplan_order"] or 999)), 999)
    name = _NOT_IN_A_FILE_NAME.sub("_", dialplan["dialplan_name"])[:100]
    return f"{folder}/{order:03}_v_{name}_{uuid}.xml"


def _including_file(domain: str, context: str) -> WriteFile:
    """What makes the switch read the folder: a context of its own, or a part of the operator's ``public``."""
    if context == "public":
        element = Element("X-PRE-PROCESS", {"cmd": "include", "data": f"{domain}/*.xml"})
        return WriteFile("dialplan", f"public/{domain}.xml", include_file([element]))
    include = Element("X-PRE-PROCESS", {"cmd": "include", "data": f"{context}/*.xml"})
    return WriteFile(
        "dialplan", f"{context}.xml", include_file([Element("context", {"name": context}, [include])])
    )


def _owner(call: Call, record: Row) -> str | None:
    """What else in FusionPBX a dialplan belongs to, as a noun."""
    if call.row("linked", dialplan_uuid=record["dialplan_uuid"]) is not None:
        return "destination"
    return _OWNERS.get(record["app_uuid"])


def _numbered(detail: Row, place: int) -> dict[str, Any]:
    return {**detail, "dialplan_detail_order": detail["dialplan_detail_order"] or str(10 * place)}


def _label_changed(record: Row, old: Row) -> bool:
    columns = ("dialplan_name", "dialplan_context", "dialplan_continue")
    return any(record[column] != old[column] for column in columns)


def _with_new_label(call: Call, record: Row, details: Sequence[Detail], xml: str) -> str:
    """The XML of stored details, else the stored XML itself, under another name or in another context."""
    if details:
        try:
            return _from_details(call, record, details)
        except InvalidValue:
            # FusionPBX stores details that no sound XML can be made of: what it made of them stays.
            pass
    try:
        return _relabelled(record, xml)
    except InvalidValue as error:
        call.warn(f"The stored {error}: it stays as it is")
        return xml


def _take_xml(call: Call, record: dict[str, Any]) -> None:
    """XML that somebody wrote: it counts as it is, under the dialplan's own name."""
    xml = record["dialplan_xml"]
    check_xml(call, xml)
    goes_on = _or_400(lambda: attributes(xml)).get("continue", "").lower() == "true"
    if not call.data.get("dialplan_continue"):
        record["dialplan_continue"] = "true" if goes_on else "false"
    record["dialplan_xml"] = _or_400(lambda: _relabelled(record, xml))
    record["details"] = []


def _from_details(call: Call, record: Row, details: Sequence[Detail]) -> str:
    return from_details(
        record["dialplan_name"],
        details,
        uuid=record["dialplan_uuid"],
        context=record["dialplan_context"],
        continue_=record["dialplan_continue"] == "true",
        domain_uuid=call.caller.domain_uuid,
        domain_name=call.caller.domain_name,
    )


def _relabelled(record: Row, xml: str) -> str:
    goes_on = record["dialplan_continue"] == "true"
    return relabelled(xml, name=record["dialplan_name"], continue_=goes_on, uuid=record["dialplan_uuid"])


def _or_400(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except InvalidValue as error:
        raise fault(error, "details") from None
