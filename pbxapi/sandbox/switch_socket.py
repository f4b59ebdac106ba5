"""The event socket's side of the wire: frames, events, and what one connection may say (mod_event_socket.c)."""

from __future__ import annotations

import json
import queue
import re
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

if TYPE_CHECKING:
    from pbxapi.sandbox.switch import SwitchSimulator

AUTHENTICATION_SECONDS = 25
EVENTS_MOST = 100_000
"""Events that wait for a client at most; what comes then is lost."""
LOST_MOST = 500
"""Lost events in a row, after which the switch ends the connection."""
MAX_CONTENT = 16 * 1024 * 1024

GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

_EVENT_NAMES = """
    ALL CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER
    CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
    CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING
    CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN
    OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF
    MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC
    BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE
    EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE
    REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED
    SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP
    PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP
    CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT
    SHUTDOWN_REQUESTED CERT_RELOAD
"""
EVENT_NAMES = frozenset(_EVENT_NAMES.split())
"""The names that `event` takes (switch_event.c); a name that is not here is passed over."""


def url_encode(value: str) -> str:
    """A header value of a plain event: the switch's own set of unsafe characters, and no `%41` done twice."""
    return re.sub("%25([0-9A-F]{2})", r"%\1", quote(value, safe="!$'()*,/", errors="surrogateescape"))


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header by its name in any letter case."""
    return next((value for key, value in headers.items() if key.lower() == name.lower()), None)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Event:
    """An event.

    Args:
        headers: `Event-Name` and the rest, in their order.
        body: None for an event without one.
    """

    headers: Mapping[str, str]
    body: str | None = None

    def plain(self) -> bytes:
        """The frame's content for `event plain`."""
        lines = [f"{name}: {url_encode(value) or '_undef_'}\n" for name, value in self.headers.items()]
        body = _bytes(self.body or "")
        lines.append(f"Content-Length: {len(body)}\n\n" if body else "\n")
        return _bytes("".join(lines)) + body

    def json(self) -> bytes:
        """The frame's content for `event json`."""
        content = dict(self.headers)
        if self.body is not None:
            content |= {"Content-Length": str(len(_bytes(self.body))), "_body": self.body}
        return _bytes(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True)
class Frame:
    """What a client sends: a command line, headers, and a body if it announced one."""

    command: str
    headers: Mapping[str, str]
    body: str | None


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame; None at the end of the stream or when it claims an absurd length."""
    lines: list[str] = []
    while True:
        raw = stream.readline(MAX_CONTENT)
        if not raw:
            return None
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if line:
            lines.append(line)
        elif lines:
            break
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name: value.lstrip(" ") for name, colon, value in pairs if colon}
    length = header(headers, "content-length")
    if length is None:
        return Frame(lines[0], headers, None)
    if not length.isdecimal() or int(length) > MAX_CONTENT:
        return None
    return Frame(lines[0], headers, stream.read(int(length)).decode("utf-8", "surrogateescape"))


class Subscription:
    """Which events a connection wants.

    `event [plain|json] <names>`, what follows CUSTOM being subclasses; `nixevent <names>`; `noevents`;
    `filter [add|delete] <header> <value>`.
    """

    def __init__(self) -> None:
        self._enabled = False
        self._format = "plain"
        self._names: set[str] = set()
        self._subclasses: set[str] = set()
        self._filters: list[tuple[str, str]] = []

    def change(self, verb: str, rest: str) -> str | None:
        """Obey one of the four commands; the reply, None for another command."""
        match verb:
            case "event":
                return self._add(rest.split())
            case "nixevent":
                return self._remove(rest.split())
            case "noevents":
                return self._clear()
            case "filter" if rest:
                return self._filter(rest)
        return None

    def frame(self, event: Event) -> bytes | None:
        """The event as this subscriber gets it; None when it is not wanted."""
        if not (self._enabled and self._named(event) and self._passes(event)):
            return None
        content = event.json() if self._format == "json" else event.plain()
        return _bytes(f"Content-Length: {len(content)}\nContent-Type: text/event-{self._format}\n\n") + content

    def _add(self, words: list[str]) -> str:
        if words and words[0].lower() in ("plain", "json"):
            self._format = words.pop(0).lower()
        names, subclasses = self._split(words)
        if not names:
            return "-ERR no keywords supplied"
        self._enabled = True
        self._names |= names
        self._subclasses |= subclasses
        return f"+OK event listener enabled {self._format}"

    def _remove(self, words: list[str]) -> str:
        names, subclasses = self._split(words)
        if not names:
            return "-ERR no keywords supplied"
        self._subclasses -= subclasses
        if "ALL" in names:
            self._names.clear()
        elif "ALL" in self._names:
            self._names = set(EVENT_NAMES - {"ALL"})
        self._names -= names - {"CUSTOM"}
        return "+OK events nixed"

    def _clear(self) -> str:
        if not self._enabled:
            return "-ERR not listening for events"
        self._enabled = False
        self._names.clear()
        self._subclasses.clear()
        return "+OK no longer listening for events"

    def _filter(self, words: str) -> str:
        name, _, value = words.partition(" ")
        if name.lower() == "delete" and value:
            name, _, value = value.partition(" ")
            self._filters = [
                (key, wanted)
                for key, wanted in self._filters
                if name.lower() != "all" and (key.lower() != name.lower() or (value and wanted != value))
            ]
            return f"+OK filter deleted. [{name}][{value}]"
        if name.lower() == "add" and value:
            name, _, value = value.partition(" ")
        if not value:
            return "-ERR invalid syntax"
        self._filters.append((name, value))
        return f"+OK filter added. [{name}]=[{value}]"

    def _split(self, words: list[str]) -> tuple[set[str], set[str]]:
        names: set[str] = set()
        subclasses: set[str] = set()
        for word in words:
            if "CUSTOM" in names:
                subclasses.add(word)
            elif word.upper() in EVENT_NAMES:
                names.add(word.upper())
        return names, subclasses

    def _named(self, event: Event) -> bool:
        name = event.headers["Event-Name"]
        if "ALL" in self._names:
            return True
        subclass = event.headers.get("Event-Subclass")
        return name in self._names and (name != "CUSTOM" or subclass is None or subclass in self._subclasses)

    def _passes(self, event: Event) -> bool:
        """One filter that fits is enough; a value that begins with `-` shuts out, `/` begins a pattern."""
        passes = not self._filters
        for name, value in self._filters:
            found = header(event.headers, name)
            if found is None:
                continue
            wanted = value.lstrip("+- ")
            if value.startswith("/"):
                fits = re.search(value.strip("/"), found) is not None
            else:
                fits = found.lower() == wanted.lower()
            if fits and value.startswith("-"):
                return False
            passes = passes or fits
        return passes


class Connection:
    """One client of the event socket: a thread that reads its commands and one that writes to it.

    Args:
        switch: answers the commands.
        sock: the accepted socket; the connection owns it.
    """

    def __init__(self, switch: SwitchSimulator, sock: socket.socket) -> None:
        self._switch = switch
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as mod_event_socket.c has it
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._subscription = Subscription()
        self._held: list[bytes] | None = None
        self._lost = 0
        self._lock = threading.Lock()
        self._writer = threading.Thread(target=self._write, name="switch-simulator-writer", daemon=True)
        self._reader = threading.Thread(target=self._read, name="switch-simulator-reader", daemon=True)
        self.closed = threading.Event()
        self.controls = False
        """Whether it has used a `simulator` command: then faults leave it alone."""
        self.frozen = False
        """Whether nothing passes any more either way, though it looks open: as where a host is gone."""

    def start(self) -> None:
        self._writer.start()
        self._reader.start()

    def close(self) -> None:
        """Cut it now; what was not sent yet is lost."""
        self.closed.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster

    def join(self, seconds: float) -> None:
        self._reader.join(seconds)

    def deliver(self, event: Event) -> None:
        """Send the event if the client wants it; events wait until a running `api` command has answered."""
        with self._lock:
            frame = self._subscription.frame(event)
            if frame is None:
                return
            if self._outgoing.qsize() >= self._switch.events_most:
                self._lost += 1
                if self._lost > LOST_MOST:
                    self.close()
                return
            self._lost = 0
            if self._held is None:
                self._outgoing.put(frame)
            else:
                self._held.append(frame)

    def _read(self) -> None:
        authenticated = False
        try:
            with self._socket.makefile("rb") as stream:
                self._send("Content-Type: auth/request\n\n")
                self._socket.settimeout(AUTHENTICATION_SECONDS)
                while (frame := read_frame(stream)) is not None and self._switch.wait_until_awake(self):
                    if self.frozen:
                        continue
                    verb, _, rest = frame.command.partition(" ")
                    verb = verb.lower()
                    if verb.startswith(("exit", "...")):
                        self._reply("+OK bye")
                        break
                    if authenticated:
                        self._hold_events()
                        self._obey(verb, rest.strip(), frame)
                        self._release_events()
                    elif verb != "auth":
                        self._reply("-ERR command not found")
                    elif self._switch.accepts(rest):
                        authenticated = True
                        self._socket.settimeout(None)
                        self._reply("+OK accepted")
                    else:
                        self._reply("-ERR invalid")
                        break
        except OSError:
            self.closed.set()  # cut by the client or by close(), or no password in time
        finally:
            self._send(f"Content-Type: text/disconnect-notice\nContent-Length: {len(GOODBYE)}\n\n", GOODBYE)
            self._outgoing.put(None)
            self._writer.join()
            self._switch.forget(self)
            self._socket.close()

    def _write(self) -> None:
        while (data := self._outgoing.get()) is not None and self._switch.wait_until_awake(self):
            if self.frozen:
                continue
            try:
                self._socket.sendall(data)
            except OSError:  # the client is gone
                self.close()
                break

    def _send(self, text: str, body: str = "") -> None:
        self._outgoing.put(_bytes(text + body))

    def _reply(self, text: str, more: str = "") -> None:
        self._send(f"Content-Type: command/reply\nReply-Text: {text}\n{more}\n")

    def _hold_events(self) -> None:
        with self._lock:
            self._held = []

    def _release_events(self) -> None:
        with self._lock:
            for event in self._held or []:
                self._outgoing.put(event)
            self._held = None

    def _obey(self, verb: str, rest: str, frame: Frame) -> None:
        if verb == "api" and rest:
            body = self._api(rest)
            self._send(f"Content-Type: api/response\nContent-Length: {len(_bytes(body))}\n\n", body)
        elif verb == "bgapi" and rest:
            job = header(frame.headers, "job-uuid") or str(uuid.uuid4())
            self._reply(f"+OK Job-UUID: {job}", f"Job-UUID: {job}\n")
            self._switch.run_job(rest, job)
        else:
            self._switch.commands.append(frame.command)
            if verb == "sendevent":
                self._reply(f"+OK {self._switch.take_event(rest, frame.headers, frame.body)}")
            else:
                with self._lock:
                    self._reply(self._subscription.change(verb, rest) or "-ERR command not found")

    def _api(self, command: str) -> str:
        if command.startswith("simulator "):
            self.controls = True
            return self._switch.control(command.removeprefix("simulator "))
        answer = self._switch.api(command)
        if not self.controls:
            self.closed.wait(self._switch.answer_delay)
        return answer
