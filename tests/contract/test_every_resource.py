"""The built-in resources are held to what holds for all (`pbxapi.conformance`), and the whole API to what is left.

A new resource needs one line in `KINDS`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from marshmallow import Schema, ValidationError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.routing import Rule

from pbxapi.config import Config
from pbxapi.conformance import *  # noqa: F403
from pbxapi.conformance import NUMBERS, Kind, Suite
from pbxapi.conformance import suite as plain_suite  # noqa: F401 - a fixture
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.plugin import Text, fields
from pbxapi.plugin.loader import load_plugins, load_registry
from pbxapi.sandbox.database import give_rights, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN, uuid_of
from pbxapi.testing import API_KEY, Client, Family, close_pbx, make_pbx


def webhook_with_deliveries(client: Client) -> str:
    """One with deliveries: tests that nobody answers."""
    made = client.create("webhooks", url="http://127.0.0.1:1/", event_types=["*"])
    for _ in range(3):
        assert client.request("POST", f"/webhooks/{made}/test").data["delivered"] == "false"
    return made


@pytest.fixture(scope="module")
def pbx_settings(pbx_settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Webhooks may reach this host."""
    return {**pbx_settings, "environment": {"PBXAPI_WEBHOOK_ALLOW": "127.0.0.0/8"}}


def import_some(client: Client) -> str:
    """An import with a few lines; its uuid."""
    lines = b"extension\n" + b"".join(b"%d\n" % (70_000 + next(NUMBERS)) for _ in range(7)) + b"no number!\n"
    reply = client.request("POST", "/extensions/import", body=lines, headers={"Content-Type": "text/csv"})
    return str(reply.data["import_uuid"])


@pytest.fixture(scope="module")
def suite(plain_suite: Suite) -> Suite:  # noqa: F811
    """With a call of each of two domains, as long as the module's tests run."""
    pbx = plain_suite.pbx
    for domain in (pbx.domain, pbx.other_domain):
        pbx.switch.answer_call(pbx.switch.start_call("1001", "1002", context=domain))
    return plain_suite


KINDS: Mapping[str, Kind] = {
    "active-calls": Kind(),
    "api-keys": Kind(lambda n: {"name": f"key {n}", "scopes": ["*"]}, open=True),
    "batch": Kind(),
    "call-block": Kind(lambda n: {"call_block_number": str(5_550_000 + n), "call_block_name": f"caller {n}"}),
    "call-flows": Kind(lambda n: {"call_flow_extension": str(62_000 + n), "call_flow_app": "hangup"}),
    "cdr": Kind(),
    "changes": Kind(),
    "conferences": Kind(lambda n: {"conference_name": f"room {n}", "conference_extension": str(61_000 + n)}),
    "devices": Kind(lambda n: {"device_address": f"001565{n:06x}"}),
    "destinations": Kind(lambda n: {"destination_number": str(5_550_000 + n), "destination_context": "public"}),
    "dialplans": Kind(lambda n: {"dialplan_name": f"dialplan {n}"}),
    "events": Kind(),
    "extensions": Kind(lambda n: {"extension": str(70_000 + n), "voicemail_enabled": "true"}),
    "gateways": Kind(lambda n: {"gateway": f"trunk {n}", "proxy": "sip.example.net"}),
    "dashboard": Kind(),
    "imports": Kind(full=import_some),
    "inbound-routes": Kind(lambda n: {"dialplan_name": f"inbound {n}"}),
    "outbound-routes": Kind(lambda n: {"dialplan_name": f"outbound {n}"}),
    "time-conditions": Kind(lambda n: {"dialplan_name": f"hours {n}", "dialplan_number": str(60_000 + n)}),
    "domains": Kind(open=True),
    "pin-numbers": Kind(lambda n: {"pin_number": str(10_000 + n), "description": f"pin {n}"}),
    "ivr-menus": Kind(
        lambda n: {
            "ivr_menu_name": f"menu {n}",
            "ivr_menu_extension": str(63_000 + n),
            "ivr_menu_greet_long": "hi.wav",
        }
    ),
    "plugins": Kind(),
    "ring-groups": Kind(lambda n: {"ring_group_name": f"group {n}", "ring_group_extension": str(61_000 + n)}),
    "recordings": Kind(
        lambda n: {"recording_filename": f"greeting-{n}.ogg", "recording_base64": "T2dnUyBzb3VuZA=="}
    ),
    "users": Kind(lambda n: {"username": f"user{n}", "password": f"Passw0rd-of-{n}"}),
    "webhooks": Kind(
        lambda n: {"url": f"https://1.1.1.1/{n}", "event_types": ["extension.*"]}, webhook_with_deliveries
    ),
    "voicemails": Kind(lambda n: {"voicemail_id": str(80_000 + n)}, uuid_of("voicemail", DOMAIN, "1001")),
}

OPEN = {"/healthz", "/readyz", "/metrics", "/console", "/api/v1/openapi.json"}
"""Routes that answer without a key: for whoever watches the host, and for whoever reads about the API."""


def test_every_resource_is_held_to_the_rules() -> None:
    resources = load_plugins(Config(database_url="postgresql://"), {}).resources
    assert sorted(KINDS) == sorted(resources), "say in KINDS what makes a record of a new resource"


def closed_rules(suite: Suite) -> list[Rule]:
    return [rule for rule in suite.pbx.app.url_map.iter_rules() if rule.rule not in OPEN]


def test_a_wrong_key_is_refused_on_every_route(suite: Suite) -> None:
    tried = 0
    for rule in closed_rules(suite):
        path = re.sub(r"<[^>]+>", str(uuid4()), rule.rule)
        for method in rule.methods or ():
            for key in ("wrong", "wr\u00f6ng", "test-key"):
                response = suite.pbx.app.test_client().open(
                    path, method=method, headers={"X-API-Key": key, "X-Domain": suite.pbx.domain}, json={}
                )
                assert response.status_code == 401, f"{method} {path}"
                if method != "HEAD":
                    assert response.get_json() == {
                        "success": False,
                        "error": {"code": "UNAUTHORIZED", "message": "Invalid API key"},
                    }
                tried += 1
    assert tried > 100


def test_without_a_key_or_a_domain_every_route_of_a_resource_is_closed(suite: Suite) -> None:
    below = suite.pbx.config.url_prefix + "/"
    rules = [r for r in closed_rules(suite) if r.rule.removeprefix(below).partition("/")[0] in suite.resources]
    assert len(rules) > 100
    for rule in rules:
        path = re.sub(r"<[^>]+>", str(uuid4()), rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            client = suite.pbx.app.test_client()
            response = client.open(path, method=method, headers={"X-Domain": suite.pbx.domain})
            assert response.get_json()["error"]["code"] == "UNAUTHORIZED", f"{method} {path}"
            response = client.open(path, method=method, headers={"X-API-Key": suite.pbx.client.key})
            assert response.get_json()["error"]["code"] == "MISSING_DOMAIN", f"{method} {path}"


@pytest.fixture(scope="module")
def real(
    postgres: EmbeddedPostgres, dump_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Suite]:
    """The same over FusionPBX's own tables and first rows."""
    with scratch_database(postgres, dump_template) as url:
        database = Database(url)
        migrate(database, builtin_migrations())
        with database.writing() as session:
            session.run(
                "insert into v_default_settings (default_setting_uuid, default_setting_category,"
                " default_setting_subcategory, default_setting_name, default_setting_value,"
                " default_setting_enabled) values (gen_random_uuid(), 'api', 'secret_key', 'text', %(key)s, true)",
                key=API_KEY,
            )
        service_url = give_rights(url, Config(database_url=url))
        pbx = make_pbx(url, tmp_path_factory.mktemp("real"), service_url=service_url)
        yield Suite(pbx, load_registry(pbx.config, database), KINDS)
        close_pbx(pbx)
        database.close()


@pytest.mark.parametrize("family", ["clean", "php"])
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.body])
def test_a_record_lives_on_fusionpbxs_own_tables(real: Suite, name: str, family: Family) -> None:
    client = real.client.through(family)
    body = real.body(name)
    uuid = client.create(name, **body)
    answered = client.get(name, uuid)
    assert uuid in [row[real.resources[name].declaration.id] for row in client.list(name, per_page=100)]
    text = next(f for f in real.resources[name].schema.load_fields if isinstance(answered.get(f), str))
    client.update(name, uuid, **{text: answered[text]})
    assert client.get(name, uuid) == answered
    client.delete(name, uuid)
    assert client.call(name, "get", uuid).status == 404
    assert real.pbx.apply() >= 3


@pytest.mark.parametrize("name", KINDS)
def test_fusionpbxs_own_rows_are_read_through_both_families(real: Suite, name: str) -> None:
    for operation in real.operations(name):
        if operation.on == "collection" and operation.reads:
            replies = [real.client.request(method, path) for _, method, path, _ in real.calls(name, operation, "")]
            assert {reply.status for reply in replies} == {200}
            assert all(reply.body == replies[0].body for reply in replies)
            if operation.name == "list" and "get" in real.resources[name].statements:
                for row in replies[0].data:
                    real.client.get(name, row[real.resources[name].declaration.id])


@pytest.fixture(scope="module")
def document(suite: Suite) -> Mapping[tuple[str, str], Any]:
    """What the OpenAPI document says of each method and path."""
    schema = schemathesis.openapi.from_wsgi(f"{suite.pbx.config.url_prefix}/openapi.json", suite.pbx.app)
    found = [result.ok() for result in schema.get_all_operations()]
    return {(operation.method.upper(), operation.path): operation for operation in found}


def test_what_is_read_is_as_the_document_says(
    suite: Suite, document: Mapping[tuple[str, str], Any], name: str
) -> None:
    headers = {"X-API-Key": suite.pbx.client.key, "X-Domain": suite.pbx.domain}
    for operation in suite.operations(name):
        if not operation.reads or operation.files:
            continue
        uuids = {suite.full(name), suite.make(name)} if operation.on == "item" else {""}
        for uuid in uuids:
            for _, method, path, query in suite.calls(name, operation, uuid):
                place = suite.pbx.config.url_prefix + (path.replace(uuid, "{uuid}") if uuid else path)
                described = document[method, place]
                parts = {"uuid": uuid} if "{uuid}" in place else {}
                case = described.Case(path_parameters=parts, query=query, headers=headers)
                response = case.call()
                assert response.status_code == 200, f"{method} {path}: {response.text}"
                case.validate_response(
                    response,
                    checks=[content_type_conformance, response_schema_conformance, status_code_conformance],
                )


def texts(schema: Schema) -> Iterator[Text]:
    """The fields of text of a schema, in lists and nested records too."""
    for declared in schema.load_fields.values():
        inner = declared.inner if isinstance(declared, fields.List) else declared
        if isinstance(inner, Text):
            yield inner
        elif isinstance(inner, fields.Nested):
            yield from texts(inner.schema)


def test_no_text_takes_long_to_check(suite: Suite, name: str) -> None:
    """A pattern that looks at a text again and again would hold a thread up for as long as a caller likes."""
    for declared in texts(suite.resources[name].schema):
        for part in ("a", "0", ".", "-", "a.", "a@", "a,", "a@b.", "${", "1:", " ", "sofia/a/", "a=b,"):
            began = time.process_time()
            with suppress(ValidationError):
                declared.deserialize((part * 100_000)[:100_000] + "!")
            with suppress(ValidationError):
                declared.deserialize((part * 255)[:254] + "!")
            assert time.process_time() - began < 0.2, f"{declared.name} takes long for {part!r}"
