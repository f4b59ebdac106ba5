"""Recordings: the sound files of a domain that menus, groups and queues play."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    Change,
    Effect,
    Operation,
    Plugin,
    Record,
    RemoveFile,
    Resource,
    Sort,
    Text,
    WriteFile,
    clear_cache,
    fields,
    invalid,
)

CONTENT_MOST = 1_000_000
"""Characters of base64: what fits into a request of 1 MiB; 750,000 bytes of sound."""

_FILE_NAME = r"[0-9A-Za-z](?:[0-9A-Za-z_-]|\.(?!\.)){0,120}\.(?:wav|mp3|ogg)"


class SoundFile(Text):
    """A whole sound file in base64."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationError(f"{self.label} must be base64") from None
        return text


class Recording(Record):
    recording_uuid = fields.UUID(dump_only=True)
    recording_filename = Text(
        label="File name", required=True, max=128, pattern=_FILE_NAME,
        expected="letters, digits and ._- without a path, and end in .wav, .mp3 or .ogg",
    )  # fmt: skip
    recording_name = Text(label="Name", load_default="")
    recording_voice = Text(label="Voice", load_default="")
    recording_message = Text(label="Message", max=4000, lines=True, load_default="")
    recording_description = Text(load_default="")
    recording_base64 = SoundFile(
        label="Content", max=CONTENT_MOST, required=True, load_only=True,
        metadata={"description": "The whole file in base64, up to 750,000 bytes of sound."},
    )  # fmt: skip
    recording_stored = Text(
        dump_only=True,
        metadata={
            "enum": ["true", "false"],
            "description": "Whether the database holds the file, as what was uploaded here.",
        },
    )


class Content(Record):
    recording_filename = Text(dump_only=True)
    recording_base64 = Text(dump_only=True)


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """The content must be what the name says, and the name can change only where the content is at hand."""
    name = record["recording_filename"]
    renamed = old is not None and name != old["recording_filename"]
    record["recording_name"] = record["recording_name"] or name.rpartition(".")[0]
    if "recording_base64" in call.data:
        content = base64.b64decode(call.data["recording_base64"])
        if not is_sound(name, content):
            raise invalid(f"Content is no {name.rpartition('.')[2]} file", "recording_base64")
        # `store` writes it: the audit row and the change need no more than what tells it from another.
        record["recording_base64"] = f"sha256 {hashlib.sha256(content).hexdigest()}"
    elif renamed and old is not None:
        if old["recording_stored"] != "true":
            raise invalid(
                "The file is on the switch alone: upload it, to give it another name", "recording_filename"
            )
        if name.rpartition(".")[2] != old["recording_filename"].rpartition(".")[2]:
            raise invalid("Another kind of file needs another content", "recording_filename")
    if renamed and old is not None:
        _warn_of_uses(call, old["recording_filename"])


def is_sound(name: str, content: bytes) -> bool:
    """Whether a file begins as its ending says."""
    match name.rpartition(".")[2]:
        case "wav":
            return content[:4] == b"RIFF" and content[8:12] == b"WAVE"
        case "mp3":
            return content[:3] == b"ID3" or (content[:1] == b"\xff" and content[1:2] >= b"\xe0")
        case "ogg":
            return content[:4] == b"OggS"
    return False


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The content, apart from the other columns: it is large, and seldom changes."""
    if "recording_base64" in call.data:
        ids = {"recording_uuid": record["recording_uuid"]}
        call.do("set_content", recording_base64=call.data["recording_base64"], **ids)


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Nothing else goes with it; say what will be silent."""
    _warn_of_uses(call, record["recording_filename"])


def _warn_of_uses(call: Call, filename: str) -> None:
    for use in call.rows("uses", filename=filename):
        call.warn(f"The {use['what']} {use['name']} plays {filename}, and finds it no more")


def content(call: Call) -> Answer:
    """The file, where the database has it."""
    found = call.row("content", recording_uuid=call.uuid)
    if found is None:
        raise ApiError(404, "NOT_FOUND", "The recording's file is on the switch alone")
    return Answer(dict(found))


def effects(change: Change) -> Iterator[Effect]:
    """The file of the old name goes, and the new one is written where it changed.

    FusionPBX's script makes a missing file from the row and never replaces one that is there; a file that somebody
    recorded anew by phone is not touched by a change of other columns.
    """
    current = change.current
    now = current["recording_filename"] if current else ""
    for name in change.values("recording_filename"):
        if name != now and "/" not in name and change.row("find", filename=name) is None:
            yield RemoveFile("recordings", f"{change.domain_name}/{name}")
    new = change.action == "create" or change.changed & {"recording_filename", "recording_base64"}
    if current and new and current["recording_base64"]:
        sound = base64.b64decode(current["recording_base64"])
        yield WriteFile("recordings", f"{change.domain_name}/{now}", sound)
    if change.action != "update" or "recording_filename" in change.changed:
        # A menu's document holds where the file was found, or that it was not.
        for name in change.values("recording_filename"):
            for menu in change.rows("menus", filename=name):
                yield clear_cache(f"configuration:ivr.conf:{menu['ivr_menu_uuid']}")


recordings = Resource(
    name="recordings",
    label="Recording",
    id="recording_uuid",
    schema=Recording,
    table="v_recordings",
    app_uuid=UUID("83913217-c7a2-9e90-925d-a866eb40b60e"),
    row=("recording_uuid", "recording_filename", "recording_name", "recording_description", "recording_stored"),
    search=("recording_name", "recording_filename", "recording_description"),
    sort={
        "recording_name": Sort("recording_name"),
        "recording_filename": Sort("recording_filename"),
        "recording_description": Sort("recording_description"),
    },
    filters=("recording_name", "recording_filename"),
    unique=("recording_filename",),
    operations=(
        Operation(
            "content", content, on="item", path="content", answer=Content, summary="Get the file of a recording"
        ),
    ),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=("recording_filename",),
    effects=effects,
)

plugin = Plugin(name="recordings", version="1.0.0", resources=(recordings,))
