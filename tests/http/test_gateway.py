"""The way of a request through the gateway, whoever serves it."""

from __future__ import annotations

import pytest
from flask import Response
from werkzeug.exceptions import HTTPException, NotFound

from pbxapi.http.gateway import Gateway, Request


@pytest.fixture
def gateway() -> Gateway:
    """Answers ``/things/<name>``; a fault's answer tells its kind."""

    def fault(request: Request, error: Exception) -> Response:
        return Response(type(error).__name__, error.code if isinstance(error, HTTPException) else 500)

    def thing(request: Request, name: str) -> Response:
        return Response(f"{request.method} {name}")

    app = Gateway(fault)
    app.add_url_rule("/things/<name>", view_func=thing, methods=["GET"])
    return app


def test_a_view_gets_the_request_and_the_parts_of_the_path(gateway: Gateway) -> None:
    assert gateway.test_client().get("/things/a?b=c").text == "GET a"
    assert gateway.test_client().head("/things/a").text == ""


def test_hooks_come_before_the_fault_of_a_path_that_leads_nowhere(gateway: Gateway) -> None:
    client = gateway.test_client()
    assert (client.get("/nowhere").status_code, client.post("/things/a").status_code) == (404, 405)

    def refuse(request: Request) -> None:
        assert isinstance(request.routing_exception, NotFound) == (request.path == "/nowhere")
        raise PermissionError

    gateway.before.append(refuse)
    assert (client.get("/nowhere").text, client.get("/things/a").text) == ("PermissionError", "PermissionError")


def test_every_answer_goes_through_the_hooks_after_it_the_last_one_first(gateway: Gateway) -> None:
    seen = []

    def first(request: Request, response: Response) -> Response:
        seen.append(("first", response.status_code))
        return response

    def last(request: Request, response: Response) -> Response:
        seen.append(("last", response.status_code))
        return Response("other", 203)

    gateway.after += first, last
    assert gateway.test_client().get("/nowhere").text == "other"
    assert seen == [("last", 404), ("first", 203)]


def test_a_hook_that_fails_after_the_answer_is_a_fault_and_the_answer_gives_back_what_it_holds(
    gateway: Gateway,
) -> None:
    given_back = []

    def holding(request: Request, response: Response) -> Response:
        response.call_on_close(lambda: given_back.append(request.path))
        return response

    def broken(request: Request, response: Response) -> Response:
        raise ZeroDivisionError

    gateway.after += broken, holding
    reply = gateway.test_client().get("/things/a")
    assert (reply.status_code, reply.text) == (500, "ZeroDivisionError")
    assert given_back == ["/things/a"]


@pytest.mark.parametrize("given", ["", "short", "-4711-4711", "two words\t!", "a" * 65, "<script>alert()"])
def test_a_request_without_a_sane_id_gets_one(gateway: Gateway, given: str) -> None:
    ids = []
    gateway.before.append(lambda request: ids.append(request.id))
    for _ in range(2):
        gateway.test_client().get("/things/a", headers={"X-Request-Id": given})
    assert ids[0] != ids[1]
    assert all(len(id) == 32 and id.isalnum() for id in ids)


def test_a_sane_id_is_kept(gateway: Gateway) -> None:
    ids = []
    gateway.before.append(lambda request: ids.append(request.id))
    gateway.test_client().get("/things/a", headers={"X-Request-Id": "order-4711.a"})
    assert ids == ["order-4711.a"]
