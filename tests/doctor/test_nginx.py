"""What is read from `nginx -T`, of a block shaped like FusionPBX's; by Debian's nginx where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pbxapi.doctor.checkup import Host
from pbxapi.doctor.nginx import parse

from .conftest import Look, levels, said

OURS = """
if ($uri ~ "^(/api/v1|/_pbxapi_files)/") { break; }
location ^~ /api/v1/ { access_log LOGS/pbxapi.log; proxy_pass http://127.0.0.1:8000; }
"""
PLAIN = """if ($pbxapi_plain) { return 403; }"""

SITE = """
server {{
    listen 127.0.0.1:80;
    server_name 127.0.0.1;
}}
server {{
    listen 80;
    listen [::]:80;
    server_name fusionpbx;
    {plain}
    if ($uri !~* ^.*(provision|xml_cdr|firmware).*$) {{ rewrite ^(.*) https://$host$1 permanent; break; }}
}}
server {{
    listen 443;
    listen [::]:443;
    server_name fusionpbx;   # "quoted; in a comment"
    {before}
    if ($uri ~* ^.*/api/.*$) {{
        rewrite ^(.*)/api/(.*)$ $1/api/index.php?rewrite_uri=$2 last;
        break;
    }}
    rewrite "^.*/provision/([a-z]{{2}})\\.cfg$" /app/provision/index.php?mac=$1;
    {after}
    location ~ \\.php$ {{ return 404; }}
}}
"""
INCLUDE = "include snippets/pbxapi.conf;"


def make(
    folder: Path, *, before: str = "", after: str = "", plain: str = PLAIN, ours: str = OURS, more: str = ""
) -> str:
    """Write a configuration; what ``nginx -T`` prints of it."""
    files = {
        "nginx.conf": "pid nginx.pid; error_log stderr;\nevents {}\nhttp {\n"
        'map "$scheme:$uri" $pbxapi_plain { default ""; "~^http:/api/v1(/|$)" yes; }\n'
        f"access_log {folder}/access.log;\ninclude sites/*;\n}}\n",
        "sites/fusionpbx": SITE.format(before=before, after=after, plain=plain),
        "snippets/pbxapi.conf": ours.replace("LOGS", str(folder)),
    }
    if more:
        files["sites/another"] = more
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    if program := shutil.which("nginx"):
        command = [program, "-T", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    order = ["nginx.conf", *sorted(name for name in files if name.startswith("sites/"))]
    order += ["snippets/pbxapi.conf"] if INCLUDE in before + after + more else []
    return "".join(f"# configuration file {folder / name}:\n{files[name]}\n\n" for name in order)


@pytest.mark.parametrize(
    ("site", "level", "words"),
    [
        ({"before": INCLUDE}, "ok", "/api/v1/ stands first in the block fusionpbx on 443"),
        ({}, "fail", "no server block on 443 has a location of /api/v1/"),
        ({"after": INCLUDE}, "fail", "a rewrite of fusionpbx takes our URLs first: rewrite ^(.*)/api/(.*)$"),
        ({"before": INCLUDE, "ours": OURS.replace("^~ ", "")}, "fail", "has no ^~"),
        ({"before": INCLUDE, "ours": OURS.replace("break;", "set $x y;")}, "fail", "takes our URLs first"),
        (
            {"before": INCLUDE, "ours": OURS.replace("access_log LOGS/pbxapi.log;", "")},
            "warn",
            "own access log",
        ),
        (
            {"before": INCLUDE, "plain": ""},
            "warn",
            "a block on 80 (fusionpbx) takes keys that are sent without TLS",
        ),
        (
            {"before": INCLUDE, "more": "server { listen 443; server_name shop.example.com; }"},
            "warn",
            "go to another block on 443 (shop.example.com)",
        ),
    ],
)
def test_how_our_locations_stand(
    host: Host, look: Look, tmp_path: Path, site: dict[str, str], level: str, words: str
) -> None:
    (tmp_path / "printed").write_text(make(tmp_path, **site))
    host.nginx = ("cat", str(tmp_path / "printed"))
    found = look("nginx")
    assert words in said(found, level)
    if level == "ok":
        assert levels(found) == {"ok"}


def test_an_nginx_that_is_missing_or_cannot_read_its_own_configuration(
    host: Host, look: Look, tmp_path: Path
) -> None:
    host.nginx = ("/nowhere/nginx", "-T")
    assert levels(look("nginx")) == {"skip"}
    (tmp_path / "printed").write_text("nginx: [emerg] unexpected end of file\nnginx: configuration test failed\n")
    host.nginx = ("cat", str(tmp_path / "printed"))
    assert "nginx -T: nginx: [emerg] unexpected end of file" in said(look("nginx"), "fail")


def test_includes_are_put_in_their_place_and_comments_and_quotes_are_not_taken_for_signs(tmp_path: Path) -> None:
    servers = parse(make(tmp_path, before=INCLUDE))
    secure = servers[-1]
    assert [directive.name for directive in secure.block[:5]] == ["listen"] * 2 + ["server_name", "if", "location"]
    assert ["rewrite", r"^.*/provision/([a-z]{2})\.cfg$", "/app/provision/index.php?mac=$1"] in [
        directive.words for directive in secure.block
    ]
