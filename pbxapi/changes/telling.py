"""What of the switch's events is told, to whom, and in which words.

Whose event it is says only what a caller from outside cannot write (docs/switch.md): of a call the channel
variable `domain_uuid`, else a context that is a domain's name; of a registration the realm that the phone
authenticated in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pbxapi.data.database import Session
from pbxapi.switch.commands import GatewayStatus
from pbxapi.switch.events import Gap, Item, SwitchEvent

_CALL = (
    "Unique-ID",
    "Channel-Call-UUID",
    "Call-Direction",
    "Caller-Caller-ID-Name",
    "Caller-Caller-ID-Number",
    "Caller-Destination-Number",
    "Caller-Context",
    "Caller-Channel-Created-Time",
    "Caller-Channel-Answered-Time",
    "Caller-Channel-Hangup-Time",
    "Hangup-Cause",
    "variable_domain_uuid",
    "variable_call_direction",
    "variable_duration",
    "variable_billsec",
    "variable_sip_hangup_disposition",
)
_REGISTRATION = (
    "call-id",
    "contact",
    "expires",
    "from-user",
    "network-ip",
    "network-port",
    "profile-name",
    "realm",
    "reason",
    "update-reg",
    "user",
    "user-agent",
)

WANTED: Mapping[str, tuple[str, ...]] = {
    "CHANNEL_CREATE": _CALL,
    "CHANNEL_PROGRESS": _CALL,
    "CHANNEL_PROGRESS_MEDIA": _CALL,
    "CHANNEL_ANSWER": _CALL,
    "CHANNEL_HANGUP_COMPLETE": _CALL,
    "MESSAGE_WAITING": ("MWI-Messages-Waiting", "MWI-Message-Account"),
    "sofia::register": _REGISTRATION,
    "sofia::unregister": _REGISTRATION,
    "sofia::expire": _REGISTRATION,
    "sofia::gateway_state": ("Gateway", "State", "Ping-Status"),
    "sofia::gateway_delete": ("Gateway",),
}
"""The events that are subscribed to, each with the headers that are kept; nothing else of them is."""

_CALLS_MOST = 100_000
_PHONES_MOST = 200_000

_DOMAINS = """
select domain_uuid, domain_name
  from v_domains
 where domain_uuid = any(%(uuids)s) or lower(domain_name) = any(%(names)s)
"""

_GATEWAYS = "select gateway_uuid, domain_uuid, gateway from v_gateways where gateway_uuid = any(%(uuids)s)"

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Domain:
    """A tenant."""

    uuid: UUID
    name: str


@dataclass(frozen=True)
class Told:
    """An event to be told.

    Attributes:
        domain_uuid: whose it is; None for the whole system's.
    """

    type: str
    data: Mapping[str, Any]
    domain_uuid: UUID | None
    resource: str | None = None
    record_uuid: UUID | None = None


@dataclass(frozen=True)
class Missed:
    """A gap to be told, to every domain and to the system."""

    data: Mapping[str, Any]


@dataclass(frozen=True)
class Lamp:
    """A voicemail box whose lamp was lit: new messages in it are to be told, if there are any."""

    box: str
    domain: str


Telling = Told | Missed | Lamp


@dataclass
class Known:
    """What the database says of the domains and gateways that some events name."""

    by_uuid: Mapping[UUID, Domain] = field(default_factory=dict)
    by_name: Mapping[str, Domain] = field(default_factory=dict)
    gateways: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, items: Iterable[Item], gateways: Iterable[str] = ()) -> Known:
        """Look up what is needed for some events, and some gateways besides, in at most two statements."""
        uuids: set[UUID] = set()
        names: set[str] = set()
        wanted = {uuid for name in gateways if (uuid := _uuid(name))}
        for item in items:
            if isinstance(item, SwitchEvent):
                uuids |= {uuid for text in (item.headers.get("variable_domain_uuid"),) if (uuid := _uuid(text))}
                names |= {
                    item.headers[header].lower()
                    for header in ("Caller-Context", "realm")
                    if header in item.headers
                }
                wanted |= {uuid for text in (item.headers.get("Gateway"),) if (uuid := _uuid(text))}
        domains = session.rows(_DOMAINS, uuids=list(uuids), names=list(names)) if uuids or names else []
        rows = session.rows(_GATEWAYS, uuids=list(wanted)) if wanted else []
        found = [Domain(row["domain_uuid"], row["domain_name"]) for row in domains]
        return cls(
            {domain.uuid: domain for domain in found},
            {domain.name.lower(): domain for domain in found},
            {str(row["gateway_uuid"]): row for row in rows},
        )

    def of_call(self, headers: Mapping[str, str]) -> Domain | None:
        """Whose a call is, as far as can be said yet."""
        if uuid := _uuid(headers.get("variable_domain_uuid")):
            return self.by_uuid.get(uuid)
        return self.by_name.get(headers.get("Caller-Context", "").lower())


class Memory(OrderedDict[K, V], Generic[K, V]):
    """A dictionary that forgets what was put in first when it holds too much."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._most:
            self.popitem(last=False)


class Teller:
    """Turns what one node's switch tells into what is told; remembers what it needs for that, and nothing else.

    Args:
        node: its name.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._since = 0.0
        """From when on, by the switch's clock, no beginning of a call can have been missed."""
        self._calls: Memory[str, Domain] = Memory(_CALLS_MOST)
        self._phones: Memory[str, tuple[Domain, Mapping[str, Any]]] = Memory(_PHONES_MOST)
        self._gateways: dict[str, bool] = {}

    def tell(self, item: Item, known: Known) -> Iterator[Telling]:
        """What is to be told of something that was heard."""
        if isinstance(item, Gap):
            yield from self._gap(item)
        elif isinstance(item, SwitchEvent):
            if item.name.startswith("CHANNEL_"):
                yield from self._call(item, known)
            elif item.name.startswith("sofia::gateway_"):
                yield from self._gateway_event(item.headers, known)
            elif item.name.startswith("sofia::"):
                yield from self._registration(item, known)
            elif item.headers.get("MWI-Messages-Waiting") == "yes":
                yield from _lamp(item.headers)

    def compare(self, gateways: Iterable[GatewayStatus], known: Known) -> Iterator[Telling]:
        """What is to be told where the gateways of this moment are compared with what was known of them.

        Nothing of those of which nothing was known: how they are is no news.
        """
        here = {gateway.name: _is_up(gateway.state, gateway.status) for gateway in gateways}
        states = {gateway.name: gateway for gateway in gateways}
        for name, up in here.items():
            if up is None:
                continue
            if self._gateways.get(name, up) is not up:
                yield from self._gateway(name, up, states[name].state, states[name].status, known)
            self._gateways[name] = up
        for name in self._gateways.keys() - here.keys():
            del self._gateways[name]

    def _gap(self, gap: Gap) -> Iterator[Telling]:
        if gap.switch_time is not None:
            self._since = gap.switch_time
        if gap.since is not None:
            data = {"node": self._node, "from": _moment(gap.since), "to": _moment(gap.until), "reason": gap.reason}
            yield Missed(data)

    def _call(self, event: SwitchEvent, known: Known) -> Iterator[Telling]:
        headers = event.headers
        uuid = headers.get("Unique-ID", "")
        ended = event.name == "CHANNEL_HANGUP_COMPLETE"
        # A call stays whose it was when it was first told of: nobody is to hear of an end without a beginning.
        told = self._calls.get(uuid)
        domain = told or known.of_call(headers)
        if domain is None:
            return
        data = self._call_data(headers)
        if told is None:
            if _micro(headers.get("Caller-Channel-Created-Time")) >= self._since:
                yield Told("call.started", data, domain.uuid)
            self._calls[uuid] = domain
        if event.name == "CHANNEL_ANSWER":
            yield Told("call.answered", data | _times(headers, "answer"), domain.uuid)
        if ended:
            del self._calls[uuid]
            yield Told("call.ended", data | _times(headers, "answer", "end") | _figures(headers), domain.uuid)

    def _call_data(self, headers: Mapping[str, str]) -> dict[str, Any]:
        uuid = headers.get("Unique-ID", "")
        call_uuid = headers.get("Channel-Call-UUID") or uuid
        return {
            "node": self._node,
            "uuid": uuid,
            "call_uuid": call_uuid,
            "leg": "a" if call_uuid == uuid else "b",
            "direction": headers.get("variable_call_direction"),
            "leg_direction": headers.get("Call-Direction"),
            "caller_id_name": headers.get("Caller-Caller-ID-Name", ""),
            "caller_id_number": headers.get("Caller-Caller-ID-Number", ""),
            "destination_number": headers.get("Caller-Destination-Number", ""),
            **_times(headers, "start"),
        }

    def _registration(self, event: SwitchEvent, known: Known) -> Iterator[Telling]:
        headers = event.headers
        call_id = headers.get("call-id", "")
        domain = known.by_name.get(headers.get("realm", "").lower())
        data: Mapping[str, Any]
        if domain is not None:
            data = {
                "node": self._node,
                "user": headers.get("from-user") or headers.get("user", ""),
                "domain": domain.name,
                "contact": _address(headers.get("contact", "")),
                "agent": headers.get("user-agent", ""),
                "profile": headers.get("profile-name", ""),
                "network_ip": headers.get("network-ip", ""),
                "network_port": _number(headers.get("network-port")),
            }
        elif event.name == "sofia::unregister" and call_id in self._phones:
            # One whose connection broke is told of without a realm: it is what it was when it registered.
            domain, data = self._phones[call_id]
        else:
            return
        if event.name == "sofia::register":
            self._phones[call_id] = domain, data
            if headers.get("update-reg") != "true":
                expires = {"expires": _number(headers.get("expires"))}
                yield Told("registration.gained", {**data, **expires}, domain.uuid)
            return
        self._phones.pop(call_id, None)
        reason = (
            "expired"
            if event.name == "sofia::expire"
            else "disconnected"
            if headers.get("reason")
            else "unregistered"
        )
        yield Told("registration.lost", {**data, "reason": reason}, domain.uuid)

    def _gateway_event(self, headers: Mapping[str, str], known: Known) -> Iterator[Telling]:
        name = headers.get("Gateway", "")
        if "State" not in headers:  # gateway_delete
            self._gateways.pop(name, None)
            return
        state, ping = headers["State"], headers.get("Ping-Status", "")
        up = _is_up(state, ping)
        if up is not None and self._gateways.get(name) is not up:
            self._gateways[name] = up
            yield from self._gateway(name, up, state, ping, known)

    def _gateway(self, name: str, up: bool, state: str, ping: str, known: Known) -> Iterator[Telling]:
        record = known.gateways.get(name.lower())
        if record is None:
            return
        data = {
            "node": self._node,
            "gateway_uuid": str(record["gateway_uuid"]),
            "gateway": record["gateway"] or "",
            "state": state,
            "ping_status": ping,
        }
        type = "gateway.up" if up else "gateway.down"
        yield Told(type, data, record["domain_uuid"], "gateways", record["gateway_uuid"])


def _is_up(state: str, status: str) -> bool | None:
    """Whether a gateway can be called through; None on the way from one registration to the next.

    A gateway that renews its registration goes through UNREGED, TRYING and REGISTER with its status still UP
    (sofia_reg.c).
    """
    if status == "DOWN" or state in ("FAILED", "FAIL_WAIT", "TIMEOUT", "EXPIRED", "DOWN"):
        return False
    return True if state in ("REGED", "NOREG") else None


def _lamp(headers: Mapping[str, str]) -> Iterator[Telling]:
    box, _, domain = headers.get("MWI-Message-Account", "").removeprefix("sip:").partition("@")
    if box and domain:
        yield Lamp(box, domain)


def _times(headers: Mapping[str, str], *names: str) -> dict[str, str | None]:
    header = {"start": "Created", "answer": "Answered", "end": "Hangup"}
    found = {name: _micro(headers.get(f"Caller-Channel-{header[name]}-Time")) for name in names}
    return {f"{name}_stamp": _moment(seconds) if seconds else None for name, seconds in found.items()}


def _figures(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "duration": _number(headers.get("variable_duration")),
        "billsec": _number(headers.get("variable_billsec")),
        "hangup_cause": headers.get("Hangup-Cause", ""),
        "sip_hangup_disposition": headers.get("variable_sip_hangup_disposition"),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _micro(text: str | None) -> float:
    """Seconds of a time in microseconds; 0 for none."""
    return int(text) / 1e6 if text and text.isascii() and text.isdecimal() and len(text) < 18 else 0.0


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 12 else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text and len(text) == 36 else None
    except ValueError:
        return None


def _address(contact: str) -> str:
    """The URI of a contact header such as ``"" <sip:101@192.0.2.7:5060>``."""
    return contact.partition("<")[2].rpartition(">")[0] or contact
