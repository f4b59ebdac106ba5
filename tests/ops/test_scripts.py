"""The installer and its files, as far as they can be looked at without a machine of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxapi.sandbox.process import claim_port
from tests.ops import host as hosts
from tests.ops.host import OPS, SITE

CONFIG = """\
database.0.type = pgsql
database.0.host = db.example.com
database.0.port = 5433
database.0.name = fusionpbx
database.0.username = fusionpbx
database.0.password = secret
document.root = {root}
switch.recordings.dir = /srv/recordings
php.bin = php\x20
"""

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell() -> Shell:
    """Runs a script after the functions of install.sh were read, over overlays that are gone afterwards."""

    def run(
        script: str, *, root: str = "/var/www/fusionpbx", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        prepare = f"""
        set -e
        mount -t tmpfs none /mnt
        for folder in etc opt var usr; do
          mkdir -p /mnt/$folder /mnt/$folder.work
          mount -t overlay overlay -o lowerdir=/$folder,upperdir=/mnt/$folder,workdir=/mnt/$folder.work /$folder
        done
        mkdir -p /etc/fusionpbx /etc/nginx/sites-enabled /etc/nginx/snippets /var/lib/freeswitch
        cat > /etc/fusionpbx/config.conf <<'END'
{CONFIG.format(root=root)}END
        cat > /etc/nginx/sites-enabled/fusionpbx <<'END'
{SITE}END
        find /mnt ! -name before | sort > /mnt/before
        . {OPS}/install.sh
        SOURCE='' PREFIX='' SITE='' DRY='' UNINSTALL='' KEEP_DATA=''
        ON_ALL_NODES='' NEW_PASSWORD='' RELOAD='' RELEASE=''
        {script}
        """
        command = ["unshare", "--mount", "bash", "-c", prepare]
        done = subprocess.run(
            command, capture_output=True, text=True, env={"PATH": os.defpath + ":/usr/sbin:/sbin"}
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    if os.geteuid() != 0:
        pytest.skip("overlays need root")
    probe = subprocess.run(
        "unshare --mount sh -c 'mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w && "
        "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc'",
        shell=True,
        capture_output=True,
        text=True,
    )
    if probe.returncode != 0:
        pytest.skip(f"no overlays here: {probe.stderr.strip()}")
    return run


def test_the_scripts_have_no_fault_that_shellcheck_knows() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    scripts = [OPS / "install.sh", OPS / "pbxapi"]
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_dry_run_prints_every_step_and_writes_nothing(shell: Shell) -> None:
    said = shell("main --dry-run; find /mnt ! -name before | sort | diff - /mnt/before && echo the same").stdout
    steps = re.search(r"^readonly STEPS=\((.*)\)", (OPS / "install.sh").read_text(), re.M)
    assert steps
    assert len(re.findall(r"^(?:do|ok)    ", said, re.M)) == len(steps[1].split())
    assert "add to the site file: \tinclude /etc/nginx/snippets/pbxapi.conf;" in said
    assert said.endswith("nothing was changed: this was a dry run\nthe same\n")


def test_a_dry_run_of_an_uninstallation_writes_nothing(shell: Shell) -> None:
    said = shell(
        "mkdir -p /etc/pbxapi; touch /etc/pbxapi/pbxapi.env; "
        "python3 $HERE/nginx/include.py add /etc/nginx/sites-enabled/fusionpbx; "
        "find /mnt -type f ! -name before | sort | xargs sha256sum > /mnt/before; "
        "main --uninstall --dry-run; "
        "find /mnt -type f ! -name before | sort | xargs sha256sum | diff - /mnt/before && echo the same"
    ).stdout
    assert "take our lines out of /etc/nginx/sites-enabled/fusionpbx" in said
    assert "rm -f /etc/pbxapi/pbxapi.env" in said
    assert said.endswith("the same\n")


@pytest.mark.parametrize(
    ("prepare", "prefix"),
    [
        ("", "/api/v1"),
        ("mkdir -p /var/www/fspbx; touch /var/www/fspbx/artisan", "/pbxapi/v1"),
        ("mkdir -p /var/www/fusionpbx/app/api", "/pbxapi/v1"),
        ("touch /etc/systemd/system/api.service", "/pbxapi/v1"),
        ("PREFIX=/switch/v1", "/switch/v1"),
        ("mkdir /etc/pbxapi; echo PBXAPI_URL_PREFIX=/kept/v1 > /etc/pbxapi/pbxapi.env", "/kept/v1"),
    ],
)
def test_the_prefix_collides_with_no_other_api(shell: Shell, prepare: str, prefix: str) -> None:
    assert shell(f"{prepare or ':'}; look_around >/dev/null; echo $PREFIX").stdout == f"{prefix}\n"


PAGE = (200, "text/html", "<!DOCTYPE html><title>FusionPBX</title>")
NO_FILE = (404, "text/html; charset=UTF-8", "File not found.\n")
NO_KEY = (401, "application/json", '{"message": "Unauthenticated."}')
UNKNOWN = (404, "application/json", '{"message": "Not Found"}')


@pytest.mark.skipif(bool(hosts.missing()), reason=hosts.missing() or "nginx is here")
@pytest.mark.parametrize(
    ("prepare", "there", "elsewhere", "expected"),
    [
        pytest.param("", NO_FILE, NO_FILE, "/api/v1", id="FusionPBX as it comes"),
        pytest.param("", PAGE, PAGE, "/api/v1", id="a page for everything"),
        pytest.param("", PAGE, NO_FILE, "/api/v1", id="a page"),
        pytest.param("", (302, "text/html", ""), NO_FILE, "/api/v1", id="a way to the login"),
        pytest.param("", (401, "text/html", "<h1>401</h1>"), NO_FILE, "/api/v1", id="a password for pages"),
        pytest.param("", (200, "text/html", "404"), NO_FILE, "/api/v1", id="a number in text"),
        pytest.param("", UNKNOWN, UNKNOWN, "/api/v1", id="JSON for everything"),
        pytest.param("", NO_KEY, NO_FILE, "/pbxapi/v1", id="an API that wants a key"),
        pytest.param("", NO_KEY, UNKNOWN, "/pbxapi/v1", id="an API on a host of JSON"),
        pytest.param("", UNKNOWN, NO_FILE, "/pbxapi/v1", id="an API that has none of the paths"),
        pytest.param("", (401, "text/plain", "token?"), NO_FILE, "/pbxapi/v1", id="an API that wants a token"),
        pytest.param("PREFIX=/api/v1;", NO_KEY, NO_FILE, "/api/v1", id="chosen by --prefix"),
        pytest.param("SITE=none", NO_KEY, NO_FILE, "/api/v1", id="in a server block of our own"),
        pytest.param("UNINSTALL=yes", NO_KEY, NO_FILE, "/api/v1", id="on the way out"),
        pytest.param(
            "mkdir /etc/pbxapi; echo PBXAPI_URL_PREFIX=/api/v1 > /etc/pbxapi/pbxapi.env",
            NO_KEY, NO_FILE, "/api/v1", id="installed before",
        ),
        pytest.param(
            "echo 'location ^~ /api/v1/ {' > /etc/nginx/snippets/pbxapi.conf",
            NO_KEY, NO_FILE, "/api/v1", id="installed before, settings lost",
        ),
    ],
)  # fmt: skip
def test_the_prefix_is_another_one_where_another_api_answers(
    shell: Shell, prepare: str, there: hosts.Said, elsewhere: hosts.Said, expected: str
) -> None:
    """nginx with FusionPBX's site is asked; behind it is what answers /api/index.php, and what the rest."""
    port = claim_port(None)
    site = SITE[SITE.rindex("server {") :].replace("listen 443", f"listen 127.0.0.1:{port}")
    site = site.replace("\tlisten [::]:443 ssl;\n", "").replace("@LOGS@", "/mnt").replace("@WWW@", "/mnt")
    with hosts.Php(lambda path: there if path.startswith("/api/index.php") else elsewhere) as php:
        said = shell(
            f"""
            cat > /etc/nginx/sites-enabled/fusionpbx <<'END'
{site.replace("@PHP@", str(php.server_port))}END
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fusionpbx \\
              -keyout /etc/ssl/private/nginx.key -out /etc/ssl/certs/nginx.crt 2>/dev/null
            echo 'pid /mnt/nginx.pid; error_log /mnt/error.log; events {{}}
              http {{ include /etc/nginx/sites-enabled/fusionpbx; }}' > /mnt/nginx.conf
            nginx -c /mnt/nginx.conf
            trap 'kill $(cat /mnt/nginx.pid)' EXIT
            {prepare or ":"}
            look_around
            echo $PREFIX
            """
        ).stdout
    *told, prefix = said.splitlines()
    assert prefix == expected
    assert len(told) == (expected != "/api/v1" or prepare.startswith("PREFIX=/api/v1;"))
    assert all(f"https://fusionpbx/api/v1 answers {there[0]} as an API does" in line for line in told)


def test_the_prefix_of_fs_pbxs_own_api_is_refused_there(shell: Shell) -> None:
    done = shell("PREFIX=/api/v1; look_around", root="/var/www/fspbx/public", check=False)
    assert done.returncode == 1
    assert "FS PBX has an API of its own at /api/v1" in done.stderr


@pytest.mark.parametrize("prefix", ["api", "/api/", "/api/v1;", "/a b", "/ä", "/{x}", '/"'])
def test_a_prefix_that_could_mean_something_to_nginx_is_refused(shell: Shell, prefix: str) -> None:
    done = shell(f"main --dry-run --prefix '{prefix}'", check=False)
    assert done.returncode == 1
    assert "--prefix must be a path" in done.stderr


def test_the_settings_name_the_database_of_fusionpbx_and_are_for_root_and_our_group(shell: Shell) -> None:
    said = shell(
        "groupadd pbxapi; look_around; do_settings; stat -c '%a %U %G' $SETTINGS; cat $SETTINGS; is_settings; "
        "cp $SETTINGS /mnt/one; PREFIX=/x/v2; ! is_settings; do_settings; diff /mnt/one $SETTINGS || :"
    ).stdout
    assert "640 root pbxapi" in said
    url = re.search(
        r"^PBXAPI_DATABASE_URL=postgresql://pbxapi:(\w{30,})@db.example.com:5433/fusionpbx\?", said, re.M
    )
    assert url, said
    assert said.endswith("< PBXAPI_URL_PREFIX=/api/v1\n---\n> PBXAPI_URL_PREFIX=/x/v2\n")


def test_the_worker_is_to_run_as_freeswitch_does(shell: Shell) -> None:
    found = "find_switch_user; echo $SWITCH_USER:$SWITCH_GROUP"
    assert (
        shell(f"chown www-data:www-data /var/lib/freeswitch; CONF=/dev/null {found}").stdout
        == "www-data:www-data\n"
    )
    assert shell(f"chown daemon:mail /var/lib/freeswitch; {found}").stdout == "daemon:mail\n"
    switch = "cp /bin/sleep /opt/freeswitch; {} /opt/freeswitch 60 & sleep 0.5; {}; kill $!; wait"
    as_games = "setpriv --reuid games --regid mail --clear-groups"
    assert shell(switch.format(as_games, found)).stdout == "games:mail\n"
    assert shell(switch.format("", found)).stdout == "www-data:www-data\n"  # never as root


@pytest.mark.skipif(shutil.which("nginx") is None, reason="not installed here: nginx")
def test_what_nginx_does_not_take_is_taken_back(shell: Shell) -> None:
    """Another file has an upstream of our name: nginx refuses, and everything is as it was."""
    said = shell(
        "sed -i 's/@LOGS@/\\/tmp/; s/@WWW@/\\/tmp/; s/@PHP@/9/; /ssl_cert/d; s/443 ssl/443/' "
        "/etc/nginx/sites-enabled/fusionpbx; look_around; nginx -t 2>&1; "
        "echo 'upstream pbxapi_read { server 127.0.0.1:9; }' > /etc/nginx/conf.d/theirs.conf; "
        "find /etc/nginx -type f | sort | xargs sha256sum > /mnt/before; "
        "( do_nginx ) 2>&1 || echo refused; "
        "find /etc/nginx -type f | sort | xargs sha256sum | diff - /mnt/before && echo the same"
    ).stdout
    assert "nginx does not take it, and has its files as before\nrefused\nthe same\n" in said


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="not installed here: systemd-analyze")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    """With the programs that they name in their places."""
    for template in (OPS / "systemd").iterdir():
        text = template.read_text().replace("@SWITCH_USER@", "www-data").replace("@SWITCH_GROUP@", "www-data")
        text = re.sub(r"/opt/pbxapi/current/bin/pbxapi", "/bin/true", text)
        (tmp_path / template.name).write_text(text.replace("=pbxapi\n", "=daemon\n"))
    (tmp_path / "redis-server@.service").write_text("[Service]\nExecStart=/bin/true\n")
    units = sorted(tmp_path.glob("pbxapi-*"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_unit_is_required_or_takes_a_name_of_fusionpbxs() -> None:
    for unit in (OPS / "systemd").iterdir():
        text = unit.read_text()
        assert unit.name.startswith("pbxapi-")
        assert not re.search(r"^(BindsTo|Requires)=(?!pbxapi-api\.socket$)", text, re.M)
        assert "RuntimeDirectory=fusionpbx" not in text
        for paths in re.findall(r"^ReadWritePaths=(.*)$", text, re.M):
            assert all(path.startswith("-/") for path in paths.split())


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="not installed here: fail2ban-regex")
def test_the_jail_counts_guessed_keys_and_no_other_line(tmp_path: Path) -> None:
    counted = (
        "2026-11-26T20:29:13.032Z WARNING pbxapi.auth: authentication failed from 192.0.2.7",
        '{"time": "26", "level": "WARNING", "logger": "pbxapi.auth", "message": "authentication failed from ::7"}',
    )
    others = (
        "2026-11-26T20:29:13.032Z WARNING pbxapi.auth: authentication failed from unknown",
        "2026-11-26T20:29:13.032Z WARNING pbxapi.auth: key x has ended, or may not be used from 192.0.2.7",
        "2026-11-26T20:29:13.032Z INFO pbxapi.request: request path=/authentication%20failed%20from%20192.0.2.7",
        "    2026-11-26T20:29:13.032Z WARNING pbxapi.auth: authentication failed from 192.0.2.8 and more",
    )
    log = tmp_path / "journal.log"
    log.write_text("".join(f"2026-11-26T20:29:13 pbx1 pbxapi-api[77]: {line}\n" for line in (*counted, *others)))
    shutil.copy("/etc/fail2ban/filter.d/common.conf", tmp_path)
    shutil.copy(OPS / "fail2ban" / "filter.conf", tmp_path / "pbxapi.conf")
    done = subprocess.run(
        ["fail2ban-regex", log, tmp_path / "pbxapi.conf"], capture_output=True, text=True, check=True
    )
    assert f"{len(counted)} matched, {len(others)} missed" in done.stdout, done.stdout
