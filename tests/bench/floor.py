"""The floor: what the same answers cost with nothing but werkzeug, psycopg and orjson.

Served by gunicorn with the product's own settings, over the same database and the same SQL, taken from the
product's statements. It checks no key, no domain and no input, takes no locks, writes no log, and knows one
request of each kind.

It speaks with PostgreSQL as psycopg's documentation shows it; below `OWN` in the way that the product does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import data
import orjson
import psycopg
from gunicorn.app.base import BaseApplication
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool
from stack import OWN, PREFIX
from werkzeug.wrappers import Request, Response

from pbxapi.config import load_config
from pbxapi.data import audit, change
from pbxapi.data.database import Database
from pbxapi.data.listing import Request as Page
from pbxapi.http.server import gunicorn_settings
from pbxapi.plugin.loader import load_registry

set_json_loads(orjson.loads)

CONFIG = load_config(os.environ)
REGISTRY = load_registry(CONFIG, Database(CONFIG.database_url))
EXTENSIONS = REGISTRY.resources["extensions"]
LISTING = EXTENSIONS.lists["list"].listing
PAGE = Page("extension", 50)
LIST = LISTING._text("page", PAGE)
COUNT = LISTING._text("count", PAGE)
GET = EXTENSIONS.statement("get").text
CREATE = EXTENSIONS.statement("create").text
CREATE_BOX = EXTENSIONS.statement("voicemails/create").text
DOMAIN_NAME = os.environ["BENCH_DOMAIN"]
DOMAIN = data.domain_uuid(DOMAIN_NAME)

Row = dict[str, Any]
Statements = Sequence[tuple[str, Mapping[str, Any]]]


class Psycopg:
    """Cursors of psycopg's own, over a pool of each process."""

    @cached_property
    def _pool(self) -> ConnectionPool[psycopg.Connection[Row]]:
        arguments = {"autocommit": True, "row_factory": dict_row}
        return ConnectionPool(
            CONFIG.database_url, kwargs=arguments, min_size=1, max_size=CONFIG.threads, open=True
        )

    def read(self, statements: Statements) -> list[list[Row]]:
        with self._pool.connection() as connection:
            return [connection.execute(text.encode(), values).fetchall() for text, values in statements]

    def write(self, statements: Statements) -> None:
        with self._pool.connection() as connection, connection.transaction():
            for text, values in statements:
                connection.execute(text.encode(), values)


class Own:
    """The product's sessions."""

    _database = Database(CONFIG.database_url, max_size=CONFIG.threads)

    def read(self, statements: Statements) -> list[list[Row]]:
        with self._database.reading() as session:
            asked = [session.ask(text, **values) for text, values in statements]
            return [rows() for rows in asked]

    def write(self, statements: Statements) -> None:
        with self._database.writing() as session:
            for text, values in statements:
                session.do(text, **values)


Way = Psycopg | Own
PSYCOPG, SESSIONS = Psycopg(), Own()


def answer(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, content_type="application/json")


def list_extensions(way: Way) -> Response:
    values = {"domain_uuid": DOMAIN, "_limit": 50, "_offset": 0}
    rows, counted = way.read([(LIST, values), (COUNT, values)])
    total = counted[0]["count"]
    pagination = {"page": 1, "per_page": 50, "total": total, "total_pages": -(-total // 50)}
    return answer({"success": True, "data": rows, "pagination": pagination})


def get_extension(way: Way, uuid: UUID) -> Response:
    ((row,),) = way.read([(GET, {"domain_uuid": DOMAIN, "extension_uuid": uuid})])
    return answer({"success": True, "data": row})


def create_extension(way: Way, body: dict[str, Any]) -> Response:
    uuid = uuid4()
    record = {**EXTENSION, **body, "extension_uuid": uuid, "domain_uuid": DOMAIN}
    box = {**BOX, "voicemail_uuid": uuid4(), "voicemail_id": body["extension"], "domain_uuid": DOMAIN}
    audited = [{"uuid": uuid4(), "new": orjson.dumps({"v_extensions": [record]}, default=str).decode()}]
    about = {
        "domain_uuid": DOMAIN,
        "app_uuid": None,
        "app_name": "extensions",
        "address": "127.0.0.1",
        "type": "add",
        "rows": orjson.dumps(audited).decode(),
    }
    changes = {"changes": orjson.dumps([note(uuid, body["extension"])], default=str).decode()}
    way.write([(CREATE, record), (CREATE_BOX, box), (audit._AUDIT, about), (change._NOTE, changes)])
    return answer({"success": True, "data": {"extension_uuid": uuid}, "message": "Extension created"}, 201)


def note(uuid: UUID, extension: str) -> dict[str, Any]:
    """The change, and its event."""
    return change.describe_change(
        resource="extensions",
        action="create",
        record_uuid=uuid,
        domain_uuid=DOMAIN,
        domain_name=DOMAIN_NAME,
        old=None,
        changed=(),
        request_id="floor",
        key_id="floor",
        event="extension.created",
        told={name: EXTENSION.get(name) for name in EXTENSIONS.told} | {"extension": extension},
    )


def _record(name: str, **values: Any) -> dict[str, Any]:
    schema = REGISTRY.resources[name].schema
    loaded = {**dict.fromkeys(schema.load_fields), **schema.load(values)}
    return {n: None if v == "" else v for n, v in loaded.items()}


EXTENSION = _record("extensions", extension="1", user_context=DOMAIN_NAME)
BOX = _record("voicemails", voicemail_id="1")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    request = Request(environ)
    way = SESSIONS if request.path.startswith(OWN) else PSYCOPG
    path = request.path.removeprefix(OWN).removeprefix(f"{PREFIX}/extensions")
    if request.method == "POST":
        response = create_extension(way, orjson.loads(request.get_data()))
    elif path:
        response = get_extension(way, UUID(path[1:]))
    else:
        response = list_extensions(way)
    return response(environ, start_response)


class Floor(BaseApplication):  # type: ignore[misc]
    """The product's gunicorn over this."""

    def load_config(self) -> None:
        for name, value in gunicorn_settings(CONFIG).items():
            if name != "worker_exit":  # ends the product's event streams
                self.cfg.set(name, value)
        self.cfg.set("bind", os.environ["BENCH_BIND"])

    def load(self) -> Any:
        return app


if __name__ == "__main__":
    Floor().run()
