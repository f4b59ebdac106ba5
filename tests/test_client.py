"""The Python client against the whole product: the sandbox, as an integrator has it."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from pbxapi_client import Client, PbxapiError


class LosesAnswers(http.server.BaseHTTPRequestHandler):
    """Passes requests on, and closes the connection instead of giving the first answers back."""

    target = ""
    to_lose = 0
    methods: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        kind = type(self)
        kind.methods.append(self.command)
        connection = http.client.HTTPConnection(urlsplit(kind.target).netloc)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        answer = response.read()
        if kind.to_lose:
            kind.to_lose -= 1
            return
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_DELETE = do_PATCH = do_POST

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def lossy() -> Iterator[type[LosesAnswers]]:
    """A proxy on a port of its own: its handler, whose `target` and `to_lose` a test sets."""
    handler = type("Handler", (LosesAnswers,), {"methods": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        handler.port = server.server_address[1]
        yield handler
        server.shutdown()
        thread.join()


def test_an_integrators_day(start_sandbox, sandbox_folder, lossy) -> None:
    ready = start_sandbox(sandbox_folder).ready
    pbx = Client(ready["url"], ready["key"], ready["domain"], timeout=10)
    heard = pbx.events("extension.*", after=0)

    made = pbx.create("extensions", {"extension": "2001", "voicemail_enabled": "true"}, wait=10)
    assert (made.status, made.change_state) == (201, "applied")
    assert made.change_id is not None
    assert pbx.change(made.change_id)["state"] == "applied"
    uuid = made.data["extension_uuid"]
    assert next(event for event in heard if event["data"]["uuid"] == uuid)["type"] == "extension.created"

    everyone = [record["extension"] for record in pbx.list("extensions", per_page=40)]
    assert "2001" in everyone
    assert len(everyone) == len(set(everyone)) > 80

    read = pbx.get("extensions", uuid)
    pbx.update("extensions", uuid, {"description": "door"}, etag=read.etag)
    with pytest.raises(PbxapiError) as late:
        pbx.update("extensions", uuid, {"description": "desk"}, etag=read.etag)
    assert (late.value.status, late.value.code) == (412, "PRECONDITION_FAILED")
    assert pbx.get("extensions", uuid).data["description"] == "door"

    with pytest.raises(PbxapiError) as taken:
        pbx.create("extensions", {"extension": "2001"})
    assert (taken.value.status, taken.value.code, taken.value.field) == (409, "DUPLICATE_ERROR", "extension")
    with pytest.raises(PbxapiError, match="401"):
        Client(ready["url"], "no-such-key", ready["domain"]).get("extensions", uuid)

    results = pbx.batch(
        [
            {"resource": "extensions", "operation": "create", "body": {"extension": "2002"}},
            {"resource": "extensions", "operation": "delete", "uuid": uuid},
        ]
    )
    assert [result["status"] for result in results.data] == [201, 200]
    assert not list(pbx.list("extensions", search="2001"))

    lossy.target, lossy.to_lose = ready["url"], 1
    unlucky = Client(f"http://127.0.0.1:{lossy.port}/api/v1", ready["key"], ready["domain"])
    made = unlucky.create("extensions", {"extension": "2003"})
    assert (made.status, made.replayed, lossy.methods) == (201, True, ["POST", "POST"])
    assert [record["extension"] for record in pbx.list("extensions", extension="2003")] == ["2003"]
    lossy.to_lose = 1
    assert unlucky.delete("extensions", made.data["extension_uuid"]).status == 200
    assert not list(pbx.list("extensions", extension="2003"))
