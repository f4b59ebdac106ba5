"""What the event socket promises, above all: an answer or an error within the deadline."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pbxapi.errors import SwitchBarred, SwitchRefused, SwitchUnavailable
from pbxapi.switch.event_socket import EventSocket


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    taken = time.monotonic() - start
    assert taken < seconds, f"took {taken:.2f} s"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_answer_is_the_body_and_nothing_else(raw, event_socket):
    raw.answers["hostname"] = "pbx1"
    assert event_socket.api("hostname") == "pbx1"
    assert raw.heard == ["api hostname"]
    assert raw.passwords == [raw.PASSWORD]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Zoë – 日本", "Zoë – 日本"),
        (b"caf\xe9 \xed\xa0\x80", "caf\ufffd \ufffd\ufffd\ufffd"),
        ("", ""),
        ("+OK\n\nContent-Type: api/response\n\n", "+OK\n\nContent-Type: api/response\n\n"),
        ("x" * 3_000_000, "x" * 3_000_000),
    ],
    ids=["unicode", "not UTF-8", "empty", "looks like a frame", "3 MB"],
)
def test_an_answer_comes_whole_and_is_always_text(raw, event_socket, body, text):
    raw.answers["status"] = body
    assert event_socket.api("status", timeout=10) == text
    text.encode()


def test_one_connection_serves_many_commands(raw, event_socket):
    for _ in range(20):
        event_socket.api("status")
    assert raw.connections == 1


def test_a_switch_that_accepts_and_stays_mute_is_unavailable_in_time(raw, event_socket):
    raw.greeting = None
    with within(1.0), pytest.raises(SwitchUnavailable, match=r"127\.0\.0\.1:\d+: no connection within"):
        event_socket.api("status")


def test_a_switch_that_hangs_at_the_password_is_unavailable_in_time(raw, event_socket):
    raw.reply = None
    with within(1.0), pytest.raises(SwitchUnavailable, match="no connection within"):
        event_socket.api("status")


def test_a_greeting_that_drips_in_does_not_stretch_the_deadline(raw, event_socket):
    def drip() -> None:
        while not raw._open:
            time.sleep(0.01)
        for byte in b"Content-Type: auth/request":
            try:
                raw._open[0].sendall(bytes([byte]))
            except (OSError, IndexError):
                return
            time.sleep(0.1)

    raw.greeting = None
    threading.Thread(target=drip, daemon=True).start()
    with within(1.0), pytest.raises(SwitchUnavailable, match="no connection within"):
        event_socket.api("status")


def test_a_name_server_that_does_not_answer_does_not_stretch_the_deadline(monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hang.wait(5) and [])
    with within(1.0), pytest.raises(SwitchUnavailable, match=r"switch\.example:8021: no connection within"):
        EventSocket("switch.example", 8021, "ClueCon", connect_timeout=0.3).api("status")
    hang.set()


def test_a_name_without_an_address_is_said_at_once(monkeypatch):
    def unknown(*args: object, **kinds: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with within(1.0), pytest.raises(SwitchUnavailable, match="Name or service not known"):
        EventSocket("switch.example", 8021, "ClueCon").api("status")


def test_a_host_that_can_be_no_name_is_said_at_once():
    with within(1.0), pytest.raises(SwitchUnavailable, match="too long"):
        EventSocket("x" * 64 + ".example", 8021, "ClueCon").api("status")


def test_the_next_address_is_tried_when_one_refuses(raw, monkeypatch):
    raw.answers["hostname"] = "pbx1"
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (1, raw.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
    with closing(EventSocket("switch.example", raw.port, raw.PASSWORD)) as event_socket:
        assert event_socket.api("hostname") == "pbx1"


def test_nobody_listening_is_said_at_once(raw, event_socket):
    raw.close()
    with within(1.0), pytest.raises(SwitchUnavailable, match="Connection refused"):
        event_socket.api("status")


def test_a_wrong_password_is_said_and_not_shown(raw, event_socket):
    raw.reply = b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"
    with within(1.0), pytest.raises(SwitchBarred, match="authentication refused") as caught:
        event_socket.api("status")
    assert raw.PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert raw.PASSWORD not in repr(event_socket)


def test_a_host_that_the_access_list_shuts_out_is_told_so(raw, event_socket):
    raw.greeting = b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
    with pytest.raises(SwitchBarred, match="access list"):
        event_socket.api("status")


@pytest.mark.parametrize("greeting", [b"HTTP/1.0 400 Bad Request\n\n", b"\n\n", b"x" * 100_000])
def test_what_is_no_event_socket_is_told_so_and_gets_no_password(raw, event_socket, greeting):
    raw.greeting = greeting
    with pytest.raises(SwitchUnavailable, match="no event socket"):
        event_socket.api("status")
    assert raw.passwords == []


def test_a_command_that_hangs_fails_at_its_deadline_and_the_next_one_works(raw, event_socket):
    raw.behave = lambda *_: None
    with within(1.0), pytest.raises(SwitchUnavailable, match="no answer within"):
        event_socket.api("reloadxml", timeout=0.3)
    raw.behave = raw._answer
    raw.answers["hostname"] = "pbx1"
    assert event_socket.api("hostname") == "pbx1"
    assert raw.connections == 2


@pytest.mark.parametrize("length", [20, 300])
def test_half_an_answer_fails_at_the_deadline(raw, event_socket, length):
    raw.behave = lambda connection, _: connection.sendall(raw.frame("x" * 1000)[:length])
    with within(1.0), pytest.raises(SwitchUnavailable, match="no answer within"):
        event_socket.api("status", timeout=0.3)


def test_a_late_answer_is_never_taken_for_the_next_one(raw, event_socket):
    def late(connection: socket.socket, asked: str) -> None:
        if asked == "slow":
            time.sleep(0.4)
        connection.sendall(raw.frame(f"answer to {asked}"))

    raw.behave = late
    with pytest.raises(SwitchUnavailable):
        event_socket.api("slow", timeout=0.2)
    time.sleep(0.3)
    assert event_socket.api("quick") == "answer to quick"


def test_the_deadline_covers_connecting_as_well(raw, event_socket):
    raw.greeting = None
    with within(1.0), pytest.raises(SwitchUnavailable):
        event_socket.api("status", timeout=0.1)


def test_a_deadline_that_is_over_sends_nothing(raw, event_socket):
    event_socket.api("status")
    with pytest.raises(SwitchUnavailable):
        event_socket.api("reloadxml", timeout=-1)
    time.sleep(0.05)
    assert raw.heard == ["api status"]


@pytest.mark.parametrize(
    "last_words",
    [b"", b"Content-Type: text/disconnect-notice\nContent-Length: 23\n\nDisconnected, goodbye.\n"],
    ids=["silently", "with a good-bye"],
)
@pytest.mark.parametrize("retry", [True, False])
def test_a_connection_that_the_switch_closed_meanwhile_is_opened_again(raw, event_socket, last_words, retry):
    event_socket.api("status")
    raw.hang_up(last_words)
    raw.answers["hostname"] = "pbx1"
    assert event_socket.api("hostname", retry=retry) == "pbx1"
    assert raw.heard == ["api status", "api hostname"]


def dies_once(raw) -> None:
    """The next command is heard and then the connection breaks."""

    def die(connection: socket.socket, asked: str) -> None:
        raw.behave = raw._answer
        connection.shutdown(socket.SHUT_RDWR)

    raw.behave = die


def test_a_command_that_a_kept_connection_lost_is_sent_again_once(raw, event_socket):
    event_socket.api("status")
    dies_once(raw)
    raw.answers["reloadxml"] = "+OK [Success]\n"
    assert event_socket.api("reloadxml") == "+OK [Success]\n"
    assert raw.heard == ["api status", "api reloadxml", "api reloadxml"]


def test_a_command_that_must_not_run_twice_is_sent_once(raw, event_socket):
    event_socket.api("status")
    dies_once(raw)
    with pytest.raises(SwitchUnavailable, match="connection was lost"):
        event_socket.api("originate", retry=False)
    assert raw.heard == ["api status", "api originate"]


def test_a_switch_that_dies_at_each_command_is_not_asked_for_ever(raw, event_socket):
    raw.behave = lambda connection, _: connection.shutdown(socket.SHUT_RDWR)
    with within(1.0), pytest.raises(SwitchUnavailable, match="connection was lost"):
        event_socket.api("reloadxml")
    assert raw.heard == ["api reloadxml"]


def test_each_of_many_threads_gets_its_own_answer(raw, event_socket):
    raw.behave = lambda connection, asked: connection.sendall(raw.frame(asked.upper()))
    wrong: list[str] = []

    def ask(number: int) -> None:
        for count in range(20):
            word = f"command {number} {count}"
            if event_socket.api(word, timeout=20) != word.upper():
                wrong.append(word)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert raw.connections == 1
    assert len(raw.heard) == 160


def test_waiting_for_another_threads_command_counts_into_the_deadline(raw, event_socket):
    raw.behave = lambda connection, _: (time.sleep(0.5), connection.sendall(raw.frame("+OK")))
    other = threading.Thread(target=event_socket.api, args=["slow", 2])
    other.start()
    time.sleep(0.1)
    with within(1.0), pytest.raises(SwitchUnavailable, match="other commands"):
        event_socket.api("status", timeout=0.2)
    other.join()
    assert raw.heard == ["api slow"]


@pytest.mark.parametrize(
    "command",
    ["", "reloadxml\n\napi hupall", "status\r", "status\0", "status\x1b[0m", "status\u2028", "status\ud800"],
)
def test_a_command_that_is_more_than_a_line_never_reaches_the_switch(raw, event_socket, command):
    with pytest.raises(ValueError, match="not a command"):
        event_socket.api(command)
    assert raw.connections == 0


def test_a_password_that_is_more_than_a_line_is_refused_unseen():
    with pytest.raises(ValueError, match="control character") as caught:
        EventSocket("127.0.0.1", 8021, "secret\n\napi hupall")
    assert "secret" not in str(caught.value)


def test_a_command_that_the_password_may_not_use_is_refused(raw, event_socket):
    denied = b"Content-Type: command/reply\nReply-Text: -ERR permission denied\n\n"
    raw.behave = lambda connection, _: connection.sendall(denied)
    with pytest.raises(SwitchRefused, match="reloadxml: -ERR permission denied"):
        event_socket.api("reloadxml")


def test_an_event_that_comes_between_is_not_the_answer(raw, event_socket):
    notice = b"Content-Length: 17\nContent-Type: text/event-plain\n\nEvent-Name: API\n\n"
    raw.behave = lambda connection, _: connection.sendall(notice + raw.frame("pbx1"))
    assert event_socket.api("hostname") == "pbx1"


def test_a_custom_event_is_sent_as_fusionpbx_sends_it(raw, event_socket):
    event_socket.send_event(
        "fusion::file",
        {"API-Command": "cache", "API-Command-Argument": "delete directory:101@example.com"},
    )
    assert raw.heard[0].split("\n") == [
        "sendevent CUSTOM",
        "Event-Name: CUSTOM",
        "Event-Subclass: fusion::file",
        "API-Command: cache",
        "API-Command-Argument: delete directory:101@example.com",
    ]


def test_a_plain_event_has_its_name_and_body(raw, event_socket):
    event_socket.send_event("MESSAGE", {"to": "101@example.com"}, "Zoë")
    assert raw.heard[0] == "sendevent MESSAGE\nEvent-Name: MESSAGE\nto: 101@example.com\nContent-Length: 4"


@pytest.mark.parametrize(
    ("name", "headers", "body"),
    [
        ("fusion::file\nX: y", {}, None),
        ("", {}, None),
        ("MESSAGE", {"to": "a\n\napi hupall"}, None),
        ("MESSAGE", {"to\nX": "a"}, None),
        ("MESSAGE", {"": "a"}, None),
        ("MESSAGE", {"content-length": "1000000"}, None),
        ("MESSAGE", {"to": "a\0"}, None),
        ("MESSAGE", {}, "a\0b"),
    ],
)
def test_an_event_that_would_say_more_than_meant_is_not_sent(raw, event_socket, name, headers, body):
    with pytest.raises(ValueError, match=r"not |NUL"):
        event_socket.send_event(name, headers, body)
    assert raw.connections == 0


def test_an_event_that_the_switch_does_not_take_is_an_error(raw, event_socket):
    refusal = b"Content-Type: command/reply\nReply-Text: -ERR command not found\n\n"
    raw.behave = lambda connection, _: connection.sendall(refusal)
    with pytest.raises(SwitchRefused, match="sendevent MESSAGE: -ERR command not found"):
        event_socket.send_event("MESSAGE", {})


def test_after_close_a_command_opens_a_new_connection(raw, event_socket):
    event_socket.api("status")
    event_socket.close()
    event_socket.close()
    event_socket.api("status")
    assert raw.connections == 2


def test_a_forked_child_has_a_connection_of_its_own(raw, event_socket):
    raw.behave = lambda connection, asked: connection.sendall(raw.frame(asked.upper()))
    event_socket.api("parent")
    child = os.fork()
    if child == 0:
        os._exit(0 if event_socket.api("child", timeout=5) == "CHILD" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert event_socket.api("parent again") == "PARENT AGAIN"
    assert raw.connections == 2


def test_an_interrupted_command_leaves_the_connection_usable(raw, event_socket):
    class Interrupted(Exception):
        pass

    def interrupt(*args: object) -> None:
        raise Interrupted

    raw.behave = lambda connection, asked: (time.sleep(0.2), connection.sendall(raw.frame(asked.upper())))
    event_socket.api("before")
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interrupted):
            event_socket.api("interrupted")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert event_socket.api("after") == "AFTER"


def test_closing_leaves_no_descriptors_and_no_threads_behind(raw, event_socket):
    event_socket.api("status")
    event_socket.close()
    time.sleep(0.1)
    files, threads = descriptors(), threading.active_count()
    for _ in range(5):
        event_socket.api("status")
        event_socket.close()
    time.sleep(0.2)
    assert descriptors() <= files
    assert threading.active_count() <= threads


def test_failures_leave_no_descriptors_and_no_threads_behind(raw, event_socket):
    event_socket.api("status")
    event_socket.close()
    time.sleep(0.1)
    files, threads = descriptors(), threading.active_count()
    for greeting, reply in [(None, None), (raw.GREETING, None), (raw.GREETING, b"x\n\n"), (b"x\n\n", None)] * 3:
        raw.greeting, raw.reply = greeting, reply
        with pytest.raises(SwitchUnavailable):
            event_socket.api("status", timeout=0.05)
    raw.greeting, raw.reply = raw.GREETING, raw.ACCEPTED
    raw.behave = lambda *_: None
    for _ in range(3):
        with pytest.raises(SwitchUnavailable):
            event_socket.api("status", timeout=0.05)
    raw.hang_up()
    time.sleep(0.2)
    assert descriptors() <= files
    assert threading.active_count() <= threads


# Many at once


def test_many_events_are_all_taken_in_their_order(raw, event_socket):
    event_socket.send_events("fusion::file", [{"API-Command-Argument": f"delete {n}"} for n in range(250)])
    told = [re.search(r"delete (\d+)", text) for text in raw.heard]
    assert [int(found[1]) for found in told if found] == list(range(250))
    assert raw.connections == 1


def test_many_commands_are_answered_each_with_its_own_answer(raw, event_socket):
    raw.answers = {f"memcache delete {n}": f"answer {n}\n" for n in range(250)}
    assert event_socket.api_each(list(raw.answers)) == list(raw.answers.values())


def test_none_of_many_waits_for_the_answer_to_another(raw, event_socket):
    def answer_late(connection, asked):
        if len(raw.heard) == 10:
            for n in range(10):
                connection.sendall(raw.frame(f"answer {n}"))

    raw.behave = answer_late
    assert event_socket.api_each([f"status {n}" for n in range(10)]) == [f"answer {n}" for n in range(10)]


def test_of_many_nothing_is_sent_where_one_cannot_be(raw, event_socket):
    with pytest.raises(ValueError, match="not a header on one line"):
        event_socket.send_events("fusion::file", [{"Good": "x"}, {"Bad": "x\ny"}])
    with pytest.raises(ValueError, match="not a command on one line"):
        event_socket.api_each(["status", "sta\ntus"])
    assert raw.heard == []


def test_many_that_a_kept_connection_lost_half_way_are_all_sent_again(raw, event_socket):
    event_socket.api("status")

    def die_at_the_fifth(connection, asked):
        if asked == "status 5":
            raw.behave = raw._answer
            raw.hang_up()
        elif raw.behave == die_at_the_fifth:
            raw._answer(connection, asked)

    raw.behave = die_at_the_fifth
    raw.answers = {f"status {n}": str(n) for n in range(10)}
    assert event_socket.api_each(list(raw.answers)) == [str(n) for n in range(10)]
    assert raw.connections == 2


def test_a_switch_that_goes_mute_among_many_is_unavailable_in_time(raw, event_socket):
    raw.behave = lambda connection, asked: raw._answer(connection, asked) if len(raw.heard) < 5 else None
    with within(1.0), pytest.raises(SwitchUnavailable, match="no answer within"):
        event_socket.send_events("fusion::file", [{"Key": str(n)} for n in range(10)])


def test_an_event_of_many_that_is_refused_shows(raw, event_socket):
    raw.behave = lambda connection, _: connection.sendall(b"Content-Type: command/reply\nReply-Text: -ERR no\n\n")
    with pytest.raises(SwitchRefused, match="sendevent fusion::file: -ERR no"):
        event_socket.send_events("fusion::file", [{"Key": "x"}])
