"""Flask, without what costs every request something and serves none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from werkzeug.routing import BaseConverter, MapAdapter, Rule

from pbxapi.http.envelope import OrjsonProvider


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
    """The application that all routes are added to; it speaks JSON through orjson."""

    url_rule_class = MatchedRule
    json_provider_class = OrjsonProvider

    def __init__(self) -> None:
        super().__init__("pbxapi", static_folder=None)
        self.url_map.converters["record"] = RecordName
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False  # a redirect would be HTML, and ask for no key
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: nothing here is ``async``, and a look whether it is takes as long as most hooks do."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Of the path alone: no route depends on the host's name, and none redirects."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", request.scheme, request.path, request.method)

    def preprocess_request(self) -> None:
        """Call the hooks; there are no blueprints, whose hooks would be looked for."""
        for hook in self.before_request_funcs[None]:
            hook()

    def process_response(self, response: Response) -> Response:
        """Call the hooks, the last one first; there are no sessions, which would be saved."""
        for hook in reversed(self.after_request_funcs[None]):
            response = hook(response)
        return response
