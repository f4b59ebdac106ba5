"""What a switch keeps while it runs, and how it shows it: gateways, registrations, calls."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from pbxapi.sandbox.switch_xml import GatewayXml

log = logging.getLogger(__name__)

XML_HEADER = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
SIP_ADDRESS = "127.0.0.1"

_CHANNEL_COLUMNS_TEXT = """
    uuid direction created created_epoch name state cid_name cid_num ip_addr dest application application_data
    dialplan context read_codec read_rate read_bit_rate write_codec write_rate write_bit_rate secure hostname
    presence_id presence_data accountcode callstate callee_name callee_num callee_direction call_uuid
    sent_callee_name sent_callee_num initial_cid_name initial_cid_num initial_ip_addr initial_dest
    initial_dialplan initial_context
"""
CHANNEL_COLUMNS = tuple(_CHANNEL_COLUMNS_TEXT.split())
"""Columns of `show channels`, in the switch's order."""

_CALL_COLUMNS_TEXT = """
    uuid direction created created_epoch name state cid_name cid_num ip_addr dest presence_id presence_data
    accountcode callstate callee_name callee_num callee_direction call_uuid hostname sent_callee_name
    sent_callee_num
"""
_CALL_COLUMNS = tuple(_CALL_COLUMNS_TEXT.split())
"""Columns of `show calls`, without the other leg's."""

_TEXT_LABELS_TEXT = """
    Name Profile Scheme Realm Username Password From Contact Exten To Proxy Context Expires Freq Ping PingFreq
    PingTime PingState State Status Uptime CallsIN CallsOUT FailedCallsIN FailedCallsOUT
"""
_TEXT_LABELS = tuple(_TEXT_LABELS_TEXT.split())
"""Lines of `sofia status gateway`."""

_GATEWAY_NAME = re.compile(r"[\w.-]+", re.ASCII)
_TRUE = re.compile(r"yes|on|true|t|enabled|active|allow|0*[1-9]\d*", re.IGNORECASE)
_RETRYING = ("FAILED", "FAIL_WAIT", "TRYING")
_RETRY_SECONDS = 30


def stamp(epoch: float) -> str:
    """A moment in the switch's spelling, local time."""
    return datetime.fromtimestamp(epoch).strftime("%Y-%m-%d %H:%M:%S")


def amp_encode(text: str) -> str:
    """The five characters that the switch encodes in some, not all, of its XML answers."""
    for plain, encoded in (("&", "&amp;"), ('"', "&quot;"), ("'", "&apos;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, encoded)
    return text


@dataclass
class Profile:
    """A SIP profile.

    Args:
        started: when, as time.time() gives it; it is not restarted in its first 10 seconds.
    """

    name: str
    port: int
    started: float = field(default_factory=time.time)

    @property
    def url(self) -> str:
        return f"sip:mod_sofia@{SIP_ADDRESS}:{self.port}"


@dataclass
class Gateway:
    """A gateway that the switch knows, with the parameters that it was made with.

    Args:
        state: REGED, NOREG, UNREGED, TRYING, REGISTER, FAILED, FAIL_WAIT, EXPIRED, TIMEOUT, DOWN ...
        status: UP or DOWN.
    """

    name: str
    profile: str
    params: Mapping[str, str]
    state: str
    status: str
    since: float = field(default_factory=time.time)

    @classmethod
    def made(cls, xml: GatewayXml) -> Gateway | None:
        """The gateway of a `<gateway>` element, registered at once if it is to register.

        None where the switch refuses it: a name with other characters than letters, digits, `.`, `-` and `_`,
        or a registration without username or password. A gateway registers unless it says otherwise.
        """
        registers = _TRUE.fullmatch(xml.params.get("register", "true")) is not None
        if not _GATEWAY_NAME.fullmatch(xml.name):
            log.warning("the switch ignores a gateway: invalid name %r", xml.name)
            return None
        if registers and not (xml.params.get("username") and xml.params.get("password")):
            log.warning("the switch ignores gateway %s: username and password are required", xml.name)
            return None
        return cls(xml.name, xml.profile, xml.params, "REGED" if registers else "NOREG", "UP")

    def _values(self) -> dict[str, str]:
        param = self.params.get
        realm = param("realm") or param("proxy") or self.name
        username = param("username") or "FreeSWITCH"
        proxy = (param("proxy") or realm).removeprefix("sip:")
        extension = param("extension") or username
        transport = param("register-transport") or "udp"
        in_contact = _TRUE.fullmatch(param("extension-in-contact", ""))
        contact_user = extension if in_contact else f"gw+{self.name}"
        expires = param("expire-seconds") or "3600"
        ping = param("ping", "")
        pings = ping.isdecimal() and int(ping) >= 5
        return {
            "name": self.name,
            "profile": self.profile,
            "scheme": "Digest",
            "realm": realm,
            "username": username,
            "password": "yes" if param("password") else "no",
            "from": f"<sip:{param('from-user') or username}@{param('from-domain') or proxy}>",
            "contact": f"<sip:{contact_user}@{SIP_ADDRESS};transport={transport};gw={self.name}>",
            "exten": extension,
            "to": f"sip:{username}@{proxy}",
            "proxy": f"sip:{proxy}",
            "context": param("context") or "public",
            "expires": expires,
            "freq": expires if expires.isdecimal() and int(expires) >= 5 else "3600",
            "ping": str(int(self.since) + int(ping)) if pings else "0",
            "pingfreq": ping if pings else "0",
            "pingmin": param("ping-min", "1") if pings else "0",
            "pingcount": "0",
            "pingmax": param("ping-max", "1") if pings else "0",
            "pingtime": "0.00",
            "pinging": "0",
            "state": self.state,
            "status": self.status,
        }

    @property
    def address(self) -> str:
        return self._values()["to"]

    def xml(self) -> str:
        """As in `sofia xmlstatus gateway`; only from, contact and exten are encoded, as on a switch."""
        values = self._values()
        for name in ("from", "contact", "exten"):
            values[name] = amp_encode(values[name])
        values["uptime-usec"] = str(int((time.time() - self.since) * 1e6) if self.status == "UP" else 0)
        values |= {"calls-in": "0", "calls-out": "0", "failed-calls-in": "0", "failed-calls-out": "0"}
        if self.state in _RETRYING:
            values["retry"] = f"{_RETRY_SECONDS - 1}s"
        lines = "".join(f"    <{name}>{value}</{name}>\n" for name, value in values.items())
        return f"  <gateway>\n{lines}  </gateway>\n"

    def text(self) -> str:
        """As in `sofia status gateway`."""
        values = self._values()
        values["pingstate"] = f"{values['pingmin']}/0/{values['pingmax']}"
        values["uptime"] = f"{int(time.time() - self.since) if self.status == 'UP' else 0}s"
        rule = "=" * 97 + "\n"
        return rule + "".join(f"{label:8}\t{values.get(label.lower(), '0')}\n" for label in _TEXT_LABELS) + rule

    def headers(self) -> dict[str, str]:
        """Of the event sofia::gateway_state."""
        return {"Gateway": self.name, "State": self.state, "Ping-Status": self.status}


@dataclass
class Registration:
    """A registered phone.

    Args:
        expires: the moment, as time.time() gives it.
        realm: the domain that it authenticated in.
    """

    user: str
    domain: str
    profile: str
    agent: str
    contact: str
    network_ip: str
    network_port: str
    transport: str
    call_id: str
    expires: float
    realm: str

    def row(self, hostname: str) -> dict[str, str]:
        """As in `show registrations`: neither agent nor status."""
        return {
            "reg_user": self.user,
            "realm": self.domain,
            "token": self.call_id,
            "url": f"sofia/{self.profile}/{self.contact}",
            "expires": str(int(self.expires)),
            "network_ip": self.network_ip,
            "network_port": self.network_port,
            "network_proto": self.transport,
            "hostname": hostname,
            "metadata": "",
        }

    def xml(self, hostname: str) -> str:
        """As in `sofia xmlstatus profile <profile> reg`."""
        left = int(self.expires - time.time())
        status = f"Registered({self.transport.upper()})(unknown) exp({stamp(self.expires)}) expsecs({left})"
        values = {
            "call-id": self.call_id,
            "user": f"{self.user}@{self.domain}",
            "contact": amp_encode(f'"" <{self.contact}>'),
            "agent": amp_encode(self.agent),
            "status": status,
            "ping-status": "Reachable",
            "ping-time": "0.00",
            "host": hostname,
            "network-ip": self.network_ip,
            "network-port": self.network_port,
            "sip-auth-user": quote(self.user, safe="!$'()*,/"),
            "sip-auth-realm": self.realm,
            "mwi-account": f"{self.user}@{self.domain}",
        }
        lines = "".join(f"        <{name}>{value}</{name}>\n" for name, value in values.items())
        return f"    <registration>\n{lines}    </registration>\n"

    def gone_headers(self) -> dict[str, str]:
        """Of the event sofia::expire, which comes from the table of registrations."""
        return {
            "profile-name": self.profile,
            "call-id": self.call_id,
            "user": self.user,
            "username": self.user,
            "host": self.domain,
            "contact": f'"" <{self.contact}>',
            "expires": str(int(self.expires)),
            "user-agent": self.agent,
            "realm": self.realm,
            "network-ip": self.network_ip,
            "network-port": self.network_port,
        }

    def broken_headers(self) -> dict[str, str]:
        """Of the event sofia::unregister where the connection of the phone broke: it has no realm."""
        return {
            "profile-name": self.profile,
            "from-user": self.user,
            "from-host": self.domain,
            "call-id": self.call_id,
            "rpid": "unknown",
            "reason": "socket-disconnection",
        }

    def headers(self) -> dict[str, str]:
        """Of the events sofia::register and sofia::unregister."""
        return {
            "profile-name": self.profile,
            "from-user": self.user,
            "from-host": self.domain,
            "presence-hosts": "n/a",
            "contact": f'"" <{self.contact}>',
            "call-id": self.call_id,
            "rpid": "unknown",
            "status": f"Registered({self.transport.upper()})",
            "expires": str(max(0, int(self.expires - time.time()))),
            "to-user": self.user,
            "to-host": self.domain,
            "network-ip": self.network_ip,
            "network-port": self.network_port,
            "username": self.user,
            "realm": self.realm,
            "user-agent": self.agent,
        }


@dataclass
class Call:
    """One leg of a call.

    Args:
        row: as in `show channels`.
        variables: channel variables.
        started, answered, ended: moments as time.time() gives them.
        partner: uuid of the leg that it is bridged to.
        callee: whether it is the second leg of a bridge; `show calls` has it in its partner's row.
        muted: whether its own voice is not passed on.
    """

    row: dict[str, str]
    variables: dict[str, str]
    started: float
    answered: float | None = None
    ended: float | None = None
    partner: str | None = None
    callee: bool = False
    muted: bool = False

    @property
    def uuid(self) -> str:
        return self.row["uuid"]

    def call_row(self, partner: Call | None) -> dict[str, str]:
        """As in `show calls`."""
        own = {name: self.row[name] for name in _CALL_COLUMNS}
        other = {f"b_{name}": partner.row[name] if partner else "" for name in _CALL_COLUMNS if name != "hostname"}
        return own | other | {"call_created_epoch": self.row["created_epoch"] if partner else ""}

    def end(self, cause: str, now: float) -> None:
        """Hang up: state and the variables of the call detail record."""
        self.ended = now
        self.row |= {"state": "CS_REPORTING", "callstate": "HANGUP"}
        duration = int(now) - int(self.started)
        billed = int(now) - int(self.answered) if self.answered else 0
        times = {"start": self.started, "answer": self.answered, "end": now}
        for name, moment in times.items():
            if moment:
                self.variables |= {f"{name}_epoch": str(int(moment)), f"{name}_stamp": stamp(moment)}
        self.variables |= {"duration": str(duration), "billsec": str(billed), "hangup_cause": cause}

    def profile_field(self, name: str) -> str | None:
        """A field of the caller's profile, which `uuid_getvar` gives where no variable has that name."""
        columns = {
            "caller_id_name": "cid_name",
            "caller_id_number": "cid_num",
            "context": "context",
            "destination_number": "dest",
            "dialplan": "dialplan",
            "network_addr": "ip_addr",
        }
        times = {"created_time": self.started, "answered_time": self.answered, "hungup_time": self.ended}
        if name in times:
            return str(int((times[name] or 0) * 1e6))
        return self.row[columns[name]] if name in columns else None

    def headers(self) -> dict[str, str]:
        """Of every event about this leg: state, caller, times and variables."""
        row = self.row
        answer = "hangup" if self.ended else "answered" if self.answered else "ringing"
        headers = {
            "Channel-State": row["state"],
            "Channel-Call-State": row["callstate"],
            "Channel-Name": row["name"],
            "Unique-ID": self.uuid,
            "Call-Direction": row["direction"],
            "Presence-Call-Direction": row["direction"],
            "Channel-HIT-Dialplan": "true" if row["direction"] == "inbound" else "false",
            "Channel-Presence-ID": row["presence_id"],
            "Channel-Call-UUID": row["call_uuid"],
            "Answer-State": answer,
            "Hangup-Cause": self.variables.get("hangup_cause", ""),
            "Caller-Direction": row["direction"],
            "Caller-Logical-Direction": row["direction"],
            "Caller-Username": row["cid_num"],
            "Caller-Dialplan": row["dialplan"],
            "Caller-Caller-ID-Name": row["cid_name"],
            "Caller-Caller-ID-Number": row["cid_num"],
            "Caller-Network-Addr": row["ip_addr"],
            "Caller-ANI": row["cid_num"],
            "Caller-Destination-Number": row["dest"],
            "Caller-Unique-ID": self.uuid,
            "Caller-Source": "mod_sofia",
            "Caller-Context": row["context"],
            "Caller-Channel-Name": row["name"],
        }
        times = {"Created": self.started, "Answered": self.answered, "Hangup": self.ended}
        for name, moment in times.items():
            headers[f"Caller-Channel-{name}-Time"] = str(int((moment or 0) * 1e6))
        headers = {name: value for name, value in headers.items() if value}
        variables = {"direction": row["direction"], "uuid": self.uuid, "call_uuid": row["call_uuid"]}
        variables |= {"presence_id": row["presence_id"]} | self.variables
        return headers | {f"variable_{name}": value for name, value in variables.items() if value}
