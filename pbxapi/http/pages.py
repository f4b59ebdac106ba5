"""Pages for a browser: the API reference and the console; shells without data, which they ask the API for.

The key is typed in by the person and stays in the tab's sessionStorage. Everything comes from this host, and the
Content-Security-Policy lets nothing else in: no script or style inside the HTML, no eval.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response

from pbxapi import __version__
from pbxapi.errors import not_found
from pbxapi.http.gateway import Request

FOLDER = Path(__file__).parent / "browser"

PAGES = ("docs", "console")

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_pages(app: Flask, prefix: str) -> frozenset[str]:
    """Serve ``<prefix>/docs`` and ``<prefix>/console``, and ``/console`` as a way to it; their endpoints.

    What the pages consist of has the hash of it all in its URL, and is kept by browsers for a year.
    """
    assets = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
    hash = hashlib.sha256(b"\0".join(name.encode() + b"\0" + text for name, text in assets.items())).hexdigest()
    version = hash[:16]
    place = f"{prefix}/pages/{version}"

    def asset(_: Request, version_asked: str, name: str) -> Response:
        if version_asked != version or name not in assets:
            raise not_found("There is no such file")
        response = Response(assets[name], content_type=f"{_TYPES[Path(name).suffix]}; charset=utf-8")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers.update(_HEADERS)
        return response

    app.add_url_rule(f"{prefix}/pages/<version_asked>/<name>", "pages", asset, methods=["GET"])
    for page in PAGES:
        shell = (FOLDER / f"{page}.html").read_text("utf-8")
        for word, value in (("@assets@", place), ("@prefix@", prefix), ("@version@", __version__)):
            shell = shell.replace(word, html.escape(value))
        app.add_url_rule(f"{prefix}/{page}", page, _serve(shell), methods=["GET"])
    app.add_url_rule("/console", "to-console", lambda _: _redirect(f"{prefix}/console"), methods=["GET"])
    return frozenset({"pages", *PAGES})


def _serve(shell: str) -> Callable[[Request], Response]:
    body = shell.encode()
    tag = hashlib.sha256(body).hexdigest()[:32]

    def page(request: Request) -> Response:
        response = Response(body, content_type="text/html; charset=utf-8", headers=_HEADERS)
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(tag)
        response.make_conditional(request)
        return response

    return page


def _redirect(place: str) -> Response:
    return Response(status=302, headers={"Location": place})
