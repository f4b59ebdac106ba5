"""Our line in a site file that is somebody else's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ops.host import OPS, SITE

spec = importlib.util.spec_from_file_location("pbxapi_include", OPS / "nginx" / "include.py")
assert spec
assert spec.loader
program = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = program
spec.loader.exec_module(program)

TLS = "include /etc/nginx/snippets/pbxapi.conf;"
PLAIN = "include /etc/nginx/snippets/pbxapi-plain.conf;"

FSPBX = """\
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
    return 301 https://$host$request_uri;
}

server {
    # the operator's names
    listen 80;
    listen [::]:80;
    listen 443 ssl http2;
    server_name ~^(?<tenant>[a-z0-9-]{1,63})\\.example\\.com$;
    root /var/www/fspbx/public;
    #rewrite ^/api/(.*)$ /api/index.php?rewrite_uri=$1 last;
    location / { try_files $uri $uri/ /index.php?$query_string; }
    if ($http_user_agent ~ "}{") { return 403; }
    location ~ \\.php$ { fastcgi_pass unix:/var/run/php/php8.4-fpm.sock; }
}
"""

VARIANTS = {
    "FusionPBX's": SITE,
    "FS PBX's": FSPBX,
    "CRLF": SITE.replace("\n", "\r\n"),
    "after letsencrypt.sh": SITE.replace(
        "/etc/ssl/certs/nginx.crt", "/etc/dehydrated/certs/pbx.example.com/fullchain.pem"
    ),
    "no newline at its end": SITE.rstrip("\n"),
    "Latin-1": SITE.replace("#letsencrypt", "# Umlaute: \xe4\xf6\xfc"),
    "spaces before the brace": SITE.replace("server {", "server\n{   # FusionPBX"),
    "only 443": SITE[SITE.rindex("server {") :],
}


class Run(NamedTuple):
    status: int
    said: str
    complained: str


Runner = Callable[[str, Path], Run]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Runner:
    def main(command: str, path: Path) -> Run:
        status = program.main(command, str(path))
        return Run(status, *(text.decode("latin-1") for text in capfdbinary.readouterr()))

    return main


@pytest.fixture(params=VARIANTS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "fusionpbx"
    path.write_bytes(VARIANTS[request.param].encode("latin-1"))
    return path


def test_adding_twice_is_adding_once_and_removing_leaves_the_file_as_it_was(run: Runner, site: Path) -> None:
    before = site.read_bytes()
    assert run("show", site).status == 0
    assert site.read_bytes() == before
    assert run("add", site).said == "changed\n"
    added = site.read_bytes()
    assert added.count(TLS.encode()) == 1
    assert run("add", site).said == "unchanged\n"
    assert site.read_bytes() == added
    assert run("remove", site).said == "changed\n"
    assert site.read_bytes() == before
    assert run("remove", site).said == "unchanged\n"


def test_only_whole_lines_come_and_they_end_as_the_files_do(run: Runner, site: Path) -> None:
    before = site.read_bytes().splitlines(keepends=True)
    run("add", site)
    after = site.read_bytes().splitlines(keepends=True)
    ours = [line for line in after if b"pbxapi" in line]
    assert [line for line in after if line not in ours] == before
    assert {line.endswith(b"\r\n") for line in ours} == {before[0].endswith(b"\r\n")}


def test_our_line_is_the_first_of_its_block(run: Runner, site: Path) -> None:
    """Before any rewrite, whatever else the block holds."""
    run("add", site)
    lines = site.read_text("latin-1").splitlines()
    for number, line in enumerate(lines):
        if "pbxapi" in line:
            assert lines[number - 1].split("#")[0].rstrip().endswith("{")


def test_fusionpbx_gets_one_line_for_443_and_one_in_each_block_without_tls(run: Runner, tmp_path: Path) -> None:
    site = tmp_path / "fusionpbx"
    site.write_text(SITE)
    run("add", site)
    loopback, plain, tls = site.read_text().split("\nserver {")
    for block in (loopback, plain):
        assert block.count("pbxapi") == block.count(PLAIN) == 1
    assert tls.count("pbxapi") == tls.count(TLS) == 1
    assert "unix:" not in site.read_text()


def test_fs_pbx_gets_the_line_for_443_where_a_block_has_both_ports(run: Runner, tmp_path: Path) -> None:
    site = tmp_path / "fspbx.conf"
    site.write_text(FSPBX)
    run("add", site)
    redirect, both = site.read_text().split("\nserver {")
    assert (redirect.count(PLAIN), redirect.count(TLS)) == (1, 0)
    assert (both.count(PLAIN), both.count(TLS)) == (0, 1)


def test_a_line_that_somebody_moved_below_the_rewrites_comes_back(run: Runner, tmp_path: Path) -> None:
    site = tmp_path / "fusionpbx"
    site.write_text(SITE)
    run("add", site)
    right = site.read_text()
    moved = right.replace(f"\t{TLS}\n", "").rstrip().removesuffix("}") + f"\t{TLS}\n}}\n"
    site.write_text(moved)
    assert run("add", site).said == "changed\n"
    assert site.read_text().index(TLS) == right.index(TLS)


def test_a_site_file_that_is_a_link_stays_one(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "available").write_text(SITE)
    site = tmp_path / "enabled"
    site.symlink_to("available")
    run("add", site)
    assert site.is_symlink()
    assert TLS in (tmp_path / "available").read_text()


def test_the_places_are_those_by_which_a_block_with_tls_is_asked_from_this_host(
    run: Runner, tmp_path: Path
) -> None:
    site = tmp_path / "fusionpbx"
    site.write_text(
        "server { listen 80; listen 8443 ssl; listen [::]:8443 ssl; server_name _ *.example.com ~^a; }\n"
        "server { listen 192.0.2.1:443; listen unix:/run/x ssl; server_name one two; }\n"
        "server { listen 127.0.0.1:80; server_name not.asked; }\n"
        "server { listen [2001:db8::1]:443 ssl; server_name ~^(?<tenant>.+)$; }\n"
    )
    assert run("places", site) == Run(
        0,
        "127.0.0.1 8443 pbxapi.example.com\n::1 8443 pbxapi.example.com\n192.0.2.1 443 one\n"
        "2001:db8::1 443 localhost\n",
        "",
    )
    site.write_text(SITE)
    assert run("places", site).said == "127.0.0.1 443 fusionpbx\n::1 443 fusionpbx\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no server block listens on 443"),
        ("server { listen 80; }\n", "no server block listens on 443"),
        ("server { listen 443 ssl; }\n", "something behind its { on the same line"),
        ("server {\n\tlisten 443 ssl;\n", "a } is missing"),
        ("server {\n\tlisten 443 ssl;\n}}\n", "a } too many"),
        ('server {\n\tlisten 443 ssl;\n\tset $a "b;\n}\n', "an open quote"),
    ],
)
def test_a_file_without_a_place_is_left_alone_and_says_why(
    run: Runner, tmp_path: Path, text: str, reason: str
) -> None:
    site = tmp_path / "fusionpbx"
    site.write_text(text)
    done = run("add", site)
    assert done.status == 1
    assert reason in done.complained
    assert site.read_text() == text
