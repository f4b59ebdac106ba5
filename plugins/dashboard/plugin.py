"""The dashboard: a domain in figures, and what its phones and calls do at this moment."""

from __future__ import annotations

from datetime import datetime

from pbxapi.plugin import Answer, Call, Nested, Operation, Plugin, Record, Resource, Text, domain_zone, fields
from pbxapi.plugin.calls import is_own, shown


class Total(Record):
    total = fields.Integer()


class NewMessages(Record):
    new_messages = fields.Integer()


class Today(Record):
    today_total = fields.Integer()


class Statistics(Record):
    extensions = Nested(Total)
    users = Nested(Total)
    gateways = Nested(Total)
    voicemails = Nested(NewMessages)
    calls = Nested(Today)


class Registration(Record):
    user = Text()
    domain = Text()
    contact = Text()
    agent = Text()
    status = Text()
    profile = Text()
    hostname = Text()


class ActiveCall(Record):
    uuid = Text()
    direction = Text()
    caller_id_name = Text()
    caller_id_number = Text()
    destination = Text()
    state = Text()
    created = Text()
    created_epoch = fields.Integer(allow_none=True)
    hostname = Text()


def stats(call: Call) -> Answer:
    """Counts; a day begins at midnight in the domain's time zone."""
    today = datetime.now(domain_zone(call)).replace(hour=0, minute=0, second=0, microsecond=0)
    found = call.row("stats", today=today)
    assert found is not None
    return Answer(
        {
            "extensions": {"total": found["extensions"]},
            "users": {"total": found["users"]},
            "gateways": {"total": found["gateways"]},
            "voicemails": {"new_messages": found["new_messages"]},
            "calls": {"today_total": found["calls_today"]},
        }
    )


def registrations(call: Call) -> Answer:
    """The domain's phones, by the realm that they authenticated in: the rest a phone writes as it likes.

    Raises:
        SwitchUnavailable: no switch node answers.
    """
    profiles = [row["name"] for row in call.rows("sip_profiles")]
    domain = call.caller.domain_name
    found = [
        {
            "user": row["user"],
            "domain": domain,
            "contact": _address(row["contact"]),
            "agent": row["agent"],
            "status": row["status"].partition("(")[0],
            "profile": row["profile"],
            "hostname": row["host"] or node,
        }
        for node, rows in call.ask("registrations", {"profiles": profiles}).items()
        for row in rows
        if row["realm"].lower() == domain.lower()
    ]
    return Answer(sorted(found, key=lambda row: (row["user"], row["contact"], row["hostname"])))


def active_calls(call: Call) -> Answer:
    """The domain's calls, leg by leg, oldest first.

    Raises:
        SwitchUnavailable: no switch node answers.
    """
    zone = domain_zone(call)
    found = [
        shown(row, node, zone)
        for node, rows in call.ask("channels", {"variable": "domain_uuid"}).items()
        for row in rows
        if is_own(row, call.caller.domain_uuid, call.caller.domain_name)
    ]
    return Answer(sorted(found, key=lambda row: (row["created_epoch"] or 0, row["uuid"])))


def _address(contact: str) -> str:
    """The URI of a contact header such as ``"" <sip:101@192.0.2.7:5060>``."""
    return contact.partition("<")[2].rpartition(">")[0] or contact


dashboard = Resource(
    name="dashboard",
    label="Dashboard",
    id="domain_uuid",
    schema=Statistics,
    standard=(),
    operations=(
        Operation("stats", stats, path="stats", answer=Statistics, summary="Statistics of the domain"),
        Operation(
            "registrations",
            registrations,
            path="registrations",
            answer=Registration,
            many=True,
            summary="Phones that are registered",
        ),
        Operation(
            "active-calls",
            active_calls,
            path="active-calls",
            answer=ActiveCall,
            many=True,
            summary="Calls in progress",
        ),
    ),
)

plugin = Plugin(name="dashboard", version="1.0.0", resources=(dashboard,))
