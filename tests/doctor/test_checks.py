"""Each check finds what is wrong when it is, and nothing when it is not."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from cryptography import x509
from flask import Flask
from werkzeug.serving import make_server

from pbxapi.data import inspection
from pbxapi.doctor import web
from pbxapi.doctor.checkup import Host, examine
from pbxapi.plugin.indexes import recommended_indexes
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Pbx

from .conftest import BY_NAME, Look, levels, said


def test_the_driver_of_postgresql_is_told_where_it_is_the_slow_one(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(look("programs")) == {"ok"}
    monkeypatch.setattr(psycopg.pq, "__impl__", "python")
    assert "pip install 'psycopg[binary]'" in said(look("programs"), "warn")


def test_a_configuration_that_everybody_can_read(host: Host, look: Look, tmp_path: Path) -> None:
    assert levels(look("config.conf")) == {"skip"}
    host.conf_path = tmp_path / "config.conf"
    host.conf_path.touch(mode=0o640)
    assert levels(look("config.conf")) == {"ok"}
    host.conf_path.chmod(0o664)
    assert "chmod 640" in said(look("config.conf"), "warn")


def test_a_database_that_does_not_answer_or_lets_us_do_everything(pbx: Pbx, look: Look) -> None:
    assert levels(look("postgresql")) == {"ok"}
    everything = look("postgresql", database_url=pbx.superuser_url)
    assert "the role postgres may do everything" in said(everything, "warn")
    away = look("postgresql", database_url="postgresql://nobody:geheim@127.0.0.1:1/none")
    assert levels(away) == {"fail"}
    assert "geheim" not in said(away, "fail")


def test_a_right_that_is_missing_and_given_again(
    pbx: Pbx, host: Host, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(look("rights")) == {"ok"}
    pbx.run("revoke select, update on v_extensions from pbxapi")
    assert "v_extensions" in said(look("rights"), "fail")
    monkeypatch.setenv("PBXAPI_ADMIN_DATABASE_URL", pbx.superuser_url)
    assert {finding.level for _, finding in examine(host, [replace(BY_NAME["rights"], needs=())], fix=True)} == {
        "ok"
    }
    assert pbx.client.list("extensions")


def test_a_replica_takes_no_writes(look: Look) -> None:
    with EmbeddedPostgres.temporary(settings={"wal_level": "replica"}) as server:
        with psycopg.connect(server.url) as connection:
            row = connection.execute("show data_directory").fetchone()
        assert row is not None
        server.stop()
        (Path(row[0]) / "standby.signal").touch()
        server.start()
        assert "it is a replica" in said(look("postgresql", database_url=server.url), "fail")


def test_a_version_that_is_not_tested(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbxapi.doctor.storage.SUPPORTED", range(13, 14))
    assert "is not supported" in said(look("postgresql"), "fail")


def test_a_migration_that_is_not_applied_or_not_known(pbx: Pbx, look: Look) -> None:
    assert levels(look("migrations")) == {"ok"}
    (row,) = pbx.rows("select * from pbxapi.migration where owner = 'pbxapi' order by name desc limit 1")
    pbx.run("delete from pbxapi.migration where owner = 'pbxapi' and name = %(name)s", name=row["name"])
    try:
        assert f"lacks pbxapi/{row['name']} > pbxapi migrate" in said(look("migrations"), "fail")
        pbx.run("insert into pbxapi.migration (owner, name, checksum) values ('pbxapi', '9999_x', 'x')")
        assert "9999_x" in said(look("migrations"), "fail")
    finally:
        pbx.run("delete from pbxapi.migration where name = '9999_x'")
        pbx.run(
            "insert into pbxapi.migration (owner, name, checksum) values ('pbxapi', %(name)s, %(checksum)s)",
            name=row["name"],
            checksum=row["checksum"],
        )


def test_a_server_that_takes_any_password(postgres: EmbeddedPostgres, look: Look) -> None:
    assert levels(look("passwords")) == {"ok"}
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        row = connection.execute("show hba_file").fetchone()
        assert row is not None
        rules = Path(row[0])
        before = rules.read_text()
        try:
            rules.write_text("host all all 127.0.0.1/32 trust\n" + before)
            connection.execute("select pg_reload_conf()")
            end = time.monotonic() + 10
            while "takes any password" not in said(look("passwords"), "warn"):
                assert time.monotonic() < end
        finally:
            rules.write_text(before)
            connection.execute("select pg_reload_conf()")


@pytest.mark.filterwarnings("ignore")
def test_a_publication_of_all_tables_and_a_subscription(pbx: Pbx, look: Look) -> None:
    assert levels(look("replication")) == {"ok"}
    with psycopg.connect(pbx.superuser_url, autocommit=True) as connection:
        connection.execute("create publication everything for all tables")
        connection.execute(
            "create subscription other connection 'host=127.0.0.1 port=1 dbname=x' publication everything"
            " with (connect = false)"
        )
        try:
            told = said(look("replication"), "warn")
        finally:
            connection.execute("alter subscription other set (slot_name = none)")
            connection.execute("drop subscription other")
            connection.execute("drop publication everything")
    assert "the publication everything is for all tables" in told
    assert "subscribes to other" in told


def test_a_missing_index_comes_with_the_statement_that_makes_it(host: Host, pbx: Pbx, look: Look) -> None:
    wanted = recommended_indexes(host.registry)
    told = said(look("indexes"), "warn")
    assert len(wanted) > 3
    with psycopg.connect(pbx.superuser_url, autocommit=True) as connection:
        for name, statement in wanted.items():
            assert f"{name} is missing > {statement};" in told
            connection.execute(statement.encode())
    assert levels(look("indexes")) == {"ok"}


def test_a_backup_that_is_missing_or_old(host: Host, look: Look) -> None:
    assert "pbxapi backup" in said(look("backup"), "warn")
    dump = host.path("/var/backups/pbxapi/pbxapi.dump")
    dump.parent.mkdir(parents=True)
    dump.touch()
    assert levels(look("backup")) == {"ok"}
    week_ago = time.time() - 7 * 86400
    os.utime(dump, (week_ago, week_ago))
    assert "is 7 days old" in said(look("backup"), "warn")


def test_a_redis_that_forgets_keeps_nothing_or_asks_for_no_password(pbx: Pbx, look: Look) -> None:
    assert levels(look("redis")) == {"ok"}
    assert levels(look("redis", redis_url="redis://127.0.0.1:1/0")) == {"fail"}
    with redis.Redis.from_url(pbx.config.redis_url) as server:
        password = server.config_get("requirepass")["requirepass"]
        server.config_set("maxmemory-policy", "allkeys-lru")
        server.config_set("appendonly", "no")
        server.config_set("requirepass", "")
        try:
            open_to_all = "redis://" + pbx.config.redis_url.rpartition("@")[2]
            found = look("redis", redis_url=open_to_all)
        finally:
            server.config_set("maxmemory-policy", "noeviction")
            server.config_set("appendonly", "yes")
            server.config_set("requirepass", password)
    assert "maxmemory-policy is allkeys-lru" in said(found, "fail")
    assert "appendonly is no" in said(found, "warn")
    assert "it asks for no password" in said(found, "warn")


def test_clocks_that_are_apart(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(look("clocks")) == {"ok"}
    late = time.time
    monkeypatch.setattr(inspection.time, "time", lambda: late() + 60)
    assert "PostgreSQL is 60.0 s behind" in said(look("clocks"), "fail")


def test_a_variable_with_a_slip_in_its_name(look: Look) -> None:
    assert levels(look("environment")) == {"ok"}
    found = look("environment", environment={"PBXAPI_REDIS_ULR": "redis://x", "PBXAPI_OF_NOBODY_AT_ALL": "1"})
    assert "PBXAPI_REDIS_ULR is no setting > did you mean PBXAPI_REDIS_URL?" in said(found, "warn")
    assert "PBXAPI_OF_NOBODY_AT_ALL is no setting" in said(found, "warn")


def test_a_cache_that_is_not_the_same_everywhere(host: Host, look: Look) -> None:
    ours: dict[str, Any] = {"cache_method": None, "cache_location": None}
    assert levels(look("cache", **ours)) == {"ok"}
    host.conf = {"cache.method": "memcache", "cache.location": "/var/cache/fusionpbx"}
    told = said(look("cache", **ours), "warn")
    assert "the cache's method is not the same everywhere (config.conf: memcache, settings: file)" in told
    assert "the cache's location" in told


def test_an_event_socket_that_is_away_or_bars_us(pbx: Pbx, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "calls itself switch1" in said(look("event socket"), "ok")
    assert "does not let this host in" in said(look("event socket", esl_password="wrong"), "fail")
    assert "does not answer" in said(look("event socket", esl_port=1), "fail")
    monkeypatch.setattr(pbx.switch, "switchname", "other")
    assert "its switchname is other, its host name switch1" in said(look("event socket"), "warn")


def test_a_password_of_the_event_socket_that_everybody_knows(
    pbx: Pbx, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "everybody knows (ClueCon)" in said(look("event socket"), "warn")
    monkeypatch.setattr(pbx.switch, "password", "a better one")
    assert levels(look("event socket", esl_password="a better one")) == {"ok"}


EVENT_SOCKET = """
<configuration name="event_socket.conf" description="Socket Client">
  <settings>
    <param name="listen-ip" value="{listens}"/>
    <!-- <param name="apply-inbound-acl" value="loopback.auto"/> -->
    {acl}
  </settings>
</configuration>
"""


@pytest.mark.parametrize(
    ("listens", "acl", "level", "told"),
    [
        ("127.0.0.1", "", "ok", "lets in this host alone"),
        ("::", "", "ok", "lets in this host alone"),
        ("0.0.0.0", "loopback.auto", "ok", "lets in this host alone"),
        ("0.0.0.0", "workers", "ok", "listens on 0.0.0.0, and lets in workers"),
        ("10.1.2.3", "lan", "warn", "listens on 10.1.2.3, and lan lets in whoever knows its password"),
    ],
)
def test_whom_the_access_list_of_the_event_socket_lets_in(
    host: Host, pbx: Pbx, look: Look, listens: str, acl: str, level: str, told: str
) -> None:
    pbx.switch.access_lists |= {"workers": [ip_network("10.1.2.0/24")], "lan": [ip_network("0.0.0.0/0")]}
    folder = host.path("/etc/freeswitch/autoload_configs")
    folder.mkdir(parents=True)
    param = acl and f'<param name="apply-inbound-acl" value="{acl}"/>'
    (folder / "event_socket.conf.xml").write_text(EVENT_SOCKET.format(listens=listens, acl=param))
    assert told in said(look("event socket"), level)


@pytest.mark.parametrize(("kind", "level"), [("text", "ok"), ("numeric", "fail")])
def test_a_flag_that_is_a_number_is_named(pbx: Pbx, look: Look, kind: str, level: str) -> None:
    def become(kind: str) -> None:
        column = "v_ring_group_destinations alter column destination_enabled"
        pbx.run(f"alter table {column} type {kind} using null::{kind}")

    become(kind)
    try:
        found = look("flags")
    finally:
        become("boolean")
    assert levels(found) == {level}
    named = "v_ring_group_destinations.destination_enabled is numeric" in said(found, "fail")
    assert named is (level == "fail")


def test_a_switch_in_another_time_zone_than_fusionpbxs_pages(
    host: Host, pbx: Pbx, look: Look, freeswitch: Callable[[int], None]
) -> None:
    etc = host.path("/etc")
    etc.mkdir(parents=True)
    assert "does not name its time zone" in said(look("time zone"), "skip")
    (etc / "timezone").write_text("Europe/Berlin\n")
    assert "no process of FreeSWITCH" in said(look("time zone"), "skip")
    freeswitch(0o007)
    host.path("/proc").symlink_to("/proc")
    assert "time zone is Europe/Berlin, that of FusionPBX's pages UTC" in said(look("time zone"), "warn")
    (etc / "localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    assert "have the same time (UTC)" in said(look("time zone"), "ok")


@pytest.fixture
def freeswitch(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """Starts a process that looks like the switch, with a umask."""
    program = tmp_path / "freeswitch"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    running: list[subprocess.Popen[bytes]] = []

    def start(umask: int) -> None:
        running.append(subprocess.Popen([program, "60"], umask=umask))
        end = time.monotonic() + 10
        while Path(f"/proc/{running[-1].pid}/comm").read_text() != "freeswitch\n" and time.monotonic() < end:
            time.sleep(0.01)

    yield start
    for process in running:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(("umask", "told"), [(0o007, False), (0o077, True)])
def test_the_user_and_the_umask_of_the_switch(
    host: Host, look: Look, freeswitch: Callable[[int], None], umask: int, told: bool
) -> None:
    assert levels(look("switch process")) == {"skip"}
    freeswitch(umask)
    host.root = Path("/")
    found = look("switch process")
    assert f"umask {umask:04o}" in said(found, "ok")
    assert ("keeps its files from its group" in said(found, "warn")) is told
    assert ("this is root" in said(found, "warn")) is (os.geteuid() == 0)


def test_folders_that_are_missing_or_cannot_be_written_to(pbx: Pbx, look: Look, tmp_path: Path) -> None:
    found = look("folders")
    assert levels(found) == {"ok"}
    assert len(found) == len(pbx.folders)
    assert [path for folder in pbx.folders.values() for path in folder.glob(".pbxapi*")] == []
    found = look("folders", recordings_dir=tmp_path / "none", voicemail_dir=Path("/sys/kernel"))
    assert f"recordings: {tmp_path}/none is not there" in said(found, "fail")
    assert "cannot write to /sys/kernel" in said(found, "fail")


def test_a_plugin_that_is_left_out(look: Look, tmp_path: Path) -> None:
    assert levels(look("plugins")) == {"ok"}
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "plugin.py").write_text("raise RuntimeError('no')\n")
    assert "the plugin broken is left out" in said(look("plugins", plugins_path=(tmp_path,)), "fail")


def test_a_node_whose_worker_is_silent_or_stuck(pbx: Pbx, look: Look) -> None:
    assert levels(look("nodes")) == {"ok"}
    pbx.run("update pbxapi.node set socket_error = 'connection refused'")
    assert "cannot go on: connection refused" in said(look("nodes"), "fail")
    pbx.run("update pbxapi.node set seen_at = seen_at - interval '2 days', socket_error = null")
    assert "has given no sign" in said(look("nodes"), "fail")
    pbx.run("update pbxapi.node set seen_at = now() + interval '1 day'")
    pbx.run("update pbxapi.node set name = name || '-gone'")
    pbx.run("update pbxapi.node set name = 'node1'")
    assert levels(look("nodes")) == {"ok"}


def test_changes_that_wait_or_have_failed(pbx: Pbx, look: Look) -> None:
    assert levels(look("changes")) == {"ok"}
    for number in ("7001", "7002"):
        pbx.client.create("extensions", extension=number)
    pbx.run("update pbxapi.change_node set created_at = now() - interval '2 hours'")
    assert "2 changes wait for node node1, the oldest for 7200 s" in said(look("changes"), "warn")
    pbx.run("update pbxapi.change_node set state = 'failed'")
    assert "2 changes have failed on node node1" in said(look("changes"), "fail")
    pbx.run("delete from pbxapi.change_node")


@contextmanager
def served(app: Flask, *, tls: bool = False, tmp_path: Path | None = None) -> Iterator[int]:
    """An application on a port of its own."""
    context = None
    if tls:
        assert tmp_path is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(tmp_path))
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


def certificate(folder: Path) -> Path:
    """One that nobody trusts, with its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pbx.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def answering(status: int) -> Flask:
    """Somebody else's program."""
    other = Flask("other")

    @other.route("/", defaults={"path": ""})
    @other.route("/<path:path>")
    def answer(path: str) -> tuple[dict[str, str], int]:
        return {"hello": path}, status

    return other


def test_who_answers_where_the_api_should(pbx: Pbx, look: Look) -> None:
    assert "systemctl status pbxapi-api" in said(look("api", bind="127.0.0.1:1"), "fail")
    assert levels(look("api", bind="unix:/nowhere/pbxapi.sock")) == {"fail"}
    with served(pbx.app) as port:
        assert levels(look("api", bind=f"127.0.0.1:{port}")) == {"ok"}
    with served(answering(404)) as port:
        assert "is not pbxapi (it says 404)" in said(look("api", bind=f"127.0.0.1:{port}"), "fail")


def test_who_answers_at_our_prefix_from_outside(
    pbx: Pbx, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "HTTP_PORT", 1)
    monkeypatch.setattr(web, "HTTPS_PORT", 1)
    assert levels(look("outside")) == {"skip"}
    for app, level, words in (
        (pbx.app, "ok", "pbxapi answers at /api/v1 on 443"),
        (answering(401), "fail", "set PBXAPI_URL_PREFIX=/pbxapi/v1"),
        (answering(502), "fail", "nginx does not reach the API (502)"),
    ):
        with served(app, tls=True, tmp_path=tmp_path) as port:
            monkeypatch.setattr(web, "HTTPS_PORT", port)
            assert words in said(look("outside"), level)
    for status, told in ((200, True), (301, True), (403, False)):
        with served(answering(status)) as port:
            monkeypatch.setattr(web, "HTTP_PORT", port)
            assert (f"port 80 answers {status}" in said(look("outside"), "warn")) is told


JAILS = """
[DEFAULT]
bantime = 1d
[nginx-dos]
enabled = true
logpath = {dos}
[nginx-404]
enabled = false
logpath = /var/log/nginx/*.log
"""


def test_a_jail_that_counts_our_requests(host: Host, look: Look) -> None:
    assert levels(look("fail2ban")) == {"skip"}
    folder = host.path("/etc/fail2ban/jail.d")
    folder.mkdir(parents=True)
    jails = folder.parent / "jail.local"
    jails.write_text(JAILS.format(dos="/var/log/nginx/access*.log"))
    assert "no jail counts the keys that are guessed" in said(look("fail2ban"), "warn")
    (folder / "pbxapi.local").write_text("[pbxapi]\nenabled = true\nbackend = systemd\n")
    assert levels(look("fail2ban")) == {"ok"}
    jails.write_text(JAILS.format(dos="/var/log/apache2/*.log\n  /var/log/nginx/*.log"))
    assert "the jail nginx-dos reads /var/log/nginx/pbxapi.log" in said(look("fail2ban"), "fail")
