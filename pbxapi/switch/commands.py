"""What is asked of FreeSWITCH, and how its answers are judged.

The switch says `+OK` to things that failed, and says no without `-ERR`, so each function knows the answer
that means success; any other is a `SwitchRefused` with the switch's own words. The answers were measured on
FreeSWITCH 1.11 or read in its mod_commands.c and mod_sofia.c (docs/switch.md).

What becomes part of a command is checked against a whitelist first: ValueError, and nothing is sent.
All functions raise SwitchUnavailable when the switch does not answer in time; `timeout` is in seconds.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from html import unescape
from ipaddress import ip_address
from urllib.parse import unquote
from uuid import UUID

from pbxapi.errors import SwitchRefused
from pbxapi.switch.event_socket import EventSocket

RELOAD_TIMEOUT = 30.0
"""Seconds for a command that reads all XML: 16,000 users in one domain take 3.7 s (measured)."""

_PROFILE = re.compile(r"[A-Za-z0-9_.-]+")
_GATEWAY = re.compile(r"[\w.\-]+", re.ASCII)
_USER = re.compile(r"[0-9A-Za-z*#+._-]+")
_DOMAIN = re.compile(r"[0-9A-Za-z._-]+")
_VARIABLE = re.compile(r"[\w.\-]+", re.ASCII)
_NUMBER = re.compile(r"(?!-)[0-9A-Za-z*#+._-]{1,64}")  # one that begins with - would be an option of uuid_transfer
_NAME = re.compile(r"[\w .*#+-]{0,80}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CHANNEL = re.compile(r"[!#-&(-\[\]-~]+")  # printable ASCII without blank, quotes and backslash


@dataclass(frozen=True)
class GatewayStatus:
    """A gateway as sofia knows it.

    Attributes:
        name: FusionPBX names a gateway by its uuid in lower case.
        state: of the registration: REGED, UNREGED, TRYING, REGISTER, FAILED, FAIL_WAIT, EXPIRED, NOREG ...
        status: UP or DOWN, what the pings say.
        retry: time to the next attempt ("29s", "NEVER") after a failed one, else "".
    """

    name: str
    profile: str
    proxy: str
    state: str
    status: str
    retry: str


@dataclass(frozen=True)
class Registration:
    """A registered phone.

    Attributes:
        user, domain: the address of record, as the phone wrote it.
        realm: the one that the phone authenticated in: only this one tells whose phone it is. Empty where
            the profile took the registration without a password.
        contact: as in the SIP header, `"" <sip:101@192.0.2.7:5060>`.
        status: `Registered(UDP)(unknown) exp(2026-11-23 16:21:44) expsecs(360)`.
        auth_user: the name that it authenticated with.
        host: host name of the switch that holds the registration.
    """

    user: str
    domain: str
    realm: str
    contact: str
    agent: str
    status: str
    profile: str
    call_id: str
    network_ip: str
    network_port: str
    auth_user: str
    host: str
    ping_status: str


def reload_xml(switch: EventSocket) -> None:
    """Make the switch read its XML files again.

    It answers `+OK [...]` even when the files are broken and then keeps the old tree, so only `[Success]`
    counts (measured).

    Raises:
        SwitchRefused: the files do not parse; carries the switch's own words, with the line.
        SwitchUnavailable: no answer within 30 s.
    """
    _expect(switch, "reloadxml", "+OK [Success]", timeout=RELOAD_TIMEOUT)


def reload_acl(switch: EventSocket) -> None:
    """Make the switch read its access lists again; it reads all XML for that (mod_commands.c)."""
    _expect(switch, "reloadacl", "+OK acl reloaded", timeout=RELOAD_TIMEOUT)


def rescan(switch: EventSocket, profile: str) -> None:
    """Make a SIP profile look for new gateways; the switch reads all XML first.

    A gateway that it knows stays as it is, so a changed one is killed before (measured).

    Raises:
        SwitchRefused: the XML does not parse (the answer still ends in `+OK scan complete`), or the profile
            is not running, or has no configuration.
    """
    command = f"sofia profile {_named(_PROFILE, profile, 'profile')} rescan"
    _expect(switch, command, "Reload XML [Success]\n+OK scan complete", timeout=RELOAD_TIMEOUT)


def kill_gateway(switch: EventSocket, profile: str, name: str) -> bool:
    """Remove a gateway from the running switch, calls through it go on; False if there is none.

    mod_sofia finds a gateway by its name alone; the profile only has to be one that runs. `_all_` would
    remove every gateway of the profile and is no name.
    """
    if name.lower() == "_all_":
        raise ValueError("not the name of a gateway: '_all_'")
    command = f"sofia profile {_named(_PROFILE, profile, 'profile')} killgw {_named(_GATEWAY, name, 'gateway')}"
    answer = switch.api(command).strip()
    if answer == "-ERR no such gateway.":
        return False
    if answer != "+OK gateway marked for deletion.":
        raise _refused(command, answer)
    return True


def gateway_status(switch: EventSocket, name: str, timeout: float | None = None) -> GatewayStatus | None:
    """A gateway as the switch knows it, None if it does not."""
    command = f"sofia xmlstatus gateway {_named(_GATEWAY, name, 'gateway')}"
    answer = switch.api(command, timeout)
    if answer.strip() == "Invalid Gateway!":
        return None
    found = _gateways(answer)
    if len(found) != 1:
        raise _refused(command, answer)
    return found[0]


def gateways(switch: EventSocket, timeout: float | None = None) -> list[GatewayStatus]:
    """All gateways that the switch knows."""
    command = "sofia xmlstatus gateway"
    answer = switch.api(command, timeout)
    if "<gateways>" not in answer:
        raise _refused(command, answer)
    return _gateways(answer)


def profiles(switch: EventSocket, timeout: float | None = None) -> list[str]:
    """Names of the SIP profiles that run; aliases are left out."""
    command = "sofia xmlstatus"
    answer = switch.api(command, timeout)
    if "<profiles>" not in answer:
        raise _refused(command, answer)
    # A profile has one entry for each of UDP/TCP, TLS, WS and WSS.
    return list(dict.fromkeys(found["name"] for found in _blocks(answer, "profile") if "name" in found))


def registrations(
    switch: EventSocket, profiles: Iterable[str], timeout: float | None = None
) -> list[Registration]:
    """The phones that are registered with some profiles; a profile that does not run here has none.

    Args:
        timeout: seconds for all profiles together.

    Raises:
        SwitchRefused: the answer is no list of registrations.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    found = []
    for profile in profiles:
        command = f"sofia xmlstatus profile {_named(_PROFILE, profile, 'profile')} reg"
        answer = switch.api(command, None if deadline is None else deadline - time.monotonic())
        if answer.strip() == "Invalid Profile!":
            continue
        here = _registrations(answer, profile)
        if "<registrations>" not in answer or (not here and "<registration>" in answer):
            raise _refused(command, answer)
        found += here
    return found


def flush_registrations(switch: EventSocket, profile: str, user: str) -> None:
    """Forget the registrations of one user (`101@example.com`) with a profile."""
    # Without a user the switch would forget everybody's, and with a bare host those of a whole domain.
    command = f"sofia profile {_named(_PROFILE, profile, 'profile')} flush_inbound_reg {_mailbox(user)}"
    _expect(switch, command, "+OK flushing all registrations matching specified call_id")


def channels(switch: EventSocket, timeout: float | None = None) -> list[dict[str, str]]:
    """The calls' legs, each with the columns of the switch's channels table as text.

    Whose call it is says only the channel's own variable `domain_uuid` (`channel_variable`), or its context
    where that is a domain's name: a caller from outside chooses the rest, `presence_id` too (measured).
    """
    command = "show channels as json"
    answer = switch.api(command, timeout)
    try:
        rows: list[dict[str, str]] = json.loads(answer, strict=False).get("rows", [])  # no key for no rows
    except (ValueError, AttributeError):
        raise _refused(command, answer) from None
    return rows


def channel_variable(switch: EventSocket, uuid: str, name: str, timeout: float | None = None) -> str | None:
    """A variable of a call's leg; None if it is not set, or the call has ended.

    An id with a blank, a quote or a backslash counts as ended: a profile with `inbound-use-callid-as-uuid`
    takes the ids from whoever calls, and such a one cannot be asked for.
    """
    _named(_VARIABLE, name, "variable")
    if not _CHANNEL.fullmatch(uuid):
        return None
    command = f"uuid_getvar {uuid} {name}"
    answer = switch.api(command, timeout)
    if answer == "_undef_" or answer.strip() in ("-ERR No such channel!", "-ERR no reply"):
        return None
    if answer.startswith(("-ERR", "-USAGE")):
        raise _refused(command, answer)
    return answer


def channel_exists(switch: EventSocket, uuid: UUID, timeout: float | None = None) -> bool:
    """Whether a call's leg is on the switch."""
    command = f"uuid_exists {uuid}"
    answer = switch.api(command, timeout).strip()
    if answer not in ("true", "false"):
        raise _refused(command, answer)
    return answer == "true"


def hang_up(switch: EventSocket, uuid: UUID, timeout: float | None = None) -> bool:
    """End a call's leg; False if it has ended. Sent once, whatever comes of it."""
    return _of_channel(switch, f"uuid_kill {uuid}", timeout)


def transfer(
    switch: EventSocket, uuid: UUID, destination: str, context: str, timeout: float | None = None
) -> bool:
    """Send a call's leg to a number in a context; False if it has ended. Sent once."""
    number = _named(_NUMBER, destination, "destination")
    command = f"uuid_transfer {uuid} {number} XML {_named(_DOMAIN, context, 'context')}"
    return _of_channel(switch, command, timeout)


def hold(switch: EventSocket, uuid: UUID, on: bool, timeout: float | None = None) -> None:
    """Put a leg's phone on hold, or take it back; nothing where it is as asked already. Sent once.

    It must have been answered: the switch would send a re-INVITE whatever the state. That it does not exist the
    switch does not say (switch_ivr.c).
    """
    command = f"uuid_hold {uuid}" if on else f"uuid_hold off {uuid}"
    answer = switch.api(command, timeout, retry=False)
    if answer.strip() not in ("+OK Success", "-ERR Operation failed"):
        raise _refused(command, answer)


def mute(switch: EventSocket, uuid: UUID, on: bool, timeout: float | None = None) -> bool:
    """Silence what a leg's phone says, or no longer; False if it has ended. Sent once.

    It must have been answered: the switch would give it early media (switch_ivr_async.c).
    """
    return _of_channel(switch, f"uuid_audio {uuid} start read mute {int(on)}", timeout)


def is_registered(switch: EventSocket, user: str, domain: str, timeout: float | None = None) -> bool:
    """Whether a phone of a user is registered with this switch, with any profile."""
    command = f"sofia_contact */{_mailbox(f'{user}@{domain}')}"
    answer = switch.api(command, timeout).strip()
    if answer == "error/user_not_registered":
        return False
    if not answer.startswith("sofia/"):
        raise _refused(command, answer)
    return True


@dataclass(frozen=True)
class ClickToCall:
    """A call that the switch makes: it rings the phones of a user, and the one that answers calls a number.

    Attributes:
        uuid: of the leg to the phone, chosen by us.
        user: an extension of the domain.
        destination: what is then dialled, in the domain's context.
        caller_id_name, caller_id_number: what the phone shows while it rings.
        seconds: that it may ring.
        auto_answer: whether the phone is asked to answer by itself.
    """

    uuid: UUID
    domain_uuid: UUID
    domain: str
    user: str
    destination: str
    caller_id_name: str
    caller_id_number: str
    seconds: int
    auto_answer: bool = False

    def command(self) -> str:
        """The command `originate` of it; ValueError where a value could be more than a value.

        The phone's leg gets the variables that FusionPBX's click to call gives it, and from the directory those of
        the user once it has answered (mod_dptools.c): so it dials as the phone would.
        """
        name = _named(_NAME, self.caller_id_name, "caller")
        if self.destination.lower() == "undef":
            raise ValueError("not the name of a destination: 'undef'")  # originate takes it for nothing
        domain = _named(_DOMAIN, self.domain, "domain")
        user = _named(_USER, self.user, "user")
        variables = {
            "origination_uuid": str(self.uuid),
            "origination_caller_id_name": f"'{name}'",
            "origination_caller_id_number": _named(_NUMBER, self.caller_id_number, "caller"),
            "domain_uuid": str(self.domain_uuid),
            "domain_name": domain,
            "presence_id": f"{user}@{domain}",
            "click_to_call": "true",
            "ignore_early_media": "true",
            "originate_timeout": str(self.seconds),
            "call_timeout": str(self.seconds),
            **({"sip_auto_answer": "true"} if self.auto_answer else {}),
        }
        said = ",".join(f"{variable}={value}" for variable, value in variables.items())
        number = _named(_NUMBER, self.destination, "destination")
        return f"originate {{{said}}}user/{user}@{domain} {number} XML {domain}"


def originate(switch: EventSocket, call: ClickToCall, timeout: float | None = None) -> None:
    """Begin a call; the switch answers before it rings, and says nothing of what becomes of it. Sent once."""
    command = f"bgapi {call.command()}"
    answer = switch.api(command, timeout, retry=False)
    if not answer.startswith("+OK Job-UUID:"):
        raise _refused("bgapi originate", answer)


def message_waiting(switch: EventSocket, mailbox: str) -> None:
    """Have the switch tell the phones of a mailbox (`101@example.com`) what waits there.

    The switch answers when FusionPBX's script has started, not when it is done.
    """
    _expect(switch, f"luarun app.lua voicemail mwi {_mailbox(mailbox)}", "+OK")


def _is_true(switch: EventSocket, command: str) -> bool:
    answer = switch.api(command).strip()
    if answer not in ("true", "false"):
        raise _refused(command, answer)
    return answer == "true"


def user_exists(switch: EventSocket, user: str, domain: str) -> bool:
    """Whether the switch finds a user in its directory."""
    return _is_true(switch, f"user_exists id {_named(_USER, user, 'user')} {_named(_DOMAIN, domain, 'domain')}")


def host_name(switch: EventSocket) -> str:
    """The host name of the switch's machine, as FusionPBX has it in cache keys and hostname columns."""
    return _word(switch, "hostname")


def switch_name(switch: EventSocket) -> str:
    """The name that the switch gives its rows of registrations, channels and calls; often the host name."""
    return _word(switch, "switchname")


def in_access_list(switch: EventSocket, address: str, name: str) -> bool:
    """Whether an access list lets an address in; one that the switch does not know lets nobody in."""
    return _is_true(switch, f"acl {ip_address(address)} {_named(_VARIABLE, name, 'access list')}")


def global_variable(switch: EventSocket, name: str) -> str | None:
    """A global variable (`conf_dir`, `recordings_dir`); None if it is not set."""
    command = f"global_getvar {_named(_VARIABLE, name, 'variable')}"
    answer = switch.api(command)
    if answer.strip() == "-ERR no reply":
        return None
    if answer.startswith("-ERR"):
        raise _refused(command, answer)
    return answer


def file_exists(switch: EventSocket, path: str, timeout: float | None = None) -> bool:
    """Whether the switch's host has a file; what is no full name is none."""
    if not path.startswith("/") or not path.isprintable():
        return False
    return switch.api(f"file_exists {path}", timeout=timeout).strip() == "true"


def _expect(switch: EventSocket, command: str, success: str, timeout: float | None = None) -> None:
    answer = switch.api(command, timeout)
    if answer.strip() != success:
        raise _refused(command, answer)


def _of_channel(switch: EventSocket, command: str, timeout: float | None) -> bool:
    """Send a command that must not run twice; False where its channel has gone."""
    answer = switch.api(command, timeout, retry=False).strip()
    if answer == "-ERR No such channel!":
        return False
    if answer != "+OK":
        raise _refused(command, answer)
    return True


def _word(switch: EventSocket, command: str) -> str:
    answer = switch.api(command).strip()
    if not answer or answer.startswith("-"):
        raise _refused(command, answer)
    return answer


def _refused(command: str, answer: str) -> SwitchRefused:
    return SwitchRefused(f"{command}: {answer.strip()[:500]}")


def _named(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"not the name of a {what}: {value!r}")
    return value


def _mailbox(value: str) -> str:
    user, _, domain = value.partition("@")
    return f"{_named(_USER, user, 'user')}@{_named(_DOMAIN, domain, 'domain')}"


def _gateways(answer: str) -> list[GatewayStatus]:
    columns = [column.name for column in fields(GatewayStatus)]
    return [
        GatewayStatus(**{column: found.get(column, "") for column in columns})
        for found in _blocks(answer, "gateway")
    ]


def _blocks(answer: str, element: str) -> list[dict[str, str]]:
    """The elements of one name, each as {tag: text}.

    Not read as XML, because it often is none: sofia does not escape user names, realms and proxies, claims
    ISO-8859-1 and sends UTF-8, and one gateway with a stray `<` must not hide the others.
    """
    return [
        dict(re.findall(r"<([a-z-]+)>([^<]*)</\1>", block))
        for block in re.findall(rf"<{element}>(.*?)</{element}>", answer, re.DOTALL)
    ]


def _registrations(answer: str, profile: str) -> list[Registration]:
    """The registrations in an answer, read line by line.

    A phone chooses its Call-ID, SIP allows `<` and `>` in it, and sofia does not escape it, so a phone could
    write a whole registration of another domain in there. What it cannot write is a line break, and sofia
    puts each field on a line of its own (mod_sofia.c, show_reg_callback_xml).
    """
    found: list[dict[str, str]] = []
    for line in answer.split("\n"):  # splitlines() also breaks at characters that a phone can send
        text = _CONTROL.sub("", line).strip()
        if text == "<registration>":
            found.append({})
        elif found and (field := re.fullmatch(r"<([a-z-]+)>(.*)</\1>", text)):
            found[-1][field[1]] = field[2]
    return [_registration(texts, profile) for texts in found]


def _registration(texts: dict[str, str], profile: str) -> Registration:
    user, _, domain = texts.get("user", "").rpartition("@")
    return Registration(
        user=user,
        domain=domain,
        realm=texts.get("sip-auth-realm", ""),
        contact=unescape(texts.get("contact", "")),
        agent=unescape(texts.get("agent", "")),
        status=texts.get("status", ""),
        profile=profile,
        call_id=texts.get("call-id", ""),
        network_ip=texts.get("network-ip", ""),
        network_port=texts.get("network-port", ""),
        auth_user=unquote(texts.get("sip-auth-user", "")),
        host=texts.get("host", ""),
        ping_status=texts.get("ping-status", ""),
    )
