"""Dialplans, and those that have a resource of their own: inbound routes, outbound routes, time conditions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pbxapi.plugin import Operation, Plugin, Resource, Sort

from . import dialplans, routes, time_conditions
from .schemas import (
    DIALPLAN_APP,
    DOCUMENTED_TIME_CONDITION_APP,
    INBOUND_APP,
    OUTBOUND_APP,
    TIME_CONDITION_APP,
    Dialplan,
    InboundRoute,
    OutboundRoute,
    TimeCondition,
)


def _resource(*, apps: list[UUID] | None, **declared: Any) -> Resource:
    """A resource over v_dialplans.

    Args:
        apps: the applications whose dialplans it shows; None for all.
        declared: what is its own.
    """
    common: dict[str, Any] = {
        "id": "dialplan_uuid",
        "table": "v_dialplans",
        "sql": "dialplans",
        "parameters": {"apps": apps},
        "app_uuid": apps[0] if apps else DIALPLAN_APP,
        "row": (
            "dialplan_uuid",
            "app_uuid",
            "dialplan_context",
            "dialplan_name",
            "dialplan_number",
            "dialplan_destination",
            "dialplan_continue",
            "dialplan_order",
            "dialplan_enabled",
            "dialplan_description",
            "hostname",
        ),
        "search": ("dialplan_name", "dialplan_number", "dialplan_context", "dialplan_description"),
        "sort": {
            "dialplan_order": Sort("place"),
            "dialplan_name": Sort("dialplan_name"),
            "dialplan_number": Sort("dialplan_number"),
            "dialplan_context": Sort("dialplan_context"),
            "dialplan_description": Sort("dialplan_description"),
        },
        "filters": (
            "app_uuid",
            "dialplan_context",
            "dialplan_name",
            "dialplan_number",
            "dialplan_order",
            "dialplan_enabled",
            "dialplan_continue",
            "dialplan_destination",
        ),
        "store": dialplans.store,
        "remove": dialplans.remove,
        "keep": ("dialplan_context", "dialplan_name", "dialplan_order", "app_uuid"),
        "effects": dialplans.effects,
    }
    return Resource(**{**common, **declared})


all_dialplans = _resource(
    name="dialplans",
    label="Dialplan",
    apps=None,
    schema=Dialplan,
    prepare=dialplans.prepare,
)

inbound_routes = _resource(
    name="inbound-routes",
    label="Inbound route",
    apps=[INBOUND_APP],
    schema=InboundRoute,
    prepare=routes.prepare_inbound,
)

outbound_routes = _resource(
    name="outbound-routes",
    label="Outbound route",
    apps=[OUTBOUND_APP],
    schema=OutboundRoute,
    prepare=routes.prepare_outbound,
    operations=(
        Operation(
            "create",
            routes.create_outbound,
            ("POST",),
            body=OutboundRoute,
            answer=OutboundRoute,
            writes=True,
            status=201,
            summary="Create an outbound route",
        ),
    ),
)

conditions = _resource(
    name="time-conditions",
    label="Time condition",
    apps=[TIME_CONDITION_APP, DOCUMENTED_TIME_CONDITION_APP],
    schema=TimeCondition,
    prepare=time_conditions.prepare,
    show=time_conditions.show,
)

plugin = Plugin(
    name="dialplans",
    version="1.0.0",
    resources=(all_dialplans, inbound_routes, outbound_routes, conditions),
)
