"""Both families of URLs from one declaration. Nothing else in the product knows of ``.php``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from flask_smorest import Blueprint
from werkzeug.routing import BaseConverter, Rule

from pbxapi.http.callers import Callers, request_id_of
from pbxapi.http.documents import Documents
from pbxapi.http.faults import register_faults
from pbxapi.http.rates import limit_rates
from pbxapi.http.serving import Served, Services
from pbxapi.plugin import Operation
from pbxapi.plugin.loader import LoadedResource, Registry


class RecordName(BaseConverter):
    """A path part where a record's uuid stands: anything but a ``.php`` file."""

    regex = r"(?![^/]*\.php(?:/|$))[^/]+"


class MatchedRule(Rule):
    """A route that requests are matched with, and that no URL is built from.

    Making the code that builds URLs takes a quarter of the start with two hundred plugins.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return lambda *_parts: ("", "")


def register_routes(app: Flask, services: Services, registry: Registry) -> None:
    """Serve all resources of a registry on an app."""
    prefix = services.config.url_prefix
    app.url_rule_class = MatchedRule
    app.url_map.converters["record"] = RecordName
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # a redirect would be HTML, and ask for no key
    callers = Callers(services.database)
    open_endpoints = {"api-docs.openapi_json"}

    def before() -> None:
        g.request_id = request_id_of(request)
        g.started = time.perf_counter()
        if not request.path.startswith(prefix + "/"):
            return
        if request.endpoint in open_endpoints and "X-API-Key" not in request.headers:
            return
        if request.endpoint in open_endpoints:
            callers.check_key(request)
            return
        g.caller = callers.identify(request, g.request_id)

    def after(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["Cache-Control"] = "no-store"
        return response

    app.before_request(before)
    limit_rates(app, services.config.rate_limit, services.rate_pool)
    app.after_request(after)
    register_faults(app)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    documents = Documents(app, services.config)
    for loaded in registry.plugins:
        try:
            # Whatever a declaration of somebody else's cannot be made into a URL or a schema shows here.
            described = [_describe(services, resource, documents) for resource in loaded.resources]
        except Exception as error:
            if loaded.builtin:
                raise
            registry.leave_out(loaded, f"{type(error).__name__}: {error}")
            continue
        for resource, blueprint in zip(loaded.resources, described, strict=True):
            place = f"{prefix}/{resource.declaration.name}"
            for operation in resource.declaration.all_operations():
                if operation.on == "item":
                    # The contract calls the uuid a path parameter; the document shows the query form.
                    _add_path_form(app, place, Served(services, resource, operation, lenient=True))
            documents.api.register_blueprint(blueprint, url_prefix=place)
    documents.api.resources = frozenset(registry.resources)


def _describe(services: Services, resource: LoadedResource, documents: Documents) -> Blueprint:
    name = resource.declaration.name
    blueprint = Blueprint(name, __name__, description=resource.declaration.label, url_prefix=None)
    for operation in resource.declaration.all_operations():
        _add(blueprint, services, resource, operation, documents)
    return blueprint


def _add(
    blueprint: Blueprint,
    services: Services,
    resource: LoadedResource,
    operation: Operation,
    documents: Documents,
) -> None:
    clean = Served(services, resource, operation, lenient=False)
    php = Served(services, resource, operation, lenient=True)
    item = operation.on == "item"
    path = ("/<record:uuid>" if item else "") + (f"/{operation.path}" if operation.path else "")
    for method in operation.methods:
        _route(blueprint, path, method, clean, documents, operation.methods.index(method) > 0)
    _route(blueprint, f"/{operation.php_name}", operation.methods[0], php, documents, False)


def _route(
    blueprint: Blueprint, path: str, method: str, served: Served, documents: Documents, again: bool
) -> None:
    family = "php" if served.lenient else "clean"
    endpoint = f"{served.operation.name}-{family}-{method}-{path.count('<')}".replace(".", "-")
    view = _view(served)
    view.__name__ = endpoint
    documents.describe(view, served, again)
    blueprint.add_url_rule(path, endpoint, view, methods=[method])


def _add_path_form(app: Flask, place: str, served: Served) -> None:
    operation = served.operation
    rule = f"{place}/{operation.php_name}/<uuid>"
    endpoint = f"{served.resource.declaration.name}-{operation.name}-php-path"
    app.add_url_rule(rule, endpoint, _view(served), methods=[operation.methods[0]])


def _view(served: Served) -> Callable[..., Any]:
    plugin = served.resource.plugin

    def view(uuid: str | None = None) -> Response:
        g.plugin = plugin
        if uuid is None and served.lenient:
            uuid = request.args.get("uuid")
        return served(request, g.caller, uuid)

    return view
