"""A file as an answer: handed to nginx, or sent from here with ranges and conditions."""

from __future__ import annotations

import os
import threading
from io import BytesIO
from urllib.parse import quote

from flask import Response
from werkzeug.http import dump_options_header
from werkzeug.utils import send_file

from pbxapi.errors import ApiError
from pbxapi.http.gateway import Request
from pbxapi.plugin.call import FileAnswer

INTERNAL = "/_pbxapi_files"
"""The locations of nginx that hold the switch's folders, by their names; nobody can ask for them."""


def send(request: Request, answer: FileAnswer, accel: bool, free: threading.BoundedSemaphore) -> Response:
    """Send a file.

    Args:
        accel: have nginx send it; it then sees to ranges and conditions.
        free: threads that may be busy with what takes long.

    Raises:
        ApiError: 503 while too many are.
    """
    response = _from_nginx(answer) if accel and answer.path else _from_here(request, answer, free)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"  # send_file has words of its own
    return response


def _from_nginx(answer: FileAnswer) -> Response:
    if answer.opened is not None:
        answer.opened.close()
    response = Response(content_type=answer.media)
    response.headers["X-Accel-Redirect"] = quote(f"{INTERNAL}/{answer.folder}/{answer.path}")
    # The name is a file's of the switch: what is not ASCII in it is left to the other form.
    response.headers["Content-Disposition"] = dump_options_header("inline", {"filename": answer.name})
    return response


def _from_here(request: Request, answer: FileAnswer, free: threading.BoundedSemaphore) -> Response:
    if answer.opened is None:
        content = BytesIO(answer.content)
        response = send_file(
            content,
            request.environ,
            answer.media,
            download_name=answer.name,
            etag=answer.tag,
            response_class=Response,
        )
        assert isinstance(response, Response)
        return response
    # A slow client holds a thread for as long as it likes.
    if not free.acquire(blocking=False):
        answer.opened.close()
        raise ApiError(
            503,
            "TOO_MANY_DOWNLOADS",
            "Too many files are being sent; try again later",
            headers={"Retry-After": "1"},
        )
    try:
        with answer.opened as file:
            status = os.fstat(file.fileno())
            response = send_file(
                f"/proc/self/fd/{file.fileno()}",  # the very file that was opened, whatever its name is by now
                request.environ,
                answer.media,
                download_name=answer.name,
                etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}",
                last_modified=status.st_mtime,
                response_class=Response,
            )
            assert isinstance(response, Response)
    except BaseException:
        free.release()
        raise
    response.direct_passthrough = False  # else nobody is told when it ends
    response.call_on_close(free.release)
    return response
