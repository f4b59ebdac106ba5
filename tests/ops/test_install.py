"""ops/install.sh on a machine of its own: Debian with systemd, PostgreSQL, and what FusionPBX leaves on a host.

`make install-test` runs it. It needs root, debootstrap and systemd-nspawn, the Internet for Debian's and Python's
packages, and the ports 80, 443, 5432 and 8021 of this machine, whose network the other shares.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.switch import SwitchSimulator
from tests.ops import machine as machines
from tests.ops.host import SITE, Answer
from tests.ops.machine import Machine
from tests.plugin import written

pytestmark = [
    pytest.mark.large,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not os.environ.get("PBXAPI_INSTALL"), reason="make install-test runs it"),
    pytest.mark.skipif(bool(machines.missing()), reason=machines.missing() or "there can be a machine"),
]

KEY = "the-systems-key-0123456789abcdef"
URL = "postgresql://fusionpbx:fpbxsecret@127.0.0.1:5432/fusionpbx"

CONFIG = """\
#database system settings
database.0.type = pgsql
database.0.host = 127.0.0.1
database.0.port = 5432
database.0.sslmode = prefer
database.0.name = fusionpbx
database.0.username = fusionpbx
database.0.password = fpbxsecret
document.root = /var/www/fusionpbx
php.bin = php\x20
cache.method = file
cache.location = /var/cache/fusionpbx
switch.conf.dir = /etc/freeswitch
switch.recordings.dir = /var/lib/freeswitch/recordings
switch.voicemail.dir = /var/lib/freeswitch/storage/voicemail
"""

FOLDERS = {
    "extensions": "/etc/freeswitch/directory",
    "sip_profiles": "/etc/freeswitch/sip_profiles",
    "dialplan": "/etc/freeswitch/dialplan",
    "voicemail": "/var/lib/freeswitch/storage/voicemail",
    "recordings": "/var/lib/freeswitch/recordings",
    "cache": "/var/cache/fusionpbx",
}

INSTALL = "bash /src/ops/install.sh"


def own_address() -> str:
    """One of this machine's addresses that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


@dataclass
class FusionPbxHost:
    """A machine with a FusionPBX, as an operator has it before us."""

    machine: Machine

    def ask(self, method: str, path: str, body: Any = None, *, port: int = 443, **headers: str) -> Answer:
        """One request from outside."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if port == 443:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=90, context=context)
        else:
            # FusionPBX has a block of its own for 127.0.0.1.
            connection = http.client.HTTPConnection(own_address(), port, timeout=90)  # type: ignore[assignment]
        sent = {"Host": "pbx.example.com", "X-API-Key": KEY, "X-Domain": sample.DOMAIN, **headers}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def database(self) -> str:
        """Everything in FusionPBX's database but rows: tables, rights, roles."""
        dump = (
            "runuser -u postgres -- pg_dump -s fusionpbx; runuser -u postgres -- pg_dumpall -g --no-role-passwords"
        )
        # Each dump has a key of its own in these lines.
        return re.sub(r"^\\(un)?restrict .*$", "", self.machine.run(dump).stdout, flags=re.M)

    def run(self, script: str) -> str:
        return self.machine.run(script).stdout


@pytest.fixture(scope="module")
def host() -> Iterator[FusionPbxHost]:
    root = machines.root_of(os.environ["PBXAPI_INSTALL"])
    with Machine(root) as machine:
        machine.run(
            "runuser -u postgres -- psql -q -c \"create role fusionpbx superuser login password 'fpbxsecret'\" "
            '-c "create database fusionpbx"'
        )
        create_schema(URL)
        for place in FOLDERS.values():
            machine.run(f"mkdir -p {place} && chown -R www-data:www-data {place}")
        machine.run("chown -R www-data:www-data /etc/freeswitch /var/lib/freeswitch; mkdir -p /var/www/fusionpbx")
        sample.fill(URL, key=KEY, xml_dirs={name: Path(place) for name, place in FOLDERS.items()})
        machine.put("/etc/fusionpbx/config.conf", CONFIG, 0o664)
        machine.put("/var/www/fusionpbx/index.html", "FusionPBX's page\n")
        site = SITE.replace("@LOGS@", "/var/log/nginx").replace("@WWW@", "/var/www/fusionpbx")
        machine.put("/etc/nginx/sites-available/fusionpbx", site.replace("@PHP@", "9"))
        machine.run(
            "ln -s /etc/nginx/sites-available/fusionpbx /etc/nginx/sites-enabled/; "
            "ln -s /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/ssl/certs/nginx.crt; "
            "ln -s /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/private/nginx.key; systemctl restart nginx"
        )
        inside = {name: machine.files / place.lstrip("/") for name, place in FOLDERS.items()}
        with SwitchSimulator(
            directory_dir=inside["extensions"],
            sip_profiles_dir=inside["sip_profiles"],
            dialplan_dir=inside["dialplan"],
            port=8021,
            hostname="pbx1",
            database_url=URL,
            cache_dir=inside["cache"],
        ):
            yield FusionPbxHost(machine)


@pytest.fixture(scope="module")
def before(host: FusionPbxHost) -> tuple[dict[str, str], str]:
    """The machine and its database before us."""
    return host.machine.tree(), host.database()


@pytest.fixture(scope="module")
def installed(host: FusionPbxHost, before: object) -> FusionPbxHost:
    started = time.monotonic()
    print(host.run(INSTALL), f"{time.monotonic() - started:.0f} s")
    return host


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This release as a wheel, as it lies on an index."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pbxapi", "plugins", "sql", "ops"):
        shutil.copytree(machines.SOURCES / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(machines.SOURCES / name, source)
    own = machines.SOURCES / ".uv" / "bin" / "uv"
    uv = own if own.exists() else "uv"  # as the Makefile has it
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", source / "dist", source], check=True)
    (made,) = (source / "dist").glob("*.whl")
    return made


def differences(old: dict[str, str], new: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    return {name: (old.get(name), new.get(name)) for name in old | new if old.get(name) != new.get(name)}


def test_a_dry_run_prints_every_step_and_changes_nothing(
    host: FusionPbxHost, before: tuple[dict[str, str], str]
) -> None:
    said = host.run(f"{INSTALL} --dry-run")
    for word in (
        "packages",
        "user",
        "settings",
        "release",
        "role",
        "tables",
        "Redis",
        "units",
        "nginx",
        "fail2ban",
    ):
        assert re.search(f"^do    .*{word}", said, re.M), said
    assert "add to the site file: \tinclude /etc/nginx/snippets/pbxapi.conf;" in said
    assert not differences(before[0], host.machine.tree())
    assert host.database() == before[1]


def test_the_api_answers_through_nginx(installed: FusionPbxHost) -> None:
    answer = installed.ask("GET", "/api/v1/extensions?per_page=1")
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["success"] is True
    assert installed.ask("GET", "/api/v1/extensions/list.php?per_page=1").status == 200
    assert installed.ask("GET", "/api/v1/extensions", **{"X-API-Key": "pbx_wrong"}).status == 401
    assert installed.ask("POST", "/api/v1/devices/x/provision", {}, port=80).status == 403
    assert installed.ask("GET", "/index.html").body == b"FusionPBX's page\n"


def test_a_write_reaches_the_switch_as_the_switchs_user(installed: FusionPbxHost) -> None:
    answer = installed.ask("POST", "/api/v1/extensions", {"extension": "7501"}, Prefer="wait=30")
    assert (answer.status, answer.headers["X-Change-State"]) == (201, "applied"), answer.body
    file = installed.run("stat -c '%U:%G %a' /etc/freeswitch/directory/*/v_7501.xml").strip()
    assert file == "www-data:www-data 660"


def test_every_process_has_its_user_and_no_other_rights(installed: FusionPbxHost) -> None:
    users = {}
    for unit in ("pbxapi-api", "pbxapi-worker", "pbxapi-jobs", "redis-server@pbxapi"):
        pid = installed.run(f"systemctl show -p MainPID --value {unit}").strip()
        status = installed.run(f"cat /proc/{pid}/status")
        users[unit] = installed.run(f"stat -c %U:%G /proc/{pid}").strip()
        assert re.search(r"^NoNewPrivs:\t1$", status, re.M), unit
        assert re.search(r"^CapEff:\t0+$", status, re.M), unit
    assert users == {
        "pbxapi-api": "pbxapi:pbxapi",
        "pbxapi-worker": "www-data:www-data",
        "pbxapi-jobs": "pbxapi:pbxapi",
        "redis-server@pbxapi": "redis:pbxapi",
    }
    assert installed.run("stat -c '%U:%G %a' /run/pbxapi/api.sock").strip() == "pbxapi:www-data 660"
    assert installed.run("stat -c '%G %a' /run/redis-pbxapi/redis-server.sock").strip() == "pbxapi 770"
    assert installed.run("stat -c '%U:%G %a' /etc/pbxapi/pbxapi.env").strip() == "root:pbxapi 640"
    refused = "runuser -u www-data -- test -r /etc/pbxapi/pbxapi.env"
    assert installed.machine.run(refused, check=False).returncode == 1
    redis = "redis-cli -s /run/redis-pbxapi/redis-server.sock"
    assert installed.run(f"{redis} config get maxmemory-policy").split() == ["maxmemory-policy", "noeviction"]
    assert installed.run(f"{redis} config get appendonly").split() == ["appendonly", "yes"]
    assert not installed.machine.run("ss -tln | grep ':6379 '", check=False).stdout


def test_no_process_can_do_more_to_the_host_than_it_needs(installed: FusionPbxHost) -> None:
    """Looked at from inside of each service's own view of the file system, as root."""
    for unit, its in (
        ("pbxapi-api", False),
        ("pbxapi-jobs", False),
        ("pbxapi-worker", True),
        ("redis-server@pbxapi", False),
    ):
        pid = installed.run(f"systemctl show -p MainPID --value {unit}").strip()
        for script, possible in (
            ("touch /usr/pbxapi-was-here", False),
            ("touch /etc/nginx/pbxapi-was-here", False),
            ("touch /opt/pbxapi/pbxapi-was-here", False),
            ("touch /etc/freeswitch/directory/x && rm /etc/freeswitch/directory/x", its),
            ("touch /var/cache/fusionpbx/x && rm /var/cache/fusionpbx/x", its),
            *((("ls /var/lib/freeswitch/recordings", its),) if unit.startswith("pbxapi-") else ()),
        ):
            done = installed.machine.run(f"nsenter -t {pid} -m sh -c '{script}'", check=False)
            assert (done.returncode == 0) is possible, (unit, script, done.stdout)


def test_a_second_host_does_not_take_the_password_from_the_first(installed: FusionPbxHost) -> None:
    settings = "/etc/pbxapi/pbxapi.env"
    installed.run(f"cp -p {settings} /root/first.env; sed -i 's|//pbxapi:[^@]*@|//pbxapi:another@|' {settings}")
    try:
        refused = installed.machine.run(INSTALL, check=False)
        assert refused.returncode != 0
        assert "The role pbxapi has another password than /etc/pbxapi/pbxapi.env" in refused.stdout
    finally:
        installed.run(f"cp -p /root/first.env {settings}")
    assert installed.ask("GET", "/api/v1/extensions?per_page=1").status == 200


def test_there_is_a_backup_from_the_first_day(installed: FusionPbxHost) -> None:
    assert installed.run("stat -c '%U %a' /var/backups/pbxapi/*.backup").strip() == "root 600"
    assert "pbxapi-backup.timer" in installed.run("systemctl list-timers --no-pager")


def test_a_guessed_key_is_counted_by_the_jail(installed: FusionPbxHost) -> None:
    for _ in range(3):
        assert installed.ask("GET", "/api/v1/extensions", **{"X-API-Key": "pbx_guessed"}).status == 401
    end = time.monotonic() + 60
    while True:
        # fail2ban leaves out addresses of the host itself, so its filter is asked.
        lines = "journalctl -o short-iso -u pbxapi-api --no-pager > /tmp/api.log; "
        said = installed.run(f"{lines} fail2ban-regex systemd-journal /etc/fail2ban/filter.d/pbxapi.conf")
        if (found := re.search(r"(\d+) matched", said)) and int(found[1]) >= 3:
            break
        assert time.monotonic() < end, said
        time.sleep(1)
    assert "Journal matches:\t_SYSTEMD_UNIT=pbxapi-api.service" in installed.run("fail2ban-client status pbxapi")


def test_the_database_and_redis_may_be_started_anew(installed: FusionPbxHost) -> None:
    units = "pbxapi-api pbxapi-worker pbxapi-jobs"
    pids = installed.run(f"systemctl show -p MainPID --value {units}")
    installed.run("systemctl restart postgresql redis-server@pbxapi; sleep 3")
    end = time.monotonic() + 60
    while (
        answer := installed.ask("POST", "/api/v1/extensions", {"extension": "7502"}, Prefer="wait=30")
    ).status == 503:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert (answer.status, answer.headers["X-Change-State"]) == (201, "applied"), answer.body
    assert installed.run(f"systemctl show -p MainPID --value {units}") == pids


def test_a_second_run_changes_nothing(installed: FusionPbxHost) -> None:
    tree, database = installed.machine.tree(), installed.database()
    pids = installed.run("systemctl show -p MainPID --value pbxapi-api pbxapi-worker nginx")
    said = installed.run(INSTALL)
    assert "nothing to do: everything is in place" in said
    assert "\ndo " not in said
    changed = differences(tree, installed.machine.tree())
    assert [name for name in changed if not name.startswith("var/lib/redis-pbxapi/")] == []  # Redis is at work
    assert installed.database() == database
    assert installed.run("systemctl show -p MainPID --value pbxapi-api pbxapi-worker nginx") == pids


def test_doctor_finds_nothing_that_does_not_work(installed: FusionPbxHost) -> None:
    said = installed.machine.run("cd / && pbxapi doctor", check=False)
    print(said.stdout)
    assert said.returncode == 0
    assert not re.findall(r"^fail .*", said.stdout, re.M), said.stdout


@contextmanager
def traffic(host: FusionPbxHost) -> Iterator[dict[int, int]]:
    """Requests one after the other, a quarter of them writes; how many got which status."""
    statuses: dict[int, int] = {}
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            number = next(numbers)
            write = number % 4 == 0
            answer = host.ask(
                "POST" if write else "GET",
                f"/api/v1/{'call-block' if write else 'extensions?per_page=1'}",
                {"call_block_number": f"{number:08d}"} if write else None,
            )
            statuses[answer.status] = statuses.get(answer.status, 0) + 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield statuses
    finally:
        over.set()
        asking.join()
        print(statuses)


numbers = itertools.count(1)


def main_pid(host: FusionPbxHost) -> str:
    return host.run("systemctl show -p MainPID --value pbxapi-api").strip()


def test_where_a_unit_has_changed_the_api_is_restarted_and_refuses_no_request(installed: FusionPbxHost) -> None:
    """A reload would keep the rights that the service was started with."""
    unit = "/etc/systemd/system/pbxapi-api.service"
    right = installed.run(f"cat {unit}")
    before = main_pid(installed)
    installed.run(f"sed -i 's/^NoNewPrivileges=.*/NoNewPrivileges=no/' {unit}; systemctl daemon-reload")
    with traffic(installed) as statuses:
        said = installed.run(INSTALL)
    print(said)
    assert re.findall("^do    (.*)", said, re.M) == [
        "units pbxapi-api, pbxapi-worker, pbxapi-jobs, pbxapi-backup",
        "services enabled and running",
    ]
    assert installed.run(f"cat {unit}") == right
    assert main_pid(installed) != before
    assert installed.run("systemctl show -p NRestarts --value pbxapi-api").strip() == "0"
    stopped = installed.run("journalctl -u pbxapi-api -o cat --no-pager | grep -c '^Stopped pbxapi-api'")
    assert int(stopped) == 1
    assert set(statuses) == {200, 201}


def test_an_upgrade_refuses_no_request(installed: FusionPbxHost) -> None:
    """One that a plugin cannot be migrated for stops, and the release before it serves on until that is mended."""
    installed.run(
        "mkdir /tmp/next; cd /src; cp -r pbxapi plugins sql ops docs *.toml uv.lock *.md LICENSE /tmp/next"
    )
    installed.run("sed -i 's/^__version__ = .*/__version__ = \"99.0.0\"/' /tmp/next/pbxapi/__init__.py")
    plugins, settings = "/srv/plugins", "/etc/pbxapi/pbxapi.env"
    plugin = written.write_plugin(
        installed.machine.files / plugins.lstrip("/"), "notes", migration="create table note (u nonsense);"
    )
    before = main_pid(installed)
    installed.run(f"cp -p {settings} /root/first.env; echo PBXAPI_PLUGINS_PATH={plugins} >>{settings}")
    with traffic(installed) as statuses:
        stopped = installed.machine.run("bash /tmp/next/ops/install.sh", check=False)
        assert stopped.returncode == 1
        assert "pbxapi: the plugin notes is not migrated: " in stopped.stdout
        assert stopped.stdout.splitlines()[-1].startswith("install.sh: nothing was taken out of service.")
        assert "/releases/99.0.0-" not in installed.run("readlink /opt/pbxapi/current")
        assert main_pid(installed) == before
        shutil.rmtree(plugin)
        installed.run(f"cp -p /root/first.env {settings}")
        said = installed.run("bash /tmp/next/ops/install.sh")
    print(stopped.stdout, said)
    assert set(statuses) == {200, 201}
    assert installed.run("pbxapi --version").strip().endswith("99.0.0")
    assert "/releases/99.0.0-" in installed.run(f"tr '\\0' ' ' < /proc/{main_pid(installed)}/cmdline")
    assert installed.run("systemctl show -p NRestarts --value pbxapi-api").strip() == "0"
    assert "nothing to do" in installed.run("bash /opt/pbxapi/current/ops/install.sh")
    installed.run(
        f"rm -r {plugins}; runuser -u postgres -- psql -q fusionpbx -c 'drop schema if exists plugin_notes'"
    )


def test_data_that_was_kept_are_served_by_the_next_installation(installed: FusionPbxHost) -> None:
    installed.run("pbxapi keys create kept --every-domain --scope '*' > /root/key")
    installed.run("bash /opt/pbxapi/current/ops/install.sh --uninstall --keep-data")
    assert not (installed.machine.files / "opt/pbxapi").exists()
    assert (installed.machine.files / "etc/pbxapi/pbxapi.env").exists()
    print(installed.run(INSTALL))
    key = installed.run("grep -o 'pbx_[A-Za-z0-9]*' /root/key").strip()
    assert installed.ask("GET", "/api/v1/extensions?per_page=1", **{"X-API-Key": key}).status == 200


def test_an_uninstallation_leaves_no_trace(installed: FusionPbxHost, before: tuple[dict[str, str], str]) -> None:
    said = installed.run("bash /opt/pbxapi/current/ops/install.sh --uninstall")
    print(said)
    left = differences(before[0], installed.machine.tree())
    # The copies that Debian's tools make of the lists of users before each change.
    left = {
        name: states for name, states in left.items() if not re.fullmatch(r"etc/(passwd|group|g?shadow)-", name)
    }
    made_meanwhile = {
        name for name in left if re.match(r"etc/freeswitch/|var/cache/fusionpbx/|var/lib/freeswitch", name)
    }
    assert {name: left[name] for name in left.keys() - made_meanwhile} == {}
    assert installed.database() == before[1]
    assert installed.ask("GET", "/index.html").body == b"FusionPBX's page\n"
    assert installed.ask("GET", "/api/v1/extensions").status == 502  # what stands for PHP is not there
    assert not installed.run("systemctl list-units --all --no-legend 'pbxapi*' 'redis*' | cat").strip()
    assert "nothing" in installed.run("bash /src/ops/install.sh --uninstall; echo nothing more")


OTHER_API = """
	if ($uri ~ "^/api/v1/") {
		break;
	}
	location ^~ /api/v1/ {
		default_type application/json;
		return 401 '{"message": "Unauthenticated."}';
	}
"""


def test_beside_another_api_a_wheel_is_installed_at_another_prefix(
    host: FusionPbxHost, before: object, wheel: Path
) -> None:
    site = "/etc/nginx/sites-available/fusionpbx"
    text = host.run(f"cat {site}")
    host.machine.put(site, text.replace("\t#letsencrypt\n", f"{OTHER_API}\n\t#letsencrypt\n"))
    host.run("nginx -s reload")
    shutil.copy(wheel, host.machine.files / "root")
    tree, database = host.machine.tree(), host.database()
    install = f"{INSTALL} --from /root/{wheel.name}"
    said = host.run(install)
    print(said)
    assert "the prefix is /pbxapi/v1, as /api/v1 is another API's: https://fusionpbx/api/v1/" in said
    assert host.ask("GET", "/pbxapi/v1/extensions?per_page=1").status == 200
    made = host.ask("POST", "/pbxapi/v1/extensions", {"extension": "7503"}, Prefer="wait=30")
    assert (made.status, made.headers["X-Change-State"]) == (201, "applied"), made.body
    assert host.ask("GET", "/api/v1/extensions").body == b'{"message": "Unauthenticated."}'
    again = host.run(install)
    assert "nothing to do: everything is in place" in again
    doctor = host.machine.run("cd / && pbxapi doctor", check=False)
    assert not re.findall(r"^fail .*", doctor.stdout, re.M), doctor.stdout
    host.run("bash /opt/pbxapi/current/ops/install.sh --uninstall")
    assert host.database() == database
    left = differences(tree, host.machine.tree())
    assert [name for name in left if re.match("etc/(nginx|systemd|pbxapi|redis)|opt/|usr/local/", name)] == []
    assert host.ask("GET", "/api/v1/extensions").body == b'{"message": "Unauthenticated."}'
