"""nginx as it stands on a FusionPBX host: its site file, and behind it what says that PHP got a request."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pbxapi.sandbox.process import claim_port

OPS = Path(__file__).parents[2] / "ops"

# Written from what ../shared/facts/host.md (1.4) says of the file; the order of the directives is FusionPBX's.
REWRITES = """
	if ($uri ~* ^.*/api/.*$) {
		rewrite ^(.*)/api/(.*)$ $1/api/index.php?rewrite_uri=$2 last;
		break;
	}
	rewrite "^.*/provision/([A-Fa-f0-9]{12})(\\.(xml|cfg))?$" /app/provision/index.php?mac=$1 last;
	rewrite "^.*/([A-Fa-f0-9]{12})(\\.(xml|cfg))?$" /app/provision/index.php?mac=$1 last;
	rewrite "^.*/provision/(y000000000[0-9]{3}\\.cfg)$" /app/provision/index.php?file=$1 last;
	rewrite "^.*/000000000000\\.cfg$" "/app/provision/index.php?mac=&file=000000000000.cfg" last;
"""
REST = """
	client_max_body_size 80M;
	client_body_buffer_size 128k;
	location / {
		root @WWW@;
		index index.php;
	}
	location ~ /\\.(htaccess|htpassword)$ {
		deny all;
	}
	location ~ ^(.*).db$ {
		deny all;
	}
	location ~ /\\.git {
		deny all;
	}
	location ~ /\\.lua {
		deny all;
	}
	location ~ /\\. {
		deny all;
	}
	location ~ \\.php$ {
		proxy_pass http://127.0.0.1:@PHP@;
	}
"""
SITE = f"""\
server {{
	listen 127.0.0.1:80;
	server_name 127.0.0.1;
	access_log @LOGS@/access.log;
{REST}}}

server {{
	listen 80;
	listen [::]:80;
	server_name fusionpbx;
	access_log @LOGS@/access.log;

	#redirect letsencrypt to dehydrated
	location ^~ /.well-known/acme-challenge {{
		default_type "text/plain";
		auth_basic "off";
		alias @WWW@;
	}}
	if ($uri !~* ^.*(provision|xml_cdr|firmware).*$) {{
		rewrite ^(.*) https://$host$1 permanent;
		break;
	}}
{REWRITES}{REST}}}

server {{
	listen 443 ssl;
	listen [::]:443 ssl;
	#listen 443 ssl http2;
	server_name fusionpbx;

	ssl_certificate         /etc/ssl/certs/nginx.crt;
	ssl_certificate_key     /etc/ssl/private/nginx.key;
	ssl_protocols           TLSv1 TLSv1.1 TLSv1.2;

	#letsencrypt
	location ^~ /.well-known/acme-challenge {{
		alias @WWW@;
	}}
{REWRITES}
	access_log @LOGS@/access.log;
	error_page 404 /index.php;
{REST}}}
"""


Said = tuple[int, str, str]
"""An answer: status, type, text."""


class Php(ThreadingHTTPServer):
    """What stands for php-fpm: it says to each path what it is told to say; a 401 of plain text wants a token."""

    daemon_threads = True

    def __init__(self, said: Callable[[str], Said]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                status, kind, text = said(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text.encode())))
                if status == 401:
                    self.send_header("WWW-Authenticate", "Bearer" if kind == "text/plain" else "Basic realm=x")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self._serving = threading.Thread(target=self.serve_forever, daemon=True)
        self._serving.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class NginxHost:
    """Debian's nginx with FusionPBX's site and our files, in a folder.

    Args:
        folder: for all its files.
        api: socket of the API.
        prefix: of the API's URLs.
    """

    def __init__(self, folder: Path, api: Path, prefix: str) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.www = folder / "www"
        self.recordings = folder / "recordings"
        self.voicemail = folder / "voicemail"
        for path in (self.logs, self.www, self.recordings, self.voicemail, folder / "tmp"):
            path.mkdir(parents=True)
            path.chmod(0o777)
        (self.www / "index.html").write_text("FusionPBX's page\n")
        self.plain_port, self.port, self.loopback_port = (claim_port(None) for _ in range(3))
        self._php = Php(lambda path: (200, "text/html", f"PHP got this: {path}\n"))
        self._api = api
        self._prefix = prefix
        self._write()
        self._nginx: subprocess.Popen[bytes] | None = None

    def _write(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=fusionpbx",
             "-keyout", self.folder / "nginx.key", "-out", self.folder / "nginx.crt"],
            check=True,
            capture_output=True,
        )  # fmt: skip
        snippets = self.folder / "snippets"
        snippets.mkdir()
        (self.folder / "conf.d").mkdir()
        for template, place in (
            ("conf.d.conf", "conf.d/pbxapi.conf"),
            ("snippet.conf", "snippets/pbxapi.conf"),
            ("plain.conf", "snippets/pbxapi-plain.conf"),
            ("proxy.conf", "snippets/pbxapi-proxy.conf"),
        ):
            (self.folder / place).write_text(self.placed(self._render(f"nginx/{template}")))
        site = self.folder / "fusionpbx"
        site.write_text(SITE)
        subprocess.run([OPS / "nginx" / "include.py", "add", site], check=True)
        site.write_text(self.placed(site.read_text()))
        (self.folder / "nginx.conf").write_text(
            f"pid {self.folder}/nginx.pid;\nerror_log {self.logs}/error.log;\ndaemon off;\nworker_processes 1;\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + "events { worker_connections 512; }\nhttp {\n"
            + "".join(
                f"{kind}_temp_path {self.folder}/tmp/{kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f"access_log {self.logs}/access.log;\ninclude {self.folder}/conf.d/*.conf;\n"
            f"include {self.folder}/fusionpbx;\n}}\n"
        )

    def _render(self, template: str) -> str:
        values = {
            "PREFIX": self._prefix,
            "RECORDINGS": str(self.recordings),
            "VOICEMAIL": str(self.voicemail),
            "SWITCH_USER": "www-data",
            "SWITCH_GROUP": "www-data",
        }
        script = f'. {OPS}/install.sh; render "$1"'
        done = subprocess.run(
            ["bash", "-c", script, "bash", template],
            env={**values, "PATH": "/usr/bin:/bin"},
            check=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout.decode()

    def placed(self, text: str) -> str:
        """The text with the places of a host put into the folder."""
        for place, here in {
            "/run/pbxapi/api.sock": self._api,
            "/var/log/nginx/": f"{self.logs}/",
            "/etc/nginx/snippets/": f"{self.folder}/snippets/",
            "/etc/ssl/certs/nginx.crt": self.folder / "nginx.crt",
            "/etc/ssl/private/nginx.key": self.folder / "nginx.key",
            "listen 127.0.0.1:80;": f"listen 127.0.0.1:{self.loopback_port};",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "\tlisten [::]:80;\n": "",
            "\tlisten [::]:443 ssl;\n": "",
            "@LOGS@": self.logs,
            "@WWW@": self.www,
            "@PHP@": self._php.server_port,
        }.items():
            text = text.replace(place, str(here))
        return text

    def __enter__(self) -> NginxHost:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers."""
        command = ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"]
        with (self.logs / "start.log").open("wb") as log:
            self._nginx = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._nginx.poll() is None, (self.logs / "start.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it and what stands for PHP."""
        if self._nginx is not None:
            self._nginx.terminate()
            self._nginx.wait(30)
        self._php.__exit__()

    def connect(self, *, plain: bool = False) -> http.client.HTTPConnection:
        """A connection to the public port."""
        if plain:
            return http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=60)
        context = ssl.create_default_context(cafile=str(self.folder / "nginx.crt"))
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        plain: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = self.connect(plain=plain)
        try:
            connection.request(method, path, body, {"Host": "pbx.example.com", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def lines(self, name: str) -> list[str]:
        """The lines of one of its logs."""
        log = self.logs / name
        return log.read_text().splitlines() if log.exists() else []


def missing() -> str:
    """Why nginx cannot be tried here; empty where it can."""
    programs = [program for program in ("nginx", "openssl") if shutil.which(program) is None]
    return f"not installed here: {', '.join(programs)} (Debian: apt install nginx openssl)" if programs else ""
