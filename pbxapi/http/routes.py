"""Both families of URLs from one declaration. Nothing else in the product knows of ``.php``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response

from pbxapi.data.links import Link, read_link
from pbxapi.http.documents import Documents
from pbxapi.http.envelope import json_response
from pbxapi.http.gateway import Gateway, Request
from pbxapi.http.lines import log_requests
from pbxapi.http.pages import add_pages
from pbxapi.http.rates import Rates
from pbxapi.http.serving import Served, Services
from pbxapi.plugin.loader import LoadedResource, Registry


def register_routes(app: Gateway, services: Services, registry: Registry) -> None:
    """Serve all resources of a registry on an app."""
    prefix = services.config.url_prefix
    callers = services.callers
    open_endpoints = {"openapi", *add_pages(app, prefix)}

    def identify(request: Request) -> None:
        if not request.path.startswith(prefix + "/"):
            return
        if request.endpoint in open_endpoints and "HTTP_X_API_KEY" not in request.environ:
            return
        if link := _link(request):
            request.key_id = link.key_id
            request.caller = callers.follow(link, request)
            return
        key = callers.check_key(request)
        request.key_id = key.key_id
        if request.endpoint not in open_endpoints:
            request.caller = callers.identify(key, request)

    def tell(request: Request, response: Response) -> Response:
        headers = response.headers
        headers.add("X-Request-Id", request.id)
        if "Cache-Control" not in headers:
            headers.add("Cache-Control", "no-store")
        if request.told:
            headers.update(request.told)
        return response

    log_requests(app)
    app.before += identify, Rates(services.config.rate_limit, services.rate_pool).check
    app.after.append(tell)
    documents = Documents(app, services.config, registry)
    for loaded in registry.plugins:
        try:
            # Whatever a declaration of somebody else's cannot be made into shows here.
            served = [(resource, _operations(services, resource)) for resource in loaded.resources]
        except Exception as error:
            if loaded.builtin:
                raise
            registry.leave_out(loaded, f"{type(error).__name__}: {error}")
            continue
        for resource, operations in served:
            documents.add(resource, operations)
            for endpoint, operation in operations.items():
                _add(app, f"{prefix}/{resource.declaration.name}", endpoint, operation)

    def openapi(_: Request) -> Response:
        return json_response(documents.document())

    app.add_url_rule(f"{prefix}/openapi.json", "openapi", openapi, methods=["GET"])


def _link(request: Request) -> Link | None:
    """The link that a request without a key follows."""
    reads = request.method in ("GET", "HEAD")
    return read_link(request.path, request.args) if reads and "HTTP_X_API_KEY" not in request.environ else None


def _operations(services: Services, resource: LoadedResource) -> dict[str, Served]:
    """All operations of a resource in both families, by the endpoint that each is served at."""
    return {
        f"{resource.declaration.name}/{operation.name}/{'php' if lenient else 'clean'}": Served(
            services, resource, operation, lenient
        )
        for operation in resource.declaration.all_operations()
        for lenient in (False, True)
    }


def _add(app: Gateway, place: str, endpoint: str, served: Served) -> None:
    operation, view = served.operation, _view(served)
    # flask-smorest takes it for granted that a rule has defaults.
    more: dict[str, Any] = {"methods": served.methods, "defaults": {}}
    if served.lenient:
        path = f"/{operation.php_name}"
        if operation.on == "item":
            # The contract calls the uuid a path parameter; the document shows the query form.
            app.add_url_rule(f"{place}{path}/<uuid>", f"{endpoint}/path", view, **more)
    else:
        below = operation.path.replace("<", "<record:")
        path = ("/<record:uuid>" if operation.on == "item" else "") + (f"/{below}" if below else "")
    app.add_url_rule(place + path, endpoint, view, **more)


def _view(served: Served) -> Callable[..., Response]:
    plugin = served.resource.plugin

    def view(request: Request, uuid: str | None = None, **parts: str) -> Response:
        request.plugin = plugin
        part = parts.get(served.operation.part)
        if served.lenient:
            uuid = request.args.get("uuid") if uuid is None else uuid
            part = request.args.get(served.operation.part)
        assert request.caller is not None
        return served(request, request.caller, uuid, part)

    return view
