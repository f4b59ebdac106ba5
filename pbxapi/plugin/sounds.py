"""Sound files of the switch as answers: found below their folder, or with the node that has them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from marshmallow import validate

from pbxapi.data.links import SECONDS_MOST, sign_link, url_of
from pbxapi.errors import ApiError, SwitchUnavailable
from pbxapi.plugin.call import Answer, Call, FileAnswer
from pbxapi.plugin.fields import Record, Text, fields
from pbxapi.plugin.folders import FOLDER_SETTINGS, find_folders
from pbxapi.switch.files import open_file

log = logging.getLogger(__name__)

SOUND_MEDIA = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
"""What is answered, by the ending of a file's name."""


class LinkRequest(Record):
    """How long a link shall live."""

    seconds = fields.Integer(
        load_default=300,
        strict=True,
        validate=validate.Range(10, SECONDS_MOST),
        metadata={"description": f"How long it is good, up to {SECONDS_MOST}."},
    )


class SignedLink(Record):
    """A link."""

    url = Text(dump_only=True, metadata={"description": "Without scheme and host: on the host that was called."})
    expires_at = Text(dump_only=True, metadata={"format": "date-time"})


def missing_sound(reason: str) -> ApiError:
    """404 RECORDING_NOT_FOUND, with the reason."""
    return ApiError(404, "RECORDING_NOT_FOUND", reason)


def sound_folder(call: Call, folder: Literal["recordings", "voicemail"]) -> Path:
    """Where the switch keeps a kind of files.

    Raises:
        ApiError: 404 where nothing says.
    """
    found = find_folders(call.config, call.settings(*FOLDER_SETTINGS.values())).get(folder)
    if found is None:
        raise missing_sound(f"The setting {FOLDER_SETTINGS[folder]} names no folder")
    return found


def find_sound(
    call: Call, folder: Literal["recordings", "voicemail"], below: str, paths: Sequence[str]
) -> FileAnswer:
    """The first of some files that is there.

    No link below the folder is followed, and nothing outside of `below` is looked at.

    Args:
        below: the domain's own folder, relative to the switch's.
        paths: relative to the switch's folder, each below `below`.

    Raises:
        ApiError: 404 with the reason.
    """
    root = sound_folder(call, folder)
    paths = [path for path in paths if _is_below(path, below) and _ending(path) in SOUND_MEDIA]
    if not paths:
        raise missing_sound("The file does not lie in the domain's folder, or is no wav, mp3 or ogg")
    barred = False
    for path in paths:
        try:
            opened = open_file(root, path)
        except PermissionError:
            barred = True
        except (OSError, ValueError):
            # A folder that is not there, or a link where a folder should be.
            continue
        else:
            if opened is not None:
                return _answer(folder, path, opened)
    held = _ask_nodes(call, root, paths)
    if barred and call.config.accel:
        # nginx can read what this process may not.
        here = next((path for path in paths if held is None or str(root / path) in held), None)
        if here is not None:
            return _answer(folder, here, None)
    if barred and not call.config.accel:
        log.warning("no right to read %s below %s: see PBXAPI_ACCEL", folder, root)
        raise missing_sound("The API may not read the file, and does not hand it to nginx (PBXAPI_ACCEL)")
    if held:
        raise missing_sound(f"The file is not on this host, but on node {', '.join(sorted({*held.values()}))}")
    raise missing_sound("The file is not there: it was moved or deleted, or has not come from its node yet")


def make_link(call: Call, path: str) -> Answer:
    """A link to an operation of the same resource that reads, for the body `LinkRequest`.

    Args:
        path: of that operation, below the record.
    """
    operations = call.resource.declaration.all_operations()
    operation = next(o for o in operations if "GET" in o.methods and o.path == path)
    place = path.replace(f"<{operation.part}>", str(call.part))
    link = sign_link(
        call.session,
        f"{call.config.url_prefix}/{call.resource.declaration.name}/{call.uuid}/{place}",
        domain_uuid=call.caller.domain_uuid,
        scope=call.resource.declaration.scope(operation),
        key_id=call.caller.key_id,
        seconds=call.data["seconds"],
    )
    return Answer({"url": url_of(link), "expires_at": link.expires_at})


def _is_below(path: str, below: str) -> bool:
    parts, folder = PurePosixPath(path).parts, PurePosixPath(below).parts
    return bool(folder) and ".." not in parts and path.isprintable() and parts[: len(folder)] == folder


def _ending(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _answer(folder: str, path: str, opened: BinaryIO | None) -> FileAnswer:
    name = PurePosixPath(path).name
    return FileAnswer(opened=opened, folder=folder, path=path, name=name, media=SOUND_MEDIA[_ending(path)])


def _ask_nodes(call: Call, root: Path, paths: Sequence[str]) -> dict[str, str] | None:
    """Which of some files a switch has: full name -> node; None where no node answers."""
    with suppress(SwitchUnavailable):
        answers = call.ask("files_there", {"paths": [str(root / path) for path in paths]})
        return {path: node for node, found in sorted(answers.items()) for path in found}
    return None
