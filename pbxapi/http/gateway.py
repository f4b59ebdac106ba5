"""Flask, with each request handed on as an argument.

Flask's own way pushes two contexts, sends six signals, and has every hook look its request up behind a proxy: that
is a tenth of a short answer, and nothing here needs it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import flask
from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Rule

from pbxapi.plugin import Caller

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class Request(flask.Request):
    """A request on its way, and what is known of it by now.

    Attributes:
        id: the caller's X-Request-Id where it is sane, else a new one.
        started: when it came, by `time.perf_counter`.
        key_id: of its key, which was found good; None before that.
        caller: who calls; None before that is known, and where nobody is asked.
        plugin: whose operation it leads to; empty for the product's own.
        told: headers of its answer, whatever that is.
    """

    key_id: str | None = None
    caller: Caller | None = None
    plugin = ""
    told: Mapping[str, str] = MappingProxyType({})

    def __init__(self, environ: dict[str, Any]) -> None:
        self.started = time.perf_counter()
        super().__init__(environ)
        given = self.header("X_REQUEST_ID")
        self.id = given if _SANE_ID.fullmatch(given) else os.urandom(16).hex()

    def header(self, name: str) -> str:
        """A header by its name in WSGI, empty where it was not sent: `headers` takes ten times as long."""
        return str(self.environ.get(f"HTTP_{name}", ""))


class RecordName(BaseConverter):
    """A path part where a record's uuid stands: anything but a ``.php`` file."""

    regex = r"(?![^/]*\.php(?:/|$))[^/]+"


class MatchedRule(Rule):
    """A route that requests are matched with, and that no URL is built from.

    Making the code that builds URLs takes a quarter of the start with two hundred plugins.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return lambda *_parts: ("", "")


class Gateway(Flask):
    """The application that all routes are added to. Its views take the request, then the parts of the path.

    Attributes:
        before: called with each request before its view; what one of them raises is answered instead.
        after: called with each request and its answer, the last one first; each returns the answer to send.
        fault: makes an answer of a request and the exception that it ended with.
    """

    url_rule_class = MatchedRule

    def __init__(self, fault: Callable[[Request, Exception], Response]) -> None:
        super().__init__("pbxapi", static_folder=None)
        self.url_map.converters["record"] = RecordName
        self.url_map.strict_slashes = False
        # A redirect would be HTML, and ask for no key.
        self.url_map.merge_slashes = self.url_map.redirect_defaults = False
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        self.before: list[Callable[[Request], None]] = []
        self.after: list[Callable[[Request, Response], Response]] = []
        self.fault = fault
        self._routes = self.url_map.bind("")  # none depends on the host

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """As WSGI has it."""
        request = Request(environ)
        response = self._answer(request)
        try:
            for hook in reversed(self.after):
                response = hook(request, response)
        except Exception as error:
            response.close()
            response = self.fault(request, error)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            try:
                rule, parts = self._routes.match(request.path, request.method, return_rule=True)
                request.url_rule = rule
            except HTTPException as error:
                request.routing_exception = error
            for hook in self.before:
                hook(request)
            if request.routing_exception is not None:
                raise request.routing_exception
            view: Callable[..., Any] = self.view_functions[rule.endpoint]
            answer: Response = view(request, **parts)
        except Exception as error:
            answer = self.fault(request, error)
        return answer
