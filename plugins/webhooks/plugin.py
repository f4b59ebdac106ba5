"""Webhooks: who is told of events, by signed requests as the Standard Webhooks specification has them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    CheckRun,
    EventType,
    Job,
    JobRun,
    Metric,
    Operation,
    Plugin,
    Resource,
    Rows,
    Service,
    Setting,
    Sort,
    create_record,
    forbidden,
    invalid,
    list_records,
    not_found,
)
from pbxapi.plugin.events import type_pattern

from . import delivering, guard, signing
from .schemas import (
    STATES,
    Delivery,
    IssuedWebhook,
    Replay,
    Replayed,
    RotatedWebhook,
    Rotation,
    Tested,
    Webhook,
)
from .sending import Message, send

REPLAY_MOST = 10_000
"""Events that one replay sends again."""

_TEST_SECONDS = 5.0
_tests = threading.BoundedSemaphore(2)  # each holds a thread of this process, which requests need too


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Check where it leads and what it asks for."""
    if old is None:
        _begin(call, record)
    else:
        for name in ("all_domains", "signature", "secret"):
            if name in call.data and call.data[name] != old.get(name):
                words = "is changed by POST .../rotate" if name == "secret" else "cannot be changed"
                raise invalid(f"{name} {words}", name)
    _check_types(call, record["event_types"])
    target = guard.parse(record["url"])
    record["host"] = target.place
    if old is None or record["url"] != old["url"]:
        try:
            guard.check(target, guard.addresses(target), call.options["PBXAPI_WEBHOOK_ALLOW"])
        except guard.Refused as error:
            raise invalid(f"url must not be had: {error}", "url") from None
        except guard.Unresolved as error:
            call.warn(f"{error}: nothing can be delivered as long as that is so")


def _begin(call: Call, record: dict[str, Any]) -> None:
    if record["all_domains"] == "true":
        if call.caller.domains is not None:
            raise forbidden("Only a key for every domain asks for the events of all domains", "all_domains")
        record["domain_uuid"] = None
    record["public_key"] = signing.public_key(record["secret"])


def _secret(signature: str, given: str) -> str:
    """The secret that was given, else a new one."""
    if not given:
        return signing.new_secret(signature)
    try:
        signing.check_secret(signature, given)
    except ValueError as error:
        raise invalid(f"secret {error}", "secret") from None
    return given


def _check_types(call: Call, patterns: list[str]) -> None:
    """Each names types of events, all of which the caller's own key may read."""
    for place, pattern in enumerate(patterns):
        field = f"event_types.{place}"
        matches = type_pattern(pattern).fullmatch
        events = [event for name, event in call.registry.events.items() if matches(name)]
        if not events:
            raise invalid(f"there is no type of event {pattern}: GET /events/types names all", field)
        for event in events:
            if not call.caller.may(event.scope):
                raise forbidden(f"The key lacks the scope {event.scope}, which {event.name} needs", field)


def resume(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """``enabled`` sent as true, or another URL, ends a pause, and sends at once what waits."""
    if old is None or old["state"] == "active" or record["enabled"] != "true":
        return
    if "enabled" in call.data or record["url"] != old["url"]:
        _resume(call)


def _resume(call: Call) -> None:
    assert call.uuid is not None
    webhook = call.row("resume", webhook_uuid=call.uuid)
    if webhook and webhook["missed_since"]:
        call.tell("webhook.gap", delivering.gap(call.uuid, webhook))


def create(call: Call) -> Answer:
    """A new webhook, whose secret is shown this once."""
    call.data["secret"] = _secret(call.data["signature"], call.data["secret"])
    answer = create_record(call)
    answer.data |= _shown(call.data["secret"])
    return answer


def _shown(secret: str) -> dict[str, str]:
    """What the receiver needs: the secret itself, or the public key that verifies its signatures."""
    key = signing.public_key(secret)
    return {"secret": "" if key else secret, "public_key": key}


def rotate(call: Call) -> Answer:
    """A new secret; the one before signs too for the overlap."""
    assert call.uuid is not None
    secret = _secret(call.record["signature"], call.data["secret"])
    until = call.value(
        "rotate",
        webhook_uuid=call.uuid,
        secret=secret,
        public_key=signing.public_key(secret) or None,
        overlap=int(call.data["overlap"] or 0),
    )
    call.audit("update", call.record, {**call.record, "previous_until": until})
    call.note_change("update", call.uuid, call.record)
    data = {"webhook_uuid": call.uuid, **_shown(secret), "previous_until": until}
    return Answer(data, message="Secret rotated successfully")


def test(call: Call) -> Answer:
    """Send an event ``webhook.test`` now; its outcome. No connection to the database is held meanwhile."""
    if not _tests.acquire(blocking=False):
        raise ApiError(429, "RATE_LIMITED", "Other tests are running; try again", headers={"Retry-After": "2"})
    try:
        target = call.row("target", webhook_uuid=call.uuid)
        if target is None:
            raise not_found("Webhook not found")
        call.session.rest()
        event_id = uuid4()
        body = delivering.body_of(
            {
                "event_id": event_id,
                "type": "webhook.test",
                "created_at": datetime.now(UTC),
                "position": 0,
                "domain_uuid": call.caller.domain_uuid,
                "domain_name": call.caller.domain_name,
                "data": {"webhook_uuid": str(call.uuid)},
            }
        )
        outcome = send(
            Message(str(event_id), target["url"], body, target["secrets"], target["headers"]),
            allowed=call.options["PBXAPI_WEBHOOK_ALLOW"],
            seconds=min(call.options["PBXAPI_WEBHOOKS_TIMEOUT"], _TEST_SECONDS),
        )
    finally:
        _tests.release()
    delivery_uuid = uuid4()
    call.do(
        "note_test",
        delivery_uuid=delivery_uuid,
        webhook_uuid=call.uuid,
        event_id=event_id,
        state="delivered" if outcome.delivered else "failed",
        status=outcome.status,
        latency=outcome.latency,
        response=outcome.response,
        error=outcome.error,
    )
    if outcome.delivered and call.record["state"] in ("paused", "failing"):
        _resume(call)
    data = {
        "delivery_uuid": delivery_uuid,
        "delivered": "true" if outcome.delivered else "false",
        "status": outcome.status,
        "latency": outcome.latency,
        "response": outcome.response,
        "error": outcome.error,
    }
    return Answer(data, message="The receiver has it" if outcome.delivered else "The receiver does not have it")


def replay(call: Call) -> Answer:
    """Send again: one delivery, or all events of a time that the webhook wants."""
    one, since, until = (call.data.get(name) for name in ("delivery_uuid", "since", "until"))
    if (one is None) == (since is None and until is None):
        raise invalid("say delivery_uuid, or from and to", "delivery_uuid")
    if one is not None:
        return Answer({"deliveries": _replay_one(call, one)}, 202, "Sent again")
    if since is None or until is None:
        raise invalid("from and to belong together", "to" if until is None else "from")
    if since >= until:
        raise invalid("to must be later than from", "to")
    range_ = {"webhook_uuid": call.uuid, "since": since, "until": until}
    if call.value("count_range", most=REPLAY_MOST + 1, **range_) > REPLAY_MOST:
        raise invalid(f"from and to hold more than {REPLAY_MOST} events: take a part of them", "to")
    # The webhook's row is locked: its position, up to which there are deliveries, stays where it is.
    again = call.run("replay_known", **range_) + call.run("replay_unknown", **range_)
    return Answer({"deliveries": again}, 202, "Sent again")


def _replay_one(call: Call, delivery_uuid: UUID) -> int:
    found = call.run("replay_one", webhook_uuid=call.uuid, delivery_uuid=delivery_uuid)
    if not found:
        raise invalid("delivery_uuid names no delivery of an event to this webhook", "delivery_uuid")
    return found


def prune(run: JobRun) -> None:
    """Every hour: old deliveries are forgotten, some at a time; one that waits is not, it ends with its event."""
    while run.session.run(
        "delete from pbxapi.webhook_delivery where delivery_uuid in ("
        " select delivery_uuid from pbxapi.webhook_delivery"
        "  where created_at < clock_timestamp() - make_interval(days => %(days)s) and state <> 'waiting'"
        "  order by created_at limit 5000)",
        days=run.options["PBXAPI_WEBHOOKS_KEEP_DAYS"],
    ):
        pass


def count_webhooks(run: CheckRun) -> Mapping[tuple[str, ...], float]:
    """By their state."""
    rows = run.session.rows(
        "select case when not enabled then 'disabled' when paused_at is not null then 'paused'"
        "            when failing_since is not null then 'failing' else 'active' end as state, count(*) as found"
        "  from pbxapi.webhook"
        " where %(domains)s::uuid[] is null or domain_uuid = any(%(domains)s::uuid[]) group by 1",
        domains=None,
    )
    return {(state,): 0.0 for state in STATES} | {(row["state"],): float(row["found"]) for row in rows}


def count_waiting(run: CheckRun) -> float:
    """Deliveries; at most some hundreds of each webhook."""
    return float(run.session.value("select count(*) from pbxapi.webhook_delivery where state = 'waiting'"))


def count_attempts(run: CheckRun) -> Mapping[tuple[str, ...], float]:
    """Since the first one of all."""
    row = run.session.row(
        "select coalesce(sum(delivered), 0) as delivered, coalesce(sum(failed), 0) as failed"
        "  from pbxapi.webhook_attempts"
    )
    return {(outcome,): float(count) for outcome, count in (row or {}).items()}


_TEXT = {"type": "string"}

webhooks = Resource(
    name="webhooks",
    label="Webhook",
    id="webhook_uuid",
    schema=Webhook,
    table="pbxapi.webhook",
    row=(
        "webhook_uuid",
        "host",
        "event_types",
        "description",
        "enabled",
        "all_domains",
        "state",
        "failing_since",
        "last_success_at",
        "last_error",
    ),
    search=("host", "description"),
    sort={"created_at": Sort("made", "time"), "host": Sort("host"), "description": Sort("description")},
    limit="webhooks",
    filters=("url", "host", "state", "enabled", "all_domains"),
    prepare=prepare,
    store=resume,
    operations=(
        Operation(
            "create",
            create,
            ("POST",),
            body=Webhook,
            answer=IssuedWebhook,
            writes=True,
            status=201,
            summary="Create a webhook",
        ),
        Operation(
            "rotate",
            rotate,
            ("POST",),
            "item",
            path="rotate",
            body=Rotation,
            answer=RotatedWebhook,
            writes=True,
            summary="Replace a webhook's secret by a new one",
        ),
        Operation(
            "test",
            test,
            ("POST",),
            "item",
            path="test",
            answer=Tested,
            scope="webhooks:write",
            summary="Send an event webhook.test now",
        ),
        Operation(
            "replay",
            replay,
            ("POST",),
            "item",
            path="replay",
            body=Replay,
            answer=Replayed,
            writes=True,
            status=202,
            summary="Send deliveries again",
        ),
        Operation(
            "deliveries",
            list_records,
            on="item",
            path="deliveries",
            rows=Rows(
                statement="deliveries",
                id="delivery_uuid",
                schema=Delivery,
                sort={"created_at": Sort("made", "time")},
                order="-created_at",
                filters=("state", "type", "event_id"),
                count_most=10_000,
            ),
            summary="List what became of the events that a webhook wants",
        ),
    ),
)

plugin = Plugin(
    name="webhooks",
    version="1.0.0",
    resources=(webhooks,),
    services={"deliver": Service(delivering.deliver, "Sends events to webhooks.")},
    jobs={"prune": Job(prune, every=3600.0)},
    metrics={
        "webhooks": Metric("Webhooks by their state.", count_webhooks, labels=("state",)),
        "waiting": Metric("Deliveries that wait to be sent, or sent again.", count_waiting),
        "attempts_total": Metric("Attempts by their outcome.", count_attempts, "counter", ("outcome",)),
    },
    settings=(
        Setting(
            "PBXAPI_WEBHOOK_ALLOW",
            guard.networks,
            (),
            help="Networks of your own that webhooks may reach, by http too.",
        ),
        Setting(
            "PBXAPI_WEBHOOKS_TIMEOUT", delivering.seconds, 10.0, help="Seconds that a receiver has to answer."
        ),
        Setting(
            "PBXAPI_WEBHOOKS_RETRIES",
            delivering.schedule,
            delivering.RETRIES,
            help="Seconds until each further attempt, such as 5,30,120.",
        ),
        Setting(
            "PBXAPI_WEBHOOKS_PAUSE_AFTER",
            delivering.seconds,
            5 * 86400.0,
            help="Seconds of failure until a webhook is paused.",
        ),
        Setting("PBXAPI_WEBHOOKS_KEEP_DAYS", delivering.number, 14, help="Days until a delivery is forgotten."),
        Setting(
            "PBXAPI_WEBHOOKS_THREADS", delivering.number, 32, help="Deliveries on their way at the same time."
        ),
    ),
    events=(
        EventType(
            "webhook.paused",
            "A receiver failed for too long, or is gone; nothing is sent to it any more.",
            {
                "type": "object",
                "properties": {
                    "webhook_uuid": {"type": "string", "format": "uuid"},
                    "host": _TEXT,
                    "reason": {"enum": ["failing", "gone"]},
                    "failing_since": _TEXT,
                    "error": _TEXT,
                },
                "required": ["webhook_uuid", "host", "reason", "failing_since", "error"],
            },
        ),
        EventType(
            "webhook.gap",
            "A receiver is well again that failed for longer than events are kept: some will never come. Told to "
            "that webhook whatever it asks for.",
            {
                "type": "object",
                "properties": {
                    "webhook_uuid": {"type": "string", "format": "uuid"},
                    "host": _TEXT,
                    "from": {"type": "string", "format": "date-time"},
                },
                "required": ["webhook_uuid", "host", "from"],
            },
        ),
        EventType(
            "webhook.test",
            "Sent by POST /webhooks/<uuid>/test, to that webhook alone.",
            {"type": "object", "properties": {"webhook_uuid": {"type": "string", "format": "uuid"}}},
        ),
    ),
)
