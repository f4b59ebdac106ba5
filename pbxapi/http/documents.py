"""The OpenAPI document of both families, made from what runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api
from marshmallow import Schema

from pbxapi import __version__
from pbxapi.config import Config
from pbxapi.http.envelope import dumps
from pbxapi.http.serving import Served
from pbxapi.http.streams import MEDIA as STREAM
from pbxapi.plugin import EventType, Operation
from pbxapi.plugin.loader import LoadedResource, Registry

log = logging.getLogger(__name__)

_DOMAIN = {
    "name": "X-Domain",
    "in": "header",
    "required": False,
    "description": "The domain's uuid, or its name in any letter case. Only a key of one domain may leave it out.",
    "schema": {"type": "string"},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=5`: answer when the switch has taken the change, or after 5 seconds.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A name for this request, such as a random uuid: sent again within a day it gets its answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the record as it was read: 412 where it has changed since.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an answer that is known: 304 where it is still the same.",
    "schema": {"type": "string"},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The id of the last event that a stream's client has: it goes on after that one.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}
_QUERY_WORDS = {
    "page": "The page, from 1.",
    "per_page": "Records per page, at most 100.",
    "search": "Partial match over the main columns.",
    "sort": "A sort order; with a leading `-`, descending.",
    "cursor": "Where to go on; empty to start. `pagination.next_cursor` names the next page.",
    "count": "`exact` counts every row of a large list.",
    "format": "`csv` or `ndjson`; what the header Accept asks for when left out, else CSV.",
}
_PAGINATION = {
    "type": "object",
    "properties": {
        "page": {"type": "integer"},
        "per_page": {"type": "integer"},
        "total": {"type": "integer"},
        "total_pages": {"type": "integer"},
        "total_is_estimate": {"type": "boolean"},
        "next_cursor": {"type": ["string", "null"]},
    },
    "required": ["per_page", "total", "total_pages"],
}
_ERROR = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
                "request_id": {"type": "string"},
            },
            "required": ["code", "message"],
        },
    },
    "required": ["success", "error"],
}


class Documents:
    """Describes the operations that an app serves: made at the first request for it, once per process.

    Making it takes longer than the rest of a start, and few processes are ever asked for it.
    """

    def __init__(self, app: Flask, config: Config, registry: Registry) -> None:
        app.config.update(API_TITLE="pbxapi", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
        self._components: dict[str, Schema] = {}
        schemas = MarshmallowPlugin(schema_name_resolver=self._name)
        self.api = Api(
            app,
            spec_kwargs={
                "marshmallow_plugin": schemas,
                "security": [{"ApiKey": []}],
            },
        )
        assert schemas.converter is not None
        schemas.converter.add_attribute_function(_items)  # type: ignore[no-untyped-call]
        self._app = app
        self._registry = registry
        self._served: dict[str, tuple[LoadedResource, dict[str, Served]]] = {}
        self._making = threading.Lock()
        self._made: dict[str, Any] | None = None

    def add(self, resource: LoadedResource, served: dict[str, Served]) -> None:
        """Have a resource described, by the endpoints that its operations are served at."""
        self._served[resource.declaration.name] = (resource, served)

    def document(self) -> dict[str, Any]:
        """The whole document. A resource that cannot be described is left out of it, and the log says why."""
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made

    def _make(self) -> dict[str, Any]:
        spec = self.api.spec
        spec.components.security_scheme("ApiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
        spec.components.schema("Error", _ERROR)
        spec.components.schema("Pagination", _PAGINATION)
        for name, (resource, served) in self._served.items():
            known = set(spec.components.schemas)
            try:
                described = {endpoint: self._describe(one) for endpoint, one in served.items()}
                dumps([described, {n: s for n, s in spec.components.schemas.items() if n not in known}])
            except Exception:
                # What somebody else's schema holds may not be described, or have no form in JSON.
                log.exception("plugin %s: the resource %s is left out of openapi.json", resource.plugin, name)
                for added in set(spec.components.schemas) - known:
                    del spec.components.schemas[added]
                continue
            spec.tag({"name": name, "description": resource.declaration.label})
            for endpoint, operations in described.items():
                for rule in self._app.url_map.iter_rules(endpoint):
                    spec.path(rule=rule, operations=operations)
        spec.components.schema("Event", _EVENT)
        made: dict[str, Any] = spec.to_dict()
        made["webhooks"] = {name: _webhook(event) for name, event in self._registry.events.items()}
        return made

    def _describe(self, served: Served) -> dict[str, dict[str, Any]]:
        """What the document says of an operation, by the methods of one URL."""
        operation, resource = served.operation, served.resource
        family = "php" if served.lenient else "rest"
        parameters: list[Mapping[str, Any]] = [_DOMAIN]
        if served.lenient and operation.on == "item":
            parameters.append({"name": "uuid", "in": "query", "required": True, "schema": _UUID})
        if served.lenient and operation.part:
            parameters.append({"name": operation.part, "in": "query", "required": True, "schema": _UUID})
        if operation.writes:
            parameters.append(_PREFER)
        if operation.methods[0] == "POST":
            parameters.append(_IDEMPOTENCY_KEY)
        if operation.on == "item" and "get" in resource.statements:
            parameters.append(_IF_MATCH)
            if operation.name == "get":
                parameters.append(_IF_NONE_MATCH)
        if STREAM in operation.media:
            parameters.append(_LAST_EVENT_ID)
        parameters += self._query(resource, operation)
        document: dict[str, Any] = {
            "tags": [resource.declaration.name],
            "summary": operation.summary or f"{resource.declaration.label}: {operation.name}",
            "description": f"Needs the scope `{served.scope}`.",
            "parameters": parameters,
            "responses": {
                str(operation.status): self._success(resource, operation),
                "default": {"description": "A fault", "content": _json({"$ref": "#/components/schemas/Error"})},
            },
        }
        if operation.name == "get" and operation.on == "item":
            document["responses"]["304"] = {"description": "Nothing has changed since the ETag of If-None-Match"}
        if operation.takes:
            content = {media: {"schema": {"type": "string"}} for media in operation.takes}
            document["requestBody"] = {"required": True, "content": content}
        if operation.body:
            schema = self._component(resource, operation.body(partial=operation.partial), operation.partial)
            document["requestBody"] = {"required": True, "content": _json(schema)}
        name = f"{resource.declaration.name}.{operation.name}"
        return {
            method.lower(): {
                "operationId": f"{name}{f'.{method.lower()}' if number else ''}.{family}",
                **document,
            }
            for number, method in enumerate(served.methods)
        }

    def _success(self, resource: LoadedResource, operation: Operation) -> dict[str, Any]:
        if operation.streams:
            lines = {"schema": {"type": "string"}}
            return {"description": "All rows", "content": dict.fromkeys(operation.media, lines)}
        if operation.files:
            return {
                "description": "The file, or the part that Range asks for",
                "content": {media: {"schema": {}} for media in operation.files},
            }
        properties: dict[str, Any] = {"success": {"const": True}, "message": {"type": "string"}}
        usual = operation.answer in (None, resource.declaration.schema)
        if operation.writes and operation.methods[0] != "DELETE" and usual:
            properties["data"] = {"type": "object", "properties": {resource.declaration.id: _UUID}}
        elif shown := resource.lists.get(operation.name):
            data = self._component(resource, shown.declaration.schema(only=shown.row), False)
            properties["data"] = {"type": "array", "items": data}
        elif operation.answer is not None:
            data = self._component(resource, operation.answer(), False)
            properties["data"] = {"type": "array", "items": data} if operation.many else data
        if operation.writes:
            properties["warnings"] = {"type": "array", "items": {"type": "string"}}
        if operation.name in resource.lists:
            properties["pagination"] = {"$ref": "#/components/schemas/Pagination"}
        content = _json({"type": "object", "properties": properties, "required": ["success"]})
        content |= {media: {"schema": {"type": "string"}} for media in operation.media}
        return {"description": "It worked", "content": content}

    def _query(self, resource: LoadedResource, operation: Operation) -> list[Mapping[str, Any]]:
        if operation.name not in resource.queries:
            return []
        numbers = ("page", "per_page")
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": _QUERY_WORDS.get(name, field.metadata.get("description", "")),
                "schema": {"type": "integer" if name in numbers else "string"},
            }
            for name, field in resource.queries[operation.name].fields.items()
        ]

    def _component(self, resource: LoadedResource, schema: Schema, partial: bool) -> dict[str, str]:
        name = _camel(resource.declaration.name)
        if type(schema).__module__.startswith("pbxapi."):
            name = type(schema).__name__  # shared by resources
        elif type(schema) is not resource.declaration.schema:
            name += type(schema).__name__
        name += "Change" if partial else "Row" if schema.only else ""
        if name not in self._components:
            self._components[name] = schema
            self.api.spec.components.schema(name, schema=schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def _name(self, schema: Any) -> str:
        kind = schema if isinstance(schema, type) else type(schema)
        plugin = kind.__module__.removeprefix("pbxapi_plugins.").partition(".")[0]
        suffix = "Change" if getattr(schema, "partial", None) else ""
        return _camel(plugin.replace("_", "-")) + kind.__name__ + suffix


_UUID = {"type": "string", "format": "uuid"}

_EVENT = {
    "type": "object",
    "properties": {
        "id": _UUID,
        "type": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "sequence": {"type": "integer", "description": "Its position: larger is later."},
        "domain": {
            "type": ["object", "null"],
            "properties": {"uuid": _UUID, "name": {"type": ["string", "null"]}},
            "required": ["uuid", "name"],
        },
        "data": {"type": "object"},
    },
    "required": ["id", "type", "timestamp", "sequence", "domain", "data"],
}


def _webhook(event: EventType) -> dict[str, Any]:
    """What a receiver of a webhook gets; a stream's message has the same as its data."""
    own = {"type": "object", "properties": {"type": {"const": event.name}, "data": event.schema}}
    return {
        "post": {
            "tags": ["webhooks"],
            "summary": event.description,
            "operationId": event.name,
            "requestBody": {
                "required": True,
                "content": _json({"allOf": [{"$ref": "#/components/schemas/Event"}, own]}),
            },
            "responses": {"2XX": {"description": "It has arrived"}},
        }
    }


def _items(converter: Any, field: Any, **kwargs: Any) -> dict[str, Any]:
    """What a list's metadata says of its items counts more than the field that takes them."""
    return {"items": field.metadata["items"]} if "items" in field.metadata else {}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))
