"""Call detail records: what FusionPBX wrote down of the calls that ended."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from pbxapi.plugin import (
    LINES,
    SOUND_MEDIA,
    Answer,
    Call,
    LinkRequest,
    Operation,
    Plugin,
    Resource,
    SignedLink,
    Sort,
    domain_zone,
    export_records,
    find_sound,
    like,
    list_records,
    make_link,
    missing_sound,
    sound_folder,
)

from .schemas import CallQuery, CallRecord

_STAMPS = ("start_stamp", "answer_stamp", "end_stamp")


def list_calls(call: Call) -> Answer:
    """A page of calls; days begin and end, and stamps are shown, in the domain's time zone."""
    zone = _read_query(call)
    answer = list_records(call)
    for row in answer.data:
        _show_stamps(row, zone)
    return answer


def export_calls(call: Call) -> Answer:
    """All calls, as the list shows them."""
    zone = _read_query(call)
    return export_records(call, lambda row: _show_stamps(row, zone))


def _read_query(call: Call) -> ZoneInfo:
    """Make what was asked for ready for the statement; the domain's time zone."""
    zone = domain_zone(call)
    asked: dict[str, Any] = {name: call.query.get(name) or None for name in CallQuery._declared_fields}
    if asked["start_date"]:
        asked["start_date"] = _midnight(asked["start_date"], zone)
    if asked["end_date"]:
        last = asked["end_date"]
        asked["end_date"] = _midnight(last + timedelta(days=1), zone) if last < date.max else None
    if asked["caller_id"]:
        asked["caller_id"] = like(asked["caller_id"])
    call.query = {**call.query, **asked}
    return zone


def show(call: Call, record: dict[str, Any]) -> None:
    """Stamps in the domain's time zone."""
    _show_stamps(record, domain_zone(call))


def recording(call: Call) -> Answer:
    """The sound of a call, from below the domain's folder of recordings.

    FusionPBX stores the folder's full name with the call (xml_cdr.php).
    """
    name = call.record["record_name"]
    if not name:
        raise missing_sound("The call was not recorded")
    place = PurePosixPath(call.record["record_path"], PurePosixPath(name).name)
    try:
        path = place.relative_to(sound_folder(call, "recordings"))
    except ValueError:
        raise missing_sound("The recording lies outside of the folder of recordings") from None
    return find_sound(call, "recordings", call.caller.domain_name, [str(path)])


def link(call: Call) -> Answer:
    """A link to the sound of a call."""
    return make_link(call, "recording")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _show_stamps(record: dict[str, Any], zone: ZoneInfo) -> None:
    for name in _STAMPS:
        stamp: datetime | None = record[name]
        record[name] = stamp.astimezone(zone).isoformat(" ")[:19] if stamp else ""


cdr = Resource(
    name="cdr",
    label="CDR record",
    id="xml_cdr_uuid",
    schema=CallRecord,
    table="v_xml_cdr",
    row=(
        "xml_cdr_uuid",
        "direction",
        "caller_id_name",
        "caller_id_number",
        "caller_destination",
        "destination_number",
        "start_stamp",
        "answer_stamp",
        "end_stamp",
        "duration",
        "billsec",
        "hangup_cause",
        "recording_file",
    ),
    search=("caller_id_name", "caller_id_number", "caller_destination", "destination_number"),
    sort={
        "start_stamp": Sort("start_stamp", "time"),
        "duration": Sort("duration", "number"),
        "billsec": Sort("billsec", "number"),
        "caller_id_number": Sort("caller_id_number"),
        "destination_number": Sort("destination_number"),
    },
    order="-start_stamp",
    filters=(
        "caller_id_name",
        "caller_id_number",
        "caller_destination",
        "destination_number",
        "hangup_cause",
        "status",
        "missed_call",
        "leg",
        "accountcode",
    ),
    query=CallQuery,
    indexes=("v_xml_cdr (domain_uuid, start_stamp desc, xml_cdr_uuid desc)",),
    count_most=100_000,
    standard=("list", "get"),
    operations=(
        Operation("list", list_calls, summary="List calls"),
        Operation("export", export_calls, path="export", media=LINES, streams=True, summary="Export calls"),
        Operation(
            "recording",
            recording,
            on="item",
            path="recording",
            scope="cdr:recording",
            files=tuple(SOUND_MEDIA.values()),
            summary="Listen to a call",
        ),
        Operation(
            "recording_link",
            link,
            ("POST",),
            "item",
            path="recording/link",
            scope="cdr:recording",
            body=LinkRequest,
            answer=SignedLink,
            summary="Make a link to listen to a call, without a key and for a while",
        ),
    ),
    show=show,
)

plugin = Plugin(name="cdr", version="1.0.0", resources=(cdr,), scopes=("cdr:recording",))
