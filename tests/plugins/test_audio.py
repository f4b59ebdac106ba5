"""What was said: recordings of calls and voicemail messages, for those who may listen."""

from __future__ import annotations

import base64
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from pbxapi.app import create_app
from pbxapi.data.keys import create_key
from pbxapi.data.links import revoke_links, sign_link, url_of
from pbxapi.errors import SwitchUnavailable
from pbxapi.plugin import sounds
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import claim_port
from pbxapi.testing import API_KEY, Pbx, close_pbx, make_pbx

WAV = b"RIFF....WAVE" + random.Random(1).randbytes(5000)
MP3 = b"ID3" + random.Random(2).randbytes(3000)


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("pbx"), service_url=url_of_role(url))
        yield system
        close_pbx(system)


@dataclass
class Call:
    """A recorded call."""

    pbx: Pbx
    uuid: UUID
    folder: Path

    @property
    def path(self) -> str:
        return f"/api/v1/cdr/{self.uuid}/recording"

    def store(self, content: bytes = WAV, name: str = "call.wav", folder: str | Path | None = None) -> Path:
        """Write a file, and say in the call's row where it is."""
        place = self.folder if folder is None else Path(folder)
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
        self.tell(str(place), name)
        return place / name

    def tell(self, folder: str | None, name: str | None) -> None:
        self.pbx.run(
            "update v_xml_cdr set record_path = %(folder)s, record_name = %(name)s where xml_cdr_uuid = %(uuid)s",
            folder=folder,
            name=name,
            uuid=self.uuid,
        )


def row_of(pbx: Pbx, sql: str, **parameters: Any) -> dict[str, Any]:
    return pbx.rows(sql, **parameters)[0]


CALL = """
select xml_cdr_uuid from v_xml_cdr join v_domains using (domain_uuid)
 where v_domains.domain_name = %(domain)s order by xml_cdr_uuid limit 1
"""


@pytest.fixture
def call(pbx: Pbx) -> Iterator[Call]:
    recordings = pbx.folders["recordings"]
    uuid = row_of(pbx, CALL, domain=pbx.domain)["xml_cdr_uuid"]
    yield Call(pbx, uuid, recordings / pbx.domain / "archive" / "2026" / "Nov" / "26")
    for path in recordings.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def get(
    app: Flask,
    path: str,
    *,
    method: str = "GET",
    key: str | None = API_KEY,
    domain: str = "pbx.example.com",
    **headers: str,
) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        sent |= {"X-API-Key": key, "X-Domain": domain}
    return app.test_client().open(path, method=method, headers=sent, buffered=True)


def missing(response: TestResponse) -> str:
    """The reason of a 404 that says that there is no sound."""
    body = response.get_json()
    assert (response.status_code, body["error"]["code"]) == (404, "RECORDING_NOT_FOUND"), body
    return str(body["error"]["message"])


def test_a_recording_is_the_file_through_both_families(pbx: Pbx, call: Call) -> None:
    for name, content, media in (("call.wav", WAV, "audio/wav"), ("c \u00fc.MP3", MP3, "audio/mpeg")):
        call.store(content, name)
        for path in (call.path, f"/api/v1/cdr/recording.php?uuid={call.uuid}"):
            whole = get(pbx.app, path)
            assert (whole.status_code, whole.data, whole.content_type) == (200, content, media)
            assert whole.headers["Content-Disposition"].startswith("inline; filename=")
            assert whole.headers["X-Content-Type-Options"] == "nosniff"
            assert whole.headers["Cache-Control"] == "no-store"
            assert whole.headers["Content-Length"] == str(len(content))
            whole.close()


def test_parts_of_it_and_whether_it_has_changed_can_be_asked_for(pbx: Pbx, call: Call) -> None:
    path = call.store()
    whole = get(pbx.app, call.path)
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = get(pbx.app, call.path, Range="bytes=100-199")
    assert (part.status_code, part.data) == (206, WAV[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(WAV)}"
    assert get(pbx.app, call.path, Range="bytes=-10").data == WAV[-10:]
    assert get(pbx.app, call.path, Range="bytes=999999-").status_code == 416
    head = get(pbx.app, call.path, method="HEAD")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(WAV)))
    tag = whole.headers["ETag"]
    assert get(pbx.app, call.path, If_None_Match=tag).status_code == 304
    assert get(pbx.app, call.path, Range="bytes=0-1", If_Range=tag).status_code == 206
    path.write_bytes(WAV + b"more")
    assert get(pbx.app, call.path, If_None_Match=tag).status_code == 200
    assert get(pbx.app, call.path, Range="bytes=0-1", If_Range=tag).status_code == 200


def test_slow_clients_leave_threads_for_others(pbx: Pbx, call: Call) -> None:
    call.store()
    open_path, headers = call.path, {"X-API-Key": API_KEY, "X-Domain": pbx.domain}
    waiting = [pbx.app.test_client().get(open_path, headers=headers) for _ in range(pbx.config.threads - 1)]
    assert [reply.status_code for reply in waiting] == [200] * (pbx.config.threads - 1)
    busy = get(pbx.app, call.path)
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    for reply in waiting:
        reply.close()
    for _ in range(10):
        assert get(pbx.app, call.path, Range="bytes=0-9").status_code == 206
        assert get(pbx.app, call.path, method="HEAD").status_code == 200


def test_a_call_without_a_recording_says_so(pbx: Pbx, call: Call) -> None:
    call.tell(None, None)
    assert missing(get(pbx.app, call.path)) == "The call was not recorded"


def test_a_file_that_is_gone_says_so_and_where_it_is(
    pbx: Pbx, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = call.store()
    path.unlink()
    assert "moved or deleted" in missing(get(pbx.app, call.path))
    services = pbx.app.extensions["pbxapi"]

    def elsewhere(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        assert (question, arguments) == ("files_there", {"paths": [str(path)]})
        return {"node1": [], "node2": [str(path)]}

    monkeypatch.setattr(services, "ask", elsewhere)
    assert missing(get(pbx.app, call.path)) == "The file is not on this host, but on node node2"

    def nobody(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        raise SwitchUnavailable("no switch node answers")

    monkeypatch.setattr(services, "ask", nobody)
    assert "moved or deleted" in missing(get(pbx.app, call.path))


def test_nothing_outside_of_the_domains_folder_is_read(pbx: Pbx, call: Call, tmp_path: Path) -> None:
    recordings, archive = pbx.folders["recordings"], call.folder
    archive.mkdir(parents=True)
    foreign = recordings / pbx.other_domain
    foreign.mkdir()
    (foreign / "secret.wav").write_bytes(WAV)
    (recordings / "secret.wav").write_bytes(WAV)
    outside = tmp_path / "secret.wav"
    outside.write_bytes(WAV)
    (archive / "file.wav").symlink_to(outside)
    (archive / "foreign.wav").symlink_to(foreign / "secret.wav")
    (archive / "folder").symlink_to(tmp_path)
    (archive / "real").mkdir()
    (archive / "real" / "directory.wav").mkdir()
    os.mkfifo(archive / "pipe.wav")
    (archive / "passwd").write_bytes(WAV)
    own = recordings / pbx.domain
    tried = [
        (str(tmp_path), "secret.wav"),
        (str(foreign), "secret.wav"),
        (str(recordings), "secret.wav"),
        (f"{own}/../{pbx.other_domain}", "secret.wav"),
        (f"{own}/..", "secret.wav"),
        (str(archive), "file.wav"),
        (str(archive), "foreign.wav"),
        (str(archive / "folder"), "secret.wav"),
        (str(archive / "real"), "directory.wav"),
        (str(archive), "pipe.wav"),
        (str(archive), "passwd"),
        (f"{recordings}/{pbx.domain}x", "secret.wav"),
        ("", "secret.wav"),
        ("archive", "secret.wav"),
        (str(archive), "../../../../../secret.wav"),
        (str(archive), "secret.wav\nx.wav"),
        (str(archive), "."),
        ("/etc", "passwd"),
        ("/proc/self", "environ"),
    ]
    (recordings / f"{pbx.domain}x").mkdir()
    (recordings / f"{pbx.domain}x" / "secret.wav").write_bytes(WAV)
    for folder, name in tried:
        call.tell(folder, name)
        assert missing(get(pbx.app, call.path)), (folder, name)
    call.store(WAV, "file2.wav", archive)
    assert get(pbx.app, call.path).data == WAV


def test_another_tenant_has_no_such_call(pbx: Pbx, call: Call) -> None:
    call.store()
    reply = get(pbx.app, call.path, domain=pbx.other_domain)
    assert (reply.status_code, reply.get_json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["cdr:read", "voicemails:read"], False),
        (["*:read"], False),
        (["cdr:recording"], True),
        (["cdr:*"], True),
        (["*"], True),
    ],
)
def test_who_reads_lists_of_calls_does_not_hear_them(pbx: Pbx, call: Call, scopes: list[str], may: bool) -> None:
    call.store()
    with pbx.database.writing() as session:
        key = create_key(session, name="test", scopes=scopes)[1]
    assert get(pbx.app, call.path, key=key).status_code == (200 if may else 403)
    headers = {"X-API-Key": key, "X-Domain": pbx.domain}
    made = pbx.app.test_client().post(f"{call.path}/link", headers=headers, json={})
    assert made.status_code == (200 if may else 403)


MESSAGE = """
select m.voicemail_message_uuid, m.voicemail_uuid, v.voicemail_id
  from v_voicemail_messages as m
  join v_voicemails as v using (voicemail_uuid)
  join v_domains as d on d.domain_uuid = v.domain_uuid
 where d.domain_name = %(domain)s and coalesce(m.message_status, '') = %(status)s
 order by 1
"""


def audio_path(row: Mapping[str, Any], box: Any = None) -> str:
    return f"/api/v1/voicemails/{box or row['voicemail_uuid']}/messages/{row['voicemail_message_uuid']}/audio"


def test_a_message_is_heard_from_its_file(pbx: Pbx) -> None:
    first, second = pbx.rows(MESSAGE, domain=pbx.domain, status="")[:2]
    for row, ending, content, media in ((first, "wav", WAV, "audio/wav"), (second, "mp3", MP3, "audio/mpeg")):
        box = pbx.folders["voicemail"] / "default" / pbx.domain / row["voicemail_id"]
        box.mkdir(parents=True, exist_ok=True)
        assert "moved or deleted" in missing(get(pbx.app, audio_path(row)))
        (box / f"msg_{row['voicemail_message_uuid']}.{ending}").write_bytes(content)
        php = urlencode({"uuid": row["voicemail_uuid"], "voicemail_message_uuid": row["voicemail_message_uuid"]})
        for path in (audio_path(row), f"/api/v1/voicemails/audio.php?{php}"):
            reply = get(pbx.app, path)
            assert (reply.status_code, reply.data, reply.content_type) == (200, content, media)
        assert get(pbx.app, audio_path(row), Range="bytes=1-3").data == content[1:4]


def test_a_message_is_heard_from_the_database(pbx: Pbx) -> None:
    row = pbx.rows(MESSAGE, domain=pbx.domain, status="saved")[0]
    for content, media in ((WAV, "audio/wav"), (MP3, "audio/mpeg")):
        pbx.run(
            "update v_voicemail_messages set message_base64 = %(text)s where voicemail_message_uuid = %(uuid)s",
            text=base64.b64encode(content).decode(),
            uuid=row["voicemail_message_uuid"],
        )
        reply = get(pbx.app, audio_path(row))
        assert (reply.status_code, reply.data, reply.content_type) == (200, content, media)
        assert get(pbx.app, audio_path(row), Range="bytes=10-19").data == content[10:20]
        assert get(pbx.app, audio_path(row), If_None_Match=reply.headers["ETag"]).status_code == 304


def test_a_message_that_is_on_its_way_out_or_anothers_is_not_there(pbx: Pbx) -> None:
    gone = pbx.rows(MESSAGE, domain=pbx.domain, status="deleted")[0]
    there = pbx.rows(MESSAGE, domain=pbx.domain, status="")[0]
    foreign = pbx.rows(MESSAGE, domain=pbx.other_domain, status="")[0]
    other_box = row_of(
        pbx,
        "select voicemail_uuid from v_voicemails join v_domains using (domain_uuid)"
        " where domain_name = %(domain)s and voicemail_uuid <> %(own)s",
        domain=pbx.domain,
        own=there["voicemail_uuid"],
    )["voicemail_uuid"]
    own_box = there["voicemail_uuid"]
    for path in (
        audio_path(gone),
        audio_path(foreign),
        audio_path(there, other_box),
        audio_path(foreign, own_box),
    ):
        for method, place in (("GET", path), ("POST", f"{path}/link")):
            reply = pbx.app.test_client().open(
                place, method=method, headers={"X-API-Key": API_KEY, "X-Domain": pbx.domain}, json={}
            )
            assert (reply.status_code, reply.get_json()["error"]["code"]) == (404, "NOT_FOUND"), place


def test_a_message_has_to_be_named_by_its_uuid(pbx: Pbx) -> None:
    box = pbx.rows(MESSAGE, domain=pbx.domain, status="")[0]["voicemail_uuid"]
    for path, code in (
        (f"voicemails/audio.php?uuid={box}", "MISSING_UUID"),
        (f"voicemails/audio.php?uuid={box}&voicemail_message_uuid=7", "VALIDATION_ERROR"),
        (f"voicemails/{box}/messages/7/audio", "VALIDATION_ERROR"),
        (f"voicemails/{box}/messages/{'a' * 36}/audio", "VALIDATION_ERROR"),
    ):
        error = get(pbx.app, f"/api/v1/{path}").get_json()["error"]
        assert (error["code"], error["field"]) == (code, "voicemail_message_uuid")


def link_of(pbx: Pbx, path: str, **body: Any) -> Any:
    headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain}
    return pbx.app.test_client().post(f"{path}/link", headers=headers, json=body).get_json()


def test_a_link_is_good_without_a_key_until_it_ends(pbx: Pbx, call: Call) -> None:
    call.store()
    before = int(time.time())
    data = link_of(pbx, call.path, seconds=60)["data"]
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before + 60))
    assert end <= data["expires_at"] <= end[:-1] + "~"
    assert data["url"].startswith(call.path + "?")
    assert get(pbx.app, data["url"], key=None).data == WAV
    assert get(pbx.app, data["url"], key=None, Range="bytes=0-9").data == WAV[:10]
    assert get(pbx.app, data["url"], key=None, method="HEAD").status_code == 200
    with pbx.database.writing() as session:
        domain = UUID(dict(parse_qsl(urlsplit(data["url"]).query))["domain"])
        late = sign_link(
            session, call.path, domain_uuid=domain, scope="cdr:recording", key_id="system", seconds=-1
        )
    ended = get(pbx.app, url_of(late), key=None)
    assert (ended.status_code, ended.get_json()["error"]["message"]) == (401, "The link has ended")


def test_a_link_to_a_message(pbx: Pbx) -> None:
    row = pbx.rows(MESSAGE, domain=pbx.domain, status="saved")[0]
    pbx.run(
        "update v_voicemail_messages set message_base64 = %(text)s where voicemail_message_uuid = %(uuid)s",
        text=base64.b64encode(WAV).decode(),
        uuid=row["voicemail_message_uuid"],
    )
    url = link_of(pbx, audio_path(row))["data"]["url"]
    assert url.startswith(audio_path(row) + "?")
    assert get(pbx.app, url, key=None).data == WAV


def test_a_link_opens_nothing_but_what_it_was_made_for(pbx: Pbx, call: Call) -> None:
    call.store()
    url = link_of(pbx, call.path)["data"]["url"]
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    other = row_of(pbx, "select domain_uuid from v_domains where domain_name = %(name)s", name=pbx.other_domain)
    changes = [
        {"domain": str(other["domain_uuid"])},
        {"scope": "*"},
        {"scope": "cdr:recording\n"},
        {"key": str(uuid4())},
        {"expires": str(int(query["expires"]) + 1)},
        {"signature": query["signature"][:-1] + ("0" if query["signature"][-1] != "0" else "1")},
        {"signature": ""},
        {"signature": "\u00fc"},
    ]
    for change in changes:
        reply = get(pbx.app, f"{parts.path}?{urlencode({**query, **change})}", key=None)
        assert (reply.status_code, reply.get_json()["error"]["message"]) == (401, "Invalid link"), change
    for name in query:
        without = urlencode({known: value for known, value in query.items() if known != name})
        assert get(pbx.app, f"{parts.path}?{without}", key=None).status_code == 401
    others = ("cdr", f"cdr/{call.uuid}", f"cdr/{uuid4()}/recording", "extensions")
    for path in (f"/api/v1/{other}" for other in others):
        assert get(pbx.app, f"{path}?{parts.query}", key=None).status_code == 401
    for method, path in (("POST", f"{call.path}/link"), ("POST", call.path), ("DELETE", call.path)):
        assert get(pbx.app, f"{path}?{parts.query}", key=None, method=method).status_code == 401
    assert get(pbx.app, url, key="wrong").status_code == 401


def test_how_long_a_link_lives_is_bounded(pbx: Pbx, call: Call) -> None:
    for seconds in (0, 9, 86_401, -1, "60", True, 1.5):
        reply = link_of(pbx, call.path, seconds=seconds)
        assert (reply["success"], reply["error"]["field"]) == (False, "seconds"), seconds


def test_all_links_can_be_ended_at_once(pbx: Pbx, call: Call) -> None:
    call.store()
    url = link_of(pbx, call.path)["data"]["url"]
    assert get(pbx.app, url, key=None).status_code == 200
    with pbx.database.writing() as session:
        revoke_links(session)
    end = time.monotonic() + 2
    while get(pbx.app, url, key=None).status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1.1)
    assert get(pbx.app, link_of(pbx, call.path)["data"]["url"], key=None).status_code == 200


@pytest.fixture(scope="module")
def accelerated(pbx: Pbx) -> Iterator[Flask]:
    """The same, which hands files to nginx."""
    app = create_app(replace(pbx.config, accel=True), pbx.app.extensions["pbxapi"].ask)
    yield app
    app.extensions["pbxapi"].database.close()


def test_a_file_is_handed_to_nginx(pbx: Pbx, accelerated: Flask, call: Call) -> None:
    path = call.store(WAV, "c \u00fc%.wav")
    reply = get(accelerated, call.path)
    place = "/_pbxapi_files/recordings/pbx.example.com/archive/2026/Nov/26/c%20%C3%BC%25.wav"
    assert (reply.status_code, reply.data, reply.headers["X-Accel-Redirect"]) == (200, b"", place)
    assert reply.content_type == "audio/wav"
    path.unlink()
    assert "moved or deleted" in missing(get(accelerated, call.path))


def test_nginx_may_read_what_the_api_may_not(
    pbx: Pbx, accelerated: Flask, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = call.store()

    def barred(root: Path, relative: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sounds, "open_file", barred)
    assert get(accelerated, call.path).headers["X-Accel-Redirect"].endswith("/call.wav")
    assert "PBXAPI_ACCEL" in missing(get(pbx.app, call.path))
    path.unlink()
    assert "moved or deleted" in missing(get(accelerated, call.path))
    call.tell(f"{pbx.folders['recordings']}/{pbx.other_domain}", "call.wav")
    assert "does not lie in the domain's folder" in missing(get(accelerated, call.path))


NGINX = """
pid {folder}/nginx.pid; error_log stderr; daemon off; master_process off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /api/v1/ {{ proxy_pass http://127.0.0.1:{api}; }}
        location /_pbxapi_files/recordings/ {{ internal; alias {recordings}/; }}
    }}
}}
"""


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_sends_the_file_and_parts_of_it(accelerated: Flask, pbx: Pbx, call: Call, tmp_path: Path) -> None:
    call.store(WAV, "c \u00fc%.wav")
    port = claim_port(None)
    api = make_server("127.0.0.1", 0, accelerated, threaded=True)
    threading.Thread(target=api.serve_forever).start()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        NGINX.format(folder=tmp_path, port=port, api=api.port, recordings=pbx.folders["recordings"])
    )
    nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        host = f"http://127.0.0.1:{port}"
        url = host + link_of(pbx, call.path)["data"]["url"]
        end = time.monotonic() + 10
        while True:
            try:
                whole = requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, WAV, "audio/wav")
        part = requests.get(url, headers={"Range": "bytes=5-14"}, timeout=5)
        assert (part.status_code, part.content) == (206, WAV[5:15])
        assert "X-Accel-Redirect" not in whole.headers
        direct = requests.get(f"{host}/_pbxapi_files/recordings/{pbx.domain}/call.wav", timeout=5)
        assert direct.status_code == 404
    finally:
        nginx.terminate()
        nginx.wait()
        api.shutdown()
        api.server_close()
