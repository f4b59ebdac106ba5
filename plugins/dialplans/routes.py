"""Inbound and outbound routes: dialplans that can be made of a few plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import Answer, Call, blank, create_record, invalid
from pbxapi.plugin.dialling import check_actions
from pbxapi.xml import InvalidValue, Route, inbound_route, is_public, outbound_route

from .dialplans import as_rows, complete, fault, is_single, make_xml, store
from .schemas import INBOUND_APP, OUTBOUND_APP

_ONLY_FOUND_BY_DESTINATION = (
    "The switch looks calls from outside up by their number (setting destinations/dialplan_mode is single): "
    "the route is used only once a destination names it"
)

_GATEWAYS = ("gateway_uuid", "gateway_2_uuid", "gateway_3_uuid")
_PLAIN_WORDS = (*_GATEWAYS, "expressions", "prefix", "limit", "accountcode", "toll_allow", "pin_numbers")


def named_actions(actions: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """(application, data) of ``{"app", "data"}`` each."""
    return [(action["app"], action["data"]) for action in actions]


def check_plain_actions(call: Call, actions: Sequence[Mapping[str, str]], field: str) -> None:
    """Check actions in plain words; an error names ``<field>.0.app`` or ``<field>.0.data``."""
    check_actions(call, named_actions(actions), lambda n: (f"{field}.{n}.app", f"{field}.{n}.data"))


def prepare_inbound(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """An inbound route, from details or from a number and actions."""
    record["dialplan_number"] = call.data.get("number") or record["dialplan_number"]
    record["dialplan_name"] = call.data.get("name") or record["dialplan_name"] or record["dialplan_number"]
    complete(call, record, old, app=INBOUND_APP, context="public", order="100")
    plain = bool(call.data.get("actions"))
    if plain:
        check_plain_actions(call, call.data["actions"], "actions")
        limit = call.data.get("limit")
        try:
            details = inbound_route(
                record["dialplan_number"], named_actions(call.data["actions"]), limit=int(limit) if limit else None
            )
        except InvalidValue as error:
            raise fault(error, "actions") from None
        record["details"] = as_rows(details)
    elif call.data.get("limit"):
        raise invalid("limit needs actions", "limit")
    make_xml(call, record, old, checked=plain)
    if old is None and is_public(record["dialplan_context"]) and is_single(call.row("mode")):
        call.warn(_ONLY_FOUND_BY_DESTINATION)


def prepare_outbound(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """One dialplan of an outbound route, from details."""
    for word in _PLAIN_WORDS:
        if call.data.get(word):
            if old is None:
                raise invalid("expressions are required", "expressions")
            raise invalid(f"{word} makes a new route; change the details of this one", word)
    record["dialplan_name"] = call.data.get("name") or record["dialplan_name"]
    complete(call, record, old, app=OUTBOUND_APP, context=call.caller.domain_name, order="300")
    make_xml(call, record, old)


def create_outbound(call: Call) -> Answer:
    """The two dialplans for each expression, or one from details."""
    expressions = call.data.get("expressions")
    if not expressions:
        # Links are checked before what they are for.
        _check_gateways(call)
        return create_record(call)
    for place, expression in enumerate(expressions):
        if expression in expressions[:place]:
            raise invalid("expressions must differ", f"expressions.{place}")
    routes = _routes(call, expressions)
    uuids = {route: uuid4() for route in routes}
    main = routes[1]
    for route in [*(route for route in routes if route is not main), main]:
        _add(call, uuids[route], route)
    data = {"dialplan_uuid": uuids[main], "dialplan_uuids": list(uuids.values())}
    return Answer(data, 201, "Outbound route created successfully", warnings=call.warnings)


def _check_gateways(call: Call) -> list[tuple[UUID | str, str]]:
    """(uuid, name) of the gateways that were sent, which the domain may use."""
    gateways: list[tuple[UUID | str, str]] = []
    for field in _GATEWAYS:
        uuid = call.data.get(field)
        if uuid:
            gateway = call.row("gateway", gateway_uuid=uuid)
            if gateway is None:
                raise invalid(f"{field} names no record of this domain", field)
            gateways.append((uuid, gateway["name"]))
    return gateways


def _routes(call: Call, expressions: Sequence[str]) -> list[Route]:
    """The dialplans of all expressions, two each: what marks the call as outbound, and what bridges it."""
    for field in ("details", "dialplan_xml"):
        if call.data.get(field):
            raise invalid(f"{field} can be given instead of expressions, not beside them", field)
    gateways = _check_gateways(call)
    order = call.data.get("dialplan_order") or "300"
    limit = call.data.get("limit")
    name = call.data.get("name") or call.data.get("dialplan_name")
    routes: list[Route] = []
    for place, expression in enumerate(expressions):
        try:
            direction, bridge = outbound_route(
                expression,
                gateways,
                prefix_number=call.data.get("prefix", ""),
                toll_allow=call.data.get("toll_allow", ""),
                limit=int(limit) if limit else None,
                accountcode=call.data.get("accountcode", ""),
                pin_number=call.data.get("pin_numbers", ""),
                order=int(order),
                description=call.data.get("dialplan_description", ""),
            )
        except InvalidValue as error:
            fields = {
                "expression": f"expressions.{place}",
                "gateways": "gateway_uuid",
                "pin_number": "pin_numbers",
            }
            raise fault(error, "expressions", fields) from None
        short = bridge.name.removeprefix(f"{gateways[0][1]}.")
        own = bridge.name if not name else name if len(expressions) == 1 else f"{name}.{short}"
        routes += [direction, Route(own[:255], bridge.order, bridge.continue_, bridge.details)]
    return routes


def _add(call: Call, uuid: UUID, route: Route) -> None:
    """One of the dialplans; what it does was checked with the words that it is made of."""
    record = {
        **blank(call.resource.schema),
        **call.data,
        "dialplan_uuid": uuid,
        "dialplan_name": route.name,
        "dialplan_order": str(route.order),
        "dialplan_continue": "true" if route.continue_ else "false",
        "details": as_rows(route.details),
    }
    complete(call, record, None, app=OUTBOUND_APP, context=call.caller.domain_name, order="300")
    make_xml(call, record, None, checked=True)
    call.claim(record, None)
    call.do("create", **record)
    store(call, record, None)
    call.audit("add", None, record)
    call.note_change("create", uuid, new=record)
