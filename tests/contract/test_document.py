"""The OpenAPI document and what is really answered fit together; and nothing that it allows to send is a 5xx.

schemathesis makes the requests from the document: the same ones at every run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pbxapi.plugin.rules import OWN_PATHS
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Pbx, close_pbx, make_pbx

PREFIX = "/api/v1"
EXAMPLES_MOST = 8
EXAMPLES_IN_ALL = 1500
METHODS = ("get", "post", "put", "patch", "delete")
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def system(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        pbx = make_pbx(url, tmp_path_factory.mktemp("document"))
        pbx.client.create("extensions", extension="70000")
        pbx.client.create("api-keys", name="reader", scopes=["*:read"])
        yield pbx
        close_pbx(pbx)


@pytest.fixture(scope="module")
def operations(system: Pbx) -> list[Any]:
    """What the document describes, as schemathesis sees it."""
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", system.app)
    return [result.ok() for result in schema.get_all_operations()]


@pytest.fixture(scope="module")
def real(system: Pbx) -> Callable[[Any], str | None]:
    """The uuid of a record that an operation can work on, where there is one."""
    known: dict[str, str | None] = {}

    def find(operation: Any) -> str | None:
        resource = operation.path.removeprefix(PREFIX).split("/")[1]
        if resource not in known:
            reply = system.client.request("GET", f"/{resource}")
            rows = reply.data if reply.status == 200 else []
            known[resource] = next(iter(rows[0].values())) if rows else None
        return known[resource]

    return find


def open_doors(system: Pbx, case: Any) -> None:
    """A good key and domain, whatever schemathesis had in mind."""
    case.headers = {**(case.headers or {}), "X-API-Key": system.client.key, "X-Domain": system.domain}


def play(operation: Any, examples: int, uuid: str | None, send: Callable[[Any], None]) -> None:
    """Send what schemathesis makes of an operation, fitting and unfitting: every other time to a real record."""
    number = 0

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def each(case: Any) -> None:
        nonlocal number
        number += 1
        if uuid is not None and number % 2 and case.method != "DELETE":
            if "{uuid}" in case.path:
                case.path_parameters = {**(case.path_parameters or {}), "uuid": uuid}
            elif case.query and "uuid" in case.query:
                case.query["uuid"] = uuid
        send(case)

    each()


@pytest.mark.timeout(300)
def test_nothing_that_is_sent_is_an_internal_error(
    system: Pbx, operations: list[Any], real: Callable[[Any], str | None]
) -> None:
    seen: Counter[int] = Counter()
    examples = min(max(EXAMPLES_IN_ALL // len(operations), 3), EXAMPLES_MOST)
    for operation in operations:

        def send(case: Any) -> None:
            open_doors(system, case)
            response = case.call()
            seen[response.status_code] += 1
            assert response.status_code < 500 or response.status_code == 501, (
                f"{case.as_curl_command()}\n{response.text}"
            )
            if "application/json" in response.headers.get("content-type", [""])[0]:
                assert response.json()["success"] is (response.status_code < 400)
            else:
                assert response.status_code in (200, 304)
            case.validate_response(response, checks=CHECKS)

        play(operation, examples, real(operation), send)
    assert seen[200] > 20, f"hardly anything got through: {seen}"
    assert seen[400] > 20, f"hardly anything was refused: {seen}"


def test_the_document_describes_every_route_and_no_other(system: Pbx, operations: list[Any]) -> None:
    """But for the pages, and what the console reads for them: that is no part of the contract."""
    described = {(operation.method.upper(), operation.path) for operation in operations}
    assert len(described) == len(operations)
    served = {
        (method, re.sub(r"<record:(\w+)>", r"{\1}", rule.rule))
        for rule in system.app.url_map.iter_rules()
        if rule.rule.startswith(PREFIX + "/") and not rule.rule.endswith(".php/<uuid>")
        if rule.rule.removeprefix(PREFIX + "/").partition("/")[0] not in OWN_PATHS
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served


def test_every_operation_has_a_name_of_its_own_and_a_summary(system: Pbx) -> None:
    document = system.app.test_client().get(f"{PREFIX}/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    found = [path[method] for path in document["paths"].values() for method in METHODS if method in path]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in found)
    assert all(operation["responses"]["default"] for operation in found)
