"""A switch simulator: FreeSWITCH's event socket without telephony, for the sandbox and for tests.

It speaks the real protocol and gives the real answers (docs/switch.md), reads the XML files that the worker
writes, or FusionPBX's database through a cache as FusionPBX's scripts do, so that `user_exists` and
`sofia xmlstatus gateway` show whether a switch would really have taken a change. Registrations and calls are
whatever a test says. It can be mute, slow, broken or away.

    python -m pbxapi.sandbox.switch --port 8021 --conf DIR

In a process of its own the `api simulator ...` commands do what a test does with the object (`control`).
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4
from xml.etree.ElementTree import Element

from pbxapi.sandbox import switch_xml
from pbxapi.sandbox.process import claim_port
from pbxapi.sandbox.switch_lua import XmlHandler
from pbxapi.sandbox.switch_socket import EVENTS_MOST, Connection, Event
from pbxapi.sandbox.switch_state import (
    CHANNEL_COLUMNS,
    SIP_ADDRESS,
    XML_HEADER,
    Call,
    Gateway,
    Profile,
    Registration,
    stamp,
)

log = logging.getLogger(__name__)

VERSION = "1.11.0-simulator"

_PROFILE_RESTART_SECONDS = 10
_END_SECONDS = 5.0

_WORD = re.compile(r"(?:'[^']*'|\\.|[^' ])+")
_CODEC = {"codec": "PCMU", "rate": "8000", "bit_rate": "64000"}
_CAUSE = re.compile(r"[A-Z][A-Z0-9_]+")
_ORIGINATE_VARIABLES = re.compile(r"\{([^}]*)\}")


class Reload(NamedTuple):
    """One reading of the XML files.

    Args:
        by: the command that asked for it.
        started, ended: time.monotonic().
        answer: "Success", or what is wrong with the files.
    """

    by: str
    started: float
    ended: float
    answer: str


def _words(text: str) -> list[str]:
    """Split a command's arguments as the switch does: at blanks outside of single quotes."""
    return [word.replace("'", "") for word in _WORD.findall(text)]


class SwitchSimulator:
    """One simulated switch; a context manager.

    Args:
        conf_dir: folder with `directory/`, `sip_profiles/` and `dialplan/`.
        directory_dir: in place of `conf_dir`/directory: `<domain>.xml` files that include `<domain>/*.xml`.
        sip_profiles_dir: in place of `conf_dir`/sip_profiles: gateways in `<profile>/*.xml`.
        dialplan_dir: in place of `conf_dir`/dialplan.
        password: of the event socket.
        host: address to listen on.
        port: 0 for a free one.
        hostname: answer of `hostname`; in the name of a FusionPBX cache file.
        switchname: answer of `switchname`, and hostname of calls and registrations; the hostname if not given.
        profiles: names of the SIP profiles.
        reload_seconds: how long reading the XML files takes.
        database_url: of a FusionPBX database, to serve users and gateways from it as FusionPBX's scripts do.
        cache_dir: FusionPBX's folder of cache files.

    Attributes:
        commands: every command received, without `api` or `bgapi`; no passwords.
        events_received: headers (and `_body`) of each `sendevent`.
        reloads: how often the XML files were read on a command's behalf.
        reload_log: the same, one by one.
        max_parallel_reloads: the most reloads that were asked for at the same time; a switch wants one.
        gateways, registrations, calls: the state that the commands show.
        access_lists: the networks that each lets in, by its name.
        variables: global variables, for `global_getvar` and `$${name}`.
        profiles: the SIP profiles by name.
        answer_delay: see slow().
        events_most: how many events wait for one client; what comes then is lost.
        pause_before_cache_write: called with the cache key after the SELECT and before the cache file is
            written, in the thread of the connection; what it waits for happens in between.
    """

    def __init__(
        self,
        conf_dir: Path | None = None,
        *,
        directory_dir: Path | None = None,
        sip_profiles_dir: Path | None = None,
        dialplan_dir: Path | None = None,
        password: str = "ClueCon",
        host: str = "127.0.0.1",
        port: int = 0,
        hostname: str = "sandbox",
        switchname: str | None = None,
        profiles: Sequence[str] = ("internal", "external"),
        reload_seconds: float = 0.0,
        database_url: str | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.password = password
        self.hostname = hostname
        self.switchname = switchname or hostname
        self.reload_seconds = reload_seconds
        self.profiles = {name: Profile(name, 5060 + 20 * place) for place, name in enumerate(profiles)}
        self.variables = {"hostname": hostname, "switchname": self.switchname, "local_ip_v4": SIP_ADDRESS}
        if conf_dir:
            self.variables["conf_dir"] = str(conf_dir)
        self.pause_before_cache_write: Callable[[str], None] | None = None

        self.commands: list[str] = []
        self.events_received: list[dict[str, str]] = []
        self.reloads = 0
        self.reload_log: list[Reload] = []
        self.max_parallel_reloads = 0
        self.gateways: dict[str, Gateway] = {}
        self.registrations: list[Registration] = []
        self.calls: dict[str, Call] = {}
        self.access_lists: dict[str, Sequence[IPv4Network | IPv6Network]] = {
            "loopback.auto": (ip_network("127.0.0.0/8"), ip_network("::1"))
        }
        self.answer_delay = 0.0
        self.events_most = EVENTS_MOST

        self._directory_dir = directory_dir or (conf_dir and conf_dir / "directory")
        self._sip_profiles_dir = sip_profiles_dir or (conf_dir and conf_dir / "sip_profiles")
        self._dialplan_dir = dialplan_dir or (conf_dir and conf_dir / "dialplan")
        self._handler = (
            XmlHandler(database_url, cache_dir, hostname, self._before_cache_write) if database_url else None
        )
        self._tree = Element("document")
        self._broken: str | None = None
        self._muted = False
        self._withholding = False
        self._refusing = False
        self._reloading = 0
        self._sequence = 0
        self._core_uuid = str(uuid4())
        self._started = time.time()
        self._sessions = 0
        self._lock = threading.RLock()
        self._xml_lock = threading.Lock()
        self._event_lock = threading.Lock()
        self._stopped = threading.Event()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._connections: set[Connection] = set()
        self._api: dict[str, Callable[[str], str]] = {
            "acl": self._acl,
            "file_exists": lambda path: "true" if Path(path).is_file() else "false",
            "global_getvar": self._global_getvar,
            "hostname": lambda _: self.hostname,
            "hupall": self._hupall,
            "bgapi": self._bgapi,
            "luarun": self._luarun,
            "originate": self._originate,
            "reloadacl": self._reloadacl,
            "reloadxml": lambda _: f"+OK [{self._reload_xml('reloadxml')}]\n",
            "show": self._show,
            "sofia": self._sofia,
            "sofia_contact": self._sofia_contact,
            "status": self._status,
            "switchname": lambda _: self.switchname,
            "user_data": self._user_data,
            "user_exists": self._user_exists,
            "uuid_audio": self._uuid_audio,
            "uuid_exists": lambda call: "true" if call in self.calls else "false",
            "uuid_getvar": self._uuid_getvar,
            "uuid_hold": self._uuid_hold,
            "uuid_kill": self._uuid_kill,
            "uuid_setvar": self._uuid_setvar,
            "uuid_transfer": self._uuid_transfer,
            "version": lambda _: f"FreeSWITCH Version {VERSION} (switch simulator, no telephony)\n",
            "xml_flush_cache": lambda _: "+OK cleared 0 entries\n",
        }

    # Life

    def start(self) -> Self:
        """Read the configuration as a starting switch does, and listen.

        Raises:
            XmlBroken: the XML files do not parse; a switch does not start either.
            OSError: the port is taken.
        """
        self._tree = self._read_tree()
        for profile in self.profiles:
            self._scan(profile)
        if self.port == 0:
            self.port = claim_port(None)
        self._listener = self._bound()
        self._listen(self._listener)
        return self

    def stop(self) -> None:
        """Close everything; no thread and no socket is left."""
        self._stopped.set()
        self._close_listener()
        self._close_connections(lambda _: True)
        if self._listener:
            self._listener.close()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _bound(self) -> socket.socket:
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def _listen(self, listener: socket.socket) -> None:
        listener.listen(128)
        self._accepting = threading.Thread(
            target=self._accept, args=(listener,), name="switch-simulator-listener", daemon=True
        )
        self._accepting.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:  # _close_listener
                return
            connection = Connection(self, sock)
            with self._lock:
                self._connections.add(connection)
            connection.start()

    def _close_listener(self) -> None:
        if self._accepting and self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()
            self._accepting = None
            self._listener.close()

    def _close_connections(self, which: Callable[[Connection], bool]) -> None:
        with self._lock:
            closing = [connection for connection in self._connections if which(connection)]
        for connection in closing:
            connection.close()
        for connection in closing:
            connection.join(_END_SECONDS)

    # What connections need

    def accepts(self, password: str) -> bool:
        """Whether that password opens the event socket now."""
        return password == self.password and not self._refusing

    def wait_until_awake(self, connection: Connection) -> bool:
        """Wait while the switch is mute; False when the connection is closed."""
        while self._muted and not connection.controls and not connection.closed.wait(0.02):
            pass
        return not connection.closed.is_set()

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def api(self, command: str) -> str:
        """The answer to an API command, as `api <command>` gives it."""
        return self._execute(command) or "-ERR no reply\n"

    def run_job(self, command: str, job: str) -> None:
        """Run an API command in a thread of its own; its answer becomes a BACKGROUND_JOB event."""

        def run() -> None:
            answer = self._execute(command)
            self._stopped.wait(self.answer_delay)
            name, _, argument = command.partition(" ")
            headers = {"Job-UUID": job, "Job-Command": name, "Job-Command-Arg": argument}
            self.fire("BACKGROUND_JOB", {key: value for key, value in headers.items() if value}, answer)

        threading.Thread(target=run, name="switch-simulator-job", daemon=True).start()

    def _execute(self, command: str) -> str:
        self.commands.append(command)
        name, _, argument = command.strip().partition(" ")
        function = self._api.get(name)
        answer = function(argument.strip()) if function else f"-ERR {name} Command not found!\n"
        headers = {"API-Command": name, "API-Command-Argument": argument.strip()}
        self.fire("API", {key: value for key, value in headers.items() if value})
        return answer

    def take_event(self, name: str, headers: Mapping[str, str], body: str | None) -> str:
        """Take an event that a client sends, and pass it on to all that want it; its uuid."""
        received = dict(headers) | ({} if body is None else {"_body": body})
        self.events_received.append(received)
        made = {"Command": "sendevent", "Event-UUID": str(uuid4())}
        self.fire(name or "CUSTOM", made | {key: headers[key] for key in headers if key != "Event-Name"}, body)
        return made["Event-UUID"]

    def fire(self, name: str, headers: Mapping[str, str], body: str | None = None) -> None:
        """Send an event to all that have subscribed to it; `Event-Sequence` counts up."""
        with self._event_lock:
            self._sequence += 1
            now = time.time()
            event = Event(
                {
                    "Event-Name": name,
                    "Core-UUID": self._core_uuid,
                    "FreeSWITCH-Hostname": self.hostname,
                    "FreeSWITCH-Switchname": self.switchname,
                    "FreeSWITCH-IPv4": SIP_ADDRESS,
                    "FreeSWITCH-IPv6": "::1",
                    "Event-Date-Local": stamp(now),
                    "Event-Date-GMT": formatdate(now, usegmt=True),
                    "Event-Date-Timestamp": str(int(now * 1e6)),
                    "Event-Calling-File": "switch.py",
                    "Event-Calling-Function": "fire",
                    "Event-Calling-Line-Number": "0",
                    "Event-Sequence": str(self._sequence),
                    **headers,
                },
                body,
            )
            with self._lock:
                connections = list(self._connections) if not self._withholding else []
            for connection in connections:
                connection.deliver(event)

    def _fire_custom(self, subclass: str, headers: Mapping[str, str]) -> None:
        self.fire("CUSTOM", {"Event-Subclass": subclass, **headers})

    # Faults

    def mute(self) -> None:
        """Hang: connections are accepted, but nothing is said, read or done until unmute()."""
        self._muted = True

    def unmute(self) -> None:
        """Go on where mute() stopped; late answers are sent now."""
        self._muted = False

    def slow(self, seconds: float) -> None:
        """Send each answer that much later; 0 ends it. The command itself is obeyed at once."""
        self.answer_delay = seconds

    def refuse_auth(self, refusing: bool = True) -> None:
        """Refuse every password, or no longer."""
        self._refusing = refusing

    def drop_connections(self) -> None:
        """Cut all connections now; new ones are welcome."""
        self._close_connections(lambda connection: not connection.controls)

    def freeze_connections(self) -> None:
        """Let nothing pass on the connections of this moment, though they look open; new ones are welcome.

        So they are where the switch's host, or a firewall in between, went without a word.
        """
        with self._lock:
            for connection in self._connections:
                connection.frozen = not connection.controls

    def withhold_events(self, withholding: bool = True) -> None:
        """Obey commands and deliver no events, or deliver again; what was fired meanwhile is lost."""
        self._withholding = withholding

    def break_xml(self, message: str) -> None:
        """Find the XML files broken until mend_xml().

        Args:
            message: the switch's words, such as `[error near line 108]: unexpected closing tag </section>`.
        """
        self._broken = message

    def mend_xml(self) -> None:
        self._broken = None

    def go_away(self) -> None:
        """Cut all connections and refuse new ones, until come_back(); the port stays ours."""
        self._close_listener()
        self.drop_connections()
        self._listener = self._bound()

    def come_back(self) -> None:
        """Listen again on the same port, after go_away(); what was loaded is still known."""
        if self._listener is None or self._accepting:
            raise RuntimeError("the simulator is not away")
        self._listen(self._listener)

    # XML

    def _read_tree(self) -> Element:
        return switch_xml.read_configuration(
            self._directory_dir, self._dialplan_dir, self._sip_profiles_dir, tuple(self.profiles), self.variables
        )

    def _reload_xml(self, by: str) -> str:
        """Read the XML files; "Success", or what is wrong, and then the old tree stays.

        A file that is written while this runs may be missed, as on a switch: it is read first, and counts last.
        """
        started = time.monotonic()
        with self._lock:
            self._reloading += 1
            self.max_parallel_reloads = max(self.max_parallel_reloads, self._reloading)
        with self._xml_lock:
            tree, answer = self._tree, self._broken or "Success"
            if not self._broken:
                try:
                    tree = self._read_tree()
                except switch_xml.XmlBroken as fault:
                    answer = str(fault)
            self._stopped.wait(self.reload_seconds)
            self._tree = tree
        with self._lock:
            self._reloading -= 1
            self.reloads += 1
            self.reload_log.append(Reload(by, started, time.monotonic(), answer))
        if answer == "Success":
            self.fire("RELOADXML", {})
        return answer

    def _acl(self, argument: str) -> str:
        address, _, name = argument.partition(" ")
        networks = self.access_lists.get(name, ())
        return "true" if any(ip_address(address) in network for network in networks) else "false"

    def _reloadacl(self, _: str) -> str:
        answer = self._reload_xml("reloadacl")
        return "+OK acl reloaded\n" if answer == "Success" else f"-ERR [{answer}]\n"

    def _before_cache_write(self, key: str) -> None:
        if self.pause_before_cache_write:
            self.pause_before_cache_write(key)

    def _find_user(self, user: str, domain: str) -> switch_xml.User | None:
        if self._handler:
            document = self._handler.directory(user, domain)
            if document is not None and (found := switch_xml.find_user(document, user, domain)):
                return found
        return switch_xml.find_user(self._tree, user, domain)

    def _user_exists(self, argument: str) -> str:
        words = _words(argument)
        known = len(words) >= 3 and self._find_user(words[1], words[2]) is not None
        return "true" if known else "false"

    def _user_data(self, argument: str) -> str:
        words = _words(argument)
        if len(words) < 3:
            return ""
        user, _, domain = words[0].partition("@")
        found = self._find_user(user, domain)
        return found.value(words[1], words[2]) if found else ""

    def _global_getvar(self, name: str) -> str:
        if not name:
            return "".join(f"{key}={value}\n" for key, value in self.variables.items())
        return self.variables.get(name, "")

    # Sofia

    def _scan(self, profile: str, only: str | None = None) -> None:
        """Add the profile's gateways that are not known yet, or only one of them; known ones stay as they are."""
        documents = [self._tree]
        configuration = self._handler.sofia_conf(tuple(self.profiles)) if self._handler else None
        if configuration is not None:
            documents.insert(0, configuration)
        for document in documents:
            for found in switch_xml.gateways(document):
                if found.profile == profile and only in (None, found.name):
                    self._add_gateway(found)

    def _add_gateway(self, found: switch_xml.GatewayXml) -> None:
        with self._lock:
            if found.name in self.gateways:
                log.info("Ignoring duplicate gateway '%s'", found.name)
                return
            gateway = Gateway.made(found)
            if gateway is None:
                return
            self.gateways[found.name] = gateway
        self._fire_custom("sofia::gateway_add", {"Gateway": gateway.name, "profile-name": gateway.profile})
        if gateway.state == "REGED":
            self._fire_custom("sofia::gateway_state", gateway.headers() | {"Phrase": "OK", "Status": "200"})

    def _drop_gateway(self, name: str) -> bool:
        with self._lock:
            gateway = self.gateways.pop(name, None)
        if gateway:
            self._fire_custom("sofia::gateway_delete", {"profile-name": gateway.profile, "Gateway": name})
        return gateway is not None

    def set_gateway_state(self, name: str, state: str, status: str = "UP") -> None:
        """Let a gateway be in that state, and say so in an event.

        Args:
            name: as the switch knows it; FusionPBX uses the lower-case uuid.
            state: REGED, NOREG, UNREGED, TRYING, REGISTER, FAIL_WAIT, FAILED, EXPIRED, TIMEOUT ...
            status: UP or DOWN.

        Raises:
            KeyError: the switch does not know it.
        """
        with self._lock:
            gateway = self.gateways[name]
            gateway.state, gateway.status, gateway.since = state, status, time.time()
        self._fire_custom("sofia::gateway_state", gateway.headers())

    def _sofia(self, argument: str) -> str:
        match _words(argument):
            case ["profile", name, verb, *rest]:
                return self._sofia_profile(name, verb, rest)
            case ["profile", *_]:
                return "Invalid Args!\n"
            case ["xmlstatus", *rest]:
                return self._sofia_xmlstatus(rest)
            case ["status", *rest]:
                return self._sofia_status(rest)
            case [verb, *_]:
                return f"Unknown Command [{verb}]\n"
        return "USAGE:\nsofia profile|status|xmlstatus ...\n"

    def _sofia_profile(self, name: str, verb: str, rest: list[str]) -> str:
        profile = self.profiles.get(name)
        if profile is None:
            return f"Invalid Profile [{name}]"
        match verb, rest:
            case ("rescan", _):
                answer = self._reload_xml("rescan")
                self._scan(name)
                return f"Reload XML [{answer}]\n+OK scan complete\n"
            case ("killgw" | "startgw", []):
                return "-ERR missing gw name\n"
            case ("killgw", ["_all_", *_]):
                for gateway in [found.name for found in self.gateways.values() if found.profile == name]:
                    self._drop_gateway(gateway)
                return "+OK every gateway marked for deletion.\n"
            case ("killgw", [gateway, *_]):
                known = self._drop_gateway(gateway)
                return "+OK gateway marked for deletion.\n" if known else "-ERR no such gateway.\n"
            case ("startgw", [gateway, *_]):
                answer = self._reload_xml("startgw")
                self._scan(name, None if gateway == "_all_" else gateway)
                return f"Reload XML [{answer}]\n+OK start gateway {gateway} complete\n"
            case ("flush_inbound_reg", _):
                return self._flush(name, rest)
            case ("restart", _):
                return self._restart(profile)
        return "-ERR Unknown command!\n"

    def _restart(self, profile: Profile) -> str:
        left = _PROFILE_RESTART_SECONDS - int(time.time() - profile.started)
        if left > 0:
            return (
                f"Profile {profile.name} must be up for at least {_PROFILE_RESTART_SECONDS} seconds to "
                f"stop/restart.\nPlease wait {left} second{'' if left == 1 else 's'}\n"
            )
        answer = self._reload_xml("restart")
        profile.started = time.time()
        with self._lock:
            self.registrations = [known for known in self.registrations if known.profile != profile.name]
            gone = [known.name for known in self.gateways.values() if known.profile == profile.name]
        for gateway in gone:
            self._drop_gateway(gateway)
        self._scan(profile.name)
        return f"Reload XML [{answer}]\nrestarting: {profile.name}"

    def _flush(self, profile: str, rest: list[str]) -> str:
        verb = "rebooting" if rest and rest[-1] == "reboot" else "flushing"
        wanted = next((word for word in rest if word != "reboot"), None)
        user, _, domain = (wanted or "").partition("@")

        def fits(known: Registration) -> bool:
            by_address = known.domain == domain and user in ("", known.user)
            return known.profile == profile and (wanted in (None, known.call_id) or by_address)

        self._remove_registrations(fits, "sofia::expire")
        which = " matching specified call_id" if wanted else ""
        return f"+OK {verb} all registrations{which}\n"

    def _sofia_xmlstatus(self, rest: list[str]) -> str:
        with self._lock:
            match rest:
                case []:
                    profiles = "".join(map(self._profile_xml, self.profiles.values()))
                    return f"{XML_HEADER}<profiles>\n{profiles}</profiles>\n"
                case [_]:
                    gateways = "".join(gateway.xml() for gateway in self.gateways.values())
                    return f"{XML_HEADER}<gateways>\n{gateways}</gateways>\n"
                case ["gateway", name, *_]:
                    known = self.gateways.get(name)
                    return XML_HEADER + known.xml() if known else "Invalid Gateway!\n"
                case ["profile", name, *_] if name not in self.profiles:
                    return "Invalid Profile!\n"
                case ["profile", name, "reg", *contact]:
                    rows = [known for known in self.registrations if known.profile == name]
                    found = "".join(
                        known.xml(self.switchname) for known in rows if not contact or contact[0] in known.contact
                    )
                    return f"{XML_HEADER}<profile>\n  <registrations>\n{found}  </registrations>\n</profile>\n"
                case ["profile", name]:
                    return f"{XML_HEADER}<profile>\n{self._profile_info_xml(name)}</profile>\n"
        return "Invalid Syntax!\n"

    def _profile_xml(self, profile: Profile) -> str:
        def entry(kind: str, name: str, data: str, state: str) -> str:
            values = {"name": name, "type": kind, "data": data, "state": state}
            lines = "".join(f"<{tag}>{value}</{tag}>\n" for tag, value in values.items())
            return f"<{kind}>\n{lines}</{kind}>\n"

        gateways = [gateway for gateway in self.gateways.values() if gateway.profile == profile.name]
        return entry("profile", profile.name, profile.url, "RUNNING (0)") + "".join(
            entry("gateway", gateway.name, gateway.address, gateway.state) + "\n" for gateway in gateways
        )

    def _profile_info_xml(self, name: str) -> str:
        profile = self.profiles[name]
        count = sum(1 for known in self.registrations if known.profile == name)
        values = {"name": name, "domain-name": "N/A", "context": "public", "url": profile.url}
        values |= {"bind-url": profile.url, "registrations": str(count)}
        lines = "".join(f"    <{tag}>{value}</{tag}>\n" for tag, value in values.items())
        return f"  <profile-info>\n{lines}  </profile-info>\n"

    def _sofia_status(self, rest: list[str]) -> str:
        with self._lock:
            match rest:
                case ["gateway", name, *_]:
                    known = self.gateways.get(name)
                    return known.text() if known else "Invalid Gateway!\n"
                case ["profile", name, *_] if name not in self.profiles:
                    return "Invalid Profile!\n"
                case []:
                    return self._sofia_summary()
        return "Invalid Syntax!\n"

    def _sofia_summary(self) -> str:
        rule = "=" * 97
        lines = [f"{'Name':>25}\t   Type\t  {'Data':>40}\tState", rule]
        for profile in self.profiles.values():
            lines.append(f"{profile.name:>25}\tprofile\t  {profile.url:>40}\tRUNNING (0)")
            for gateway in self.gateways.values():
                if gateway.profile == profile.name:
                    name = f"{profile.name}::{gateway.name}"
                    lines.append(f"{name:>25}\tgateway\t  {gateway.address:>40}\t{gateway.state}")
        count = len(self.profiles)
        lines += [rule, f"{count} profile{'' if count == 1 else 's'} 0 aliases", ""]
        return "\n".join(lines)

    # Registrations and voicemail lamps

    def register(
        self,
        user: str,
        domain: str,
        *,
        agent: str = "sipp-phone",
        profile: str = "internal",
        contact: str | None = None,
        network_ip: str = "127.0.0.1",
        network_port: str = "5066",
        transport: str = "udp",
        expires: int = 3600,
        realm: str | None = None,
    ) -> str:
        """Let a phone register.

        Args:
            contact: SIP address; `sip:<user>@<network_ip>:<network_port>` if not given.
            expires: seconds; it does not run out by itself.
                A registration of the same contact is renewed.
            realm: the domain that it authenticated in; the domain if not given.

        Returns:
            Its call id.
        """
        contact = contact or f"sip:{user}@{network_ip}:{network_port}"
        known = [
            known
            for known in self.registrations
            if (known.user, known.domain, known.contact, known.profile) == (user, domain, contact, profile)
        ]
        call_id = known[0].call_id if known else f"{uuid4()}@{network_ip}"
        registration = Registration(
            user=user,
            domain=domain,
            profile=profile,
            agent=agent,
            contact=contact,
            network_ip=network_ip,
            network_port=network_port,
            transport=transport,
            call_id=call_id,
            expires=time.time() + expires,
            realm=realm or domain,
        )
        with self._lock:
            self.registrations = [other for other in self.registrations if other not in known]
            self.registrations.append(registration)
        renewed = {"update-reg": "true"} if known else {}
        self._fire_custom("sofia::register", registration.headers() | renewed)
        return call_id

    def unregister(self, user: str, domain: str) -> None:
        """Let the phones of a user unregister."""
        self._remove_registrations(lambda known: (known.user, known.domain) == (user, domain), "sofia::unregister")

    def expire(self, user: str, domain: str) -> None:
        """Let the registrations of a user run out."""
        self._remove_registrations(lambda known: (known.user, known.domain) == (user, domain), "sofia::expire")

    def disconnect(self, user: str, domain: str) -> None:
        """Let the TCP connections break over which the phones of a user registered."""
        self._remove_registrations(lambda known: (known.user, known.domain) == (user, domain), "disconnection")

    def _sofia_contact(self, argument: str) -> str:
        user, _, domain = argument.rpartition("/")[2].partition("@")
        with self._lock:
            found = [
                f"sofia/{known.profile}/{known.contact}"
                for known in self.registrations
                if (known.user, known.domain) == (user, domain)
            ]
        return ",".join(found) or "error/user_not_registered"

    def _remove_registrations(self, which: Callable[[Registration], bool], subclass: str) -> None:
        with self._lock:
            leaving = [known for known in self.registrations if which(known)]
            self.registrations = [known for known in self.registrations if known not in leaving]
        for known in leaving:
            if subclass == "disconnection":
                self._fire_custom("sofia::unregister", known.broken_headers())
            else:
                gone = known.gone_headers() if subclass == "sofia::expire" else known.headers()
                self._fire_custom(subclass, gone)

    def message_waiting(self, box: str, domain: str, new: int, saved: int = 0) -> None:
        """Fire the event that sets the lamp of a voicemail box."""
        headers = {
            "MWI-Messages-Waiting": "yes" if new else "no",
            "MWI-Message-Account": f"sip:{box}@{domain}",
            "MWI-Voice-Message": f"{new}/{saved} (0/0)",
            "sofia-profile": "internal",
        }
        self.fire("MESSAGE_WAITING", headers)

    def _luarun(self, argument: str) -> str:
        words = _words(argument)
        if not words:
            return "-ERR no args specified!\n"
        if words[:3] == ["app.lua", "voicemail", "mwi"] and len(words) > 3 and self._handler:
            box, _, domain = words[3].partition("@")
            self.message_waiting(box, domain, *self._handler.messages(box, domain))
        return "+OK\n"

    # Calls

    def start_call(
        self,
        caller: str = "101",
        destination: str = "102",
        context: str = "public",
        *,
        direction: str = "inbound",
        profile: str = "internal",
        network_ip: str = "127.0.0.1",
        uuid: str | None = None,
        variables: Mapping[str, str] | None = None,
        **columns: str,
    ) -> str:
        """Let a call begin; it rings.

        Args:
            context: `public` for a call from a trunk, the domain's name for one from a registered phone.
            variables: channel variables, such as domain_uuid.
            columns: further columns of `show channels` by name, such as presence_id or accountcode.

        Returns:
            Its uuid.

        Raises:
            TypeError: there is no such column.
        """
        if unknown := columns.keys() - set(CHANNEL_COLUMNS):
            raise TypeError(f"no column of a channel: {', '.join(sorted(unknown))}")
        now = time.time()
        call_uuid = uuid or str(uuid4())
        domain = network_ip if context in ("public", "default") else context
        row = dict.fromkeys(CHANNEL_COLUMNS, "")
        row |= {
            "uuid": call_uuid,
            "call_uuid": call_uuid,
            "direction": direction,
            "created": stamp(now),
            "created_epoch": str(int(now)),
            "name": f"sofia/{profile}/{caller}@{domain}",
            "state": "CS_EXECUTE",
            "callstate": "RINGING",
            "cid_name": caller,
            "cid_num": caller,
            "ip_addr": network_ip,
            "dest": destination,
            "dialplan": "XML",
            "context": context,
            "hostname": self.switchname,
            "presence_id": f"{caller}@{domain}",
            "initial_cid_name": caller,
            "initial_cid_num": caller,
            "initial_ip_addr": network_ip,
            "initial_dest": destination,
            "initial_dialplan": "XML",
            "initial_context": context,
        }
        call = Call(row | columns, dict(variables or {}), now)
        with self._lock:
            self.calls[call_uuid] = call
            self._sessions += 1
        self.fire("CHANNEL_CREATE", call.headers())
        return call_uuid

    def route_call(self, uuid: str, variables: Mapping[str, str] | None = None, **columns: str) -> None:
        """Do what a dialplan does to a call: set variables, and columns such as context and dest; no event."""
        with self._lock:
            self.calls[uuid].variables |= variables or {}
            self.calls[uuid].row |= columns

    def ring_call(self, uuid: str) -> None:
        """Let a call's phone ring; KeyError when there is no such call."""
        self.fire("CHANNEL_PROGRESS", self.calls[uuid].headers())

    def answer_call(self, uuid: str) -> None:
        """Let a call be answered; KeyError when there is no such call."""
        with self._lock:
            call = self.calls[uuid]
            call.answered = time.time()
            codecs = {f"{way}_{what}": value for way in ("read", "write") for what, value in _CODEC.items()}
            call.row |= {"callstate": "ACTIVE", **codecs}
        self.fire("CHANNEL_ANSWER", call.headers())

    def bridge(self, uuid: str, other: str) -> None:
        """Connect two legs, so that `show calls` has them in one row; KeyError when one is not there."""
        with self._lock:
            call, callee = self.calls[uuid], self.calls[other]
            call.partner, callee.partner, callee.callee = other, uuid, True
            callee.row["call_uuid"] = uuid
            headers = call.headers() | {"Bridge-A-Unique-ID": uuid, "Bridge-B-Unique-ID": other}
        self.fire("CHANNEL_BRIDGE", headers)

    def end_call(
        self, uuid: str, cause: str = "NORMAL_CLEARING", variables: Mapping[str, str] | None = None
    ) -> None:
        """Let a call end, and fire its CHANNEL_HANGUP_COMPLETE.

        Args:
            variables: channel variables to end with, such as duration and billsec (seconds).

        Raises:
            KeyError: there is no such call.
        """
        if not self._hang_up(uuid, cause, variables or {}):
            raise KeyError(uuid)

    def _hang_up(self, name: str, cause: str, variables: Mapping[str, str]) -> bool:
        with self._lock:
            call = self.calls.pop(name, None)
            if call is None:
                return False
            call.end(cause, time.time())
            call.variables |= variables
            if call.partner in self.calls:
                self.calls[call.partner].partner = None
                self.calls[call.partner].callee = False
            headers = call.headers()
        self.fire("CHANNEL_HANGUP", headers)
        self.fire("CHANNEL_HANGUP_COMPLETE", headers)
        return True

    def _hupall(self, argument: str) -> str:
        words = _words(argument)
        cause = words[0] if words and _CAUSE.fullmatch(words[0]) else "MANAGER_REQUEST"
        wanted = dict(zip(words[1::2], words[2::2], strict=False))
        with self._lock:
            ending = [
                call.uuid
                for call in self.calls.values()
                if all(call.variables.get(name) == value for name, value in wanted.items())
            ]
        for call in ending:
            self._hang_up(call, cause, {})
        if not wanted:
            return f"+OK hangup all channels with cause {cause}\n"
        more = "..." if len(wanted) > 1 else ""
        return f"+OK hangup all channels matching [{words[1]}]=[{words[2]}]{more} with cause: {cause}\n"

    def _uuid_kill(self, argument: str) -> str:
        words = _words(argument)
        if not words:
            return "-USAGE: <uuid> [cause]\n"
        known = self._hang_up(words[0], words[1] if len(words) > 1 else "NORMAL_CLEARING", {})
        return "+OK\n" if known else "-ERR No such channel!\n"

    def _uuid_getvar(self, argument: str) -> str:
        words = _words(argument)
        if len(words) < 2:
            return "-USAGE: <uuid> <var>\n"
        call = self.calls.get(words[0])
        if call is None:
            return "-ERR No such channel!\n"
        found = call.variables.get(words[1], call.profile_field(words[1]))
        return "_undef_" if found is None else found

    def _uuid_setvar(self, argument: str) -> str:
        name, _, value = argument.partition(" ")
        variable, _, value = value.partition(" ")
        if not variable:
            return "-USAGE: <uuid> <var> [value]\n"
        call = self.calls.get(name)
        if call is None:
            return "-ERR No such channel!\n"
        if value:
            call.variables[variable] = value
        else:
            call.variables.pop(variable, None)
        return "+OK\n"

    def _uuid_transfer(self, argument: str) -> str:
        words = _words(argument)
        if not 2 <= len(words) <= 5:
            return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
        call = self.calls.get(words[0])
        if call is None:
            return "-ERR No such channel!\n"
        legs = [call]
        partner = self.calls.get(call.partner or "")
        if words[1] in ("-bleg", "-both"):
            legs = [leg for leg in (partner, call if words[1] == "-both" else None) if leg] or legs
            del words[1]
        with self._lock:
            for leg in legs:
                places = zip(("dest", "dialplan", "context"), words[1:], strict=False)
                leg.row |= dict(places)
        return "+OK\n"

    def _uuid_hold(self, argument: str) -> str:
        """It fails for a call that is as asked already; holding one that does not exist is a success."""
        words = _words(argument)
        if not words:
            return "-USAGE: [off|toggle] <uuid> [<display>]\n-ERR Operation failed\n"
        verb = words.pop(0) if words[0] in ("off", "toggle") else "on"
        call = self.calls.get(words[0]) if words else None
        if call is None or (verb == "toggle" and call.row["callstate"] not in ("ACTIVE", "HELD", "UNHELD")):
            return "+OK Success\n"
        held = call.row["callstate"] == "HELD"
        hold = not held if verb == "toggle" else verb == "on"
        if hold == held:
            return "-ERR Operation failed\n"
        call.row["callstate"] = "HELD" if hold else "UNHELD"
        self.fire("CHANNEL_HOLD" if hold else "CHANNEL_UNHOLD", call.headers())
        return "+OK Success\n"

    def _uuid_audio(self, argument: str) -> str:
        match _words(argument):
            case [name, "stop", *_] | [name, "start", "write", "mute" | "level", _, *_]:
                return "+OK\n" if name in self.calls else "-ERR No such channel!\n"
            case [name, "start", "read", "mute" | "level", level, *_] if name in self.calls:
                self.calls[name].muted = level != "0"
                return "+OK\n"
            case [name, _, *_] if name not in self.calls:
                return "-ERR No such channel!\n"
        return "-USAGE: <uuid> [start [read|write] [mute|level <level>]|stop]\n"

    def _originate(self, argument: str) -> str:
        """The called party answers at once, and is then in the application or at the extension."""
        found = _ORIGINATE_VARIABLES.match(argument)
        pairs = (pair.partition("=") for pair in found[1].split(",")) if found else ()
        variables = {name.strip(): value.strip("'") for name, _, value in pairs}
        words = _words(argument[found.end() :] if found else argument)
        if not 2 <= len(words) <= 7:
            return (
                "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] "
                "[<cid_num>] [<timeout_sec>]\n"
            )
        url, extension = words[:2]
        dialplan, context, cid_name, cid_number = (
            word if word != "undef" else "" for word in (words[2:6] + [""] * 4)[:4]
        )
        if cause := self._unreachable(url):
            return f"-ERR {cause}\n"
        application, _, data = extension.removeprefix("&").partition("(")
        executes = {"application": application, "application_data": data.rstrip(")")}
        call = self.start_call(
            cid_number or variables.get("origination_caller_id_number", "0000000000"),
            extension if not extension.startswith("&") else url.rpartition("/")[2],
            context or "default",
            direction="outbound",
            uuid=variables.get("origination_uuid"),
            variables=variables,
            name=url,
            presence_id=variables.get("presence_id", url.removeprefix("user/") if url.startswith("user/") else ""),
            dialplan=dialplan or "XML",
            **({"cid_name": cid_name} if cid_name else {}),
            **(executes if extension.startswith("&") else {}),
        )
        self.answer_call(call)
        return f"+OK {call}\n"

    def _unreachable(self, url: str) -> str | None:
        """Why a dial string does not work, as a hangup cause; None when it does."""
        match url.split("/"):
            case ["user", address]:
                user, _, domain = address.partition("@")
                if self._find_user(user, domain) is None:
                    return "SUBSCRIBER_ABSENT"
                registered = any((known.user, known.domain) == (user, domain) for known in self.registrations)
                return None if registered else "USER_NOT_REGISTERED"
            case ["sofia", "gateway", name, _]:
                gateway = self.gateways.get(name)
                if gateway is None:
                    return "INVALID_GATEWAY"
                return None if gateway.status == "UP" else "GATEWAY_DOWN"
            case ["sofia", profile, *_]:
                return None if profile in self.profiles else "INVALID_PROFILE"
            case ["loopback", *_]:
                return None
            case ["error", cause]:
                return cause.upper()
        return "CHAN_NOT_IMPLEMENTED"

    # Reports

    def _show(self, argument: str) -> str:
        words = _words(argument)
        counted = words[1:2] == ["count"]
        if counted:
            del words[1]
        with self._lock:
            match words[:1]:
                case ["registrations"]:
                    rows = [known.row(self.switchname) for known in self.registrations]
                case ["channels"]:
                    rows = [dict(call.row) for call in self.calls.values()]
                case ["calls"]:
                    callers = [call for call in self.calls.values() if not call.callee]
                    rows = [call.call_row(self.calls.get(call.partner or "")) for call in callers]
                case _:
                    return "-USAGE: calls [count]|channels [count]|registrations [count]\n"
        match words[1:]:
            case ["as", "json", *_]:
                if not rows and not counted:
                    return '{"row_count": 0}\n'
                content = {"row_count": len(rows), "rows": [] if counted else rows}
                return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
            case ["as", form, *_] if form not in ("csv", "delim"):
                return f"-ERR Cannot find format {form}\n"
        lines = [",".join(row.values()) + "\n" for row in rows] if not counted else []
        title = [",".join(rows[0]) + "\n"] if lines else []
        return "".join([*title, *lines, f"\n{len(rows)} total.\n"])

    def _status(self, _: str) -> str:
        up = int(time.time() - self._started)
        minutes, seconds = divmod(up, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        parts = {"year": 0, "day": days, "hour": hours, "minute": minutes, "second": seconds}
        parts |= {"millisecond": 0, "microsecond": 0}
        uptime = ", ".join(f"{count} {unit}{'' if count == 1 else 's'}" for unit, count in parts.items())
        return (
            f"UP {uptime}\nFreeSWITCH (Version {VERSION}) is ready\n"
            f"{self._sessions} session(s) since startup\n"
            f"{len(self.calls)} session(s) - peak {self._sessions}, last 5min {self._sessions} \n"
            "0 session(s) per Sec out of max 30, peak 0, last 5min 0 \n1000 session(s) max\n"
            "min idle cpu 0.00/100.00\n"
        )

    def _bgapi(self, argument: str) -> str:
        if not argument:
            return "-ERR Invalid syntax\n"
        job = str(uuid4())
        self.run_job(argument, job)
        return f"+OK Job-UUID: {job}\n"

    # Control over the wire

    def stats(self) -> dict[str, Any]:
        """What has happened so far, as plain values."""
        with self._lock:
            return {
                "reloads": self.reloads,
                "max_parallel_reloads": self.max_parallel_reloads,
                "commands": list(self.commands),
                "events_received": list(self.events_received),
                "connections": len(self._connections),
                "gateways": {name: gateway.state for name, gateway in self.gateways.items()},
                "registrations": [f"{known.user}@{known.domain}" for known in self.registrations],
                "calls": list(self.calls),
            }

    def control(self, command: str) -> str:
        """Obey `api simulator <command>`: the methods of this class, for a simulator in another process.

        `mute`, `unmute`, `slow 2`, `refuse_auth on|off`, `drop`, `freeze`, `withhold on|off`, `break_xml <text>`,
        `mend_xml`, `go_away`, `come_back`, `stats`; and with a JSON object of keyword arguments `register`,
        `unregister`, `expire`, `disconnect`, `call`, `route`, `ring`, `answer`, `bridge`, `hangup`, `gateway`,
        `message_waiting`. The connection that sends one is spared by
        the faults, so that it can end them.

        Returns:
            `+OK\\n`, the result and `\\n`, or `-ERR <reason>\\n`.
        """

        def keywords(method: Callable[..., object]) -> Callable[[str], object]:
            return lambda argument: method(**json.loads(argument))

        methods: dict[str, Callable[[str], object]] = {
            "mute": lambda _: self.mute(),
            "unmute": lambda _: self.unmute(),
            "slow": lambda seconds: self.slow(float(seconds)),
            "refuse_auth": lambda which: self.refuse_auth({"on": True, "off": False}[which]),
            "drop": lambda _: self.drop_connections(),
            "freeze": lambda _: self.freeze_connections(),
            "withhold": lambda which: self.withhold_events({"on": True, "off": False}[which]),
            "break_xml": self.break_xml,
            "mend_xml": lambda _: self.mend_xml(),
            "go_away": lambda _: self.go_away(),
            "come_back": lambda _: self.come_back(),
            "stats": lambda _: json.dumps(self.stats()),
            "register": keywords(self.register),
            "unregister": keywords(self.unregister),
            "expire": keywords(self.expire),
            "disconnect": keywords(self.disconnect),
            "call": keywords(self.start_call),
            "route": keywords(self.route_call),
            "ring": keywords(self.ring_call),
            "answer": keywords(self.answer_call),
            "bridge": keywords(self.bridge),
            "hangup": keywords(self.end_call),
            "gateway": keywords(self.set_gateway_state),
            "message_waiting": keywords(self.message_waiting),
        }
        name, _, argument = command.strip().partition(" ")
        try:
            result = methods[name](argument)
        except (KeyError, TypeError, ValueError, RuntimeError) as fault:
            return f"-ERR {name}: {fault!r}\n"
        return "+OK\n" if result is None else f"{result}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulator until SIGTERM or SIGINT; says on standard output where it listens."""
    parser = argparse.ArgumentParser(prog="python -m pbxapi.sandbox.switch", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--password", default="ClueCon")
    parser.add_argument("--conf", type=Path, help="folder with directory/, sip_profiles/ and dialplan/")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--sip-profiles", type=Path)
    parser.add_argument("--dialplan", type=Path)
    parser.add_argument("--hostname", default="sandbox")
    parser.add_argument("--switchname")
    parser.add_argument("--profile", action="append", help="a SIP profile; internal and external by default")
    parser.add_argument("--reload-seconds", type=float, default=0.0)
    parser.add_argument("--database-url", help="of FusionPBX's database")
    parser.add_argument("--cache-dir", type=Path, help="FusionPBX's folder of cache files")
    given = parser.parse_args(argv)
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    simulator = SwitchSimulator(
        given.conf,
        directory_dir=given.directory,
        sip_profiles_dir=given.sip_profiles,
        dialplan_dir=given.dialplan,
        password=given.password,
        host=given.host,
        port=given.port,
        hostname=given.hostname,
        switchname=given.switchname,
        profiles=given.profile or ("internal", "external"),
        reload_seconds=given.reload_seconds,
        database_url=given.database_url,
        cache_dir=given.cache_dir,
    )
    with simulator:
        print(f"switch simulator on {simulator.host}:{simulator.port}", flush=True)
        signal.sigwait(ends)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
