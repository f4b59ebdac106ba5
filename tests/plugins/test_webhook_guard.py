"""No door into the network: what a webhook can have as its target, and how a delivery holds to that."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pbxapi.config import Config
from pbxapi.plugin.loader import load_plugins

load_plugins(Config(database_url="postgresql://", plugins=("webhooks",)), {})

from pbxapi_plugins.webhooks import guard  # noqa: E402
from pbxapi_plugins.webhooks.sending import ANSWER_MOST, EXCERPT, Message, send  # noqa: E402

INSIDE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
    "192.167.1.1", "223.255.255.254", "2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not guard.is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_taken(address: str) -> None:
    assert guard.is_public(ip_address(address))


REFUSED_URLS = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/",
    "https://017700000001/", "https://0177.0.0.1/", "https://localhost/", "https://LOCALHOST:8443/",
    "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fd00:ec2::254]/", "https://[::]/",
    "https://169.254.169.254/latest/meta-data/", "https://0/", "https://10.0.0.1/", "https://100.64.1.1/",
    "http://1.1.1.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_target_inside_the_network_is_refused_when_it_is_saved_and_when_it_is_sent(url: str) -> None:
    target = guard.parse(url)
    with pytest.raises(guard.Refused):
        guard.check(target, guard.addresses(target), ())
    outcome = attempt(url, allowed=())
    assert (outcome.delivered, outcome.status) == (False, None)
    assert "webhooks do not reach" in outcome.error or "use https" in outcome.error


BROKEN_URLS = [
    "", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "https://a b/",
    "https://user@example.com/", "https://user:pass@example.com/", "https://1.1.1.1@127.0.0.1/",
    "https://127.0.0.1\\@example.com/", "https://example.com\\.evil/", "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment", "https://example.com:0/", "https://example.com:65536/", "https://example.com:x/",
    "https://ex\tample.com/", "https://example.com/\r\nX: y", "https://example.com/\u00fc", "https://\u00fc.example/",
    "https://\u2460\u2466.0.0.1/", "https://127\u30020.0.1/", "https://[fe80::1%25eth0]/", "https://[::1",
    "https://[1.2.3.4]/", "https://localhost./", "https://.example.com/", "https://a..b/", "https://-a.example/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", "https://example.com/" + "a" * 2048,
    "gopher://example.com/", "https:/example.com/", "//example.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", BROKEN_URLS)
def test_a_url_that_can_be_read_in_two_ways_is_none(url: str) -> None:
    with pytest.raises(ValueError):
        guard.parse(url)


def test_what_a_url_says_is_what_is_asked_for() -> None:
    assert guard.parse("HTTPS://Hooks.Example.com:8443/a/b?c=d&e=%20") == guard.Target(
        "https", "hooks.example.com", 8443, "/a/b?c=d&e=%20"
    )
    assert guard.parse("https://example.com?x=1").path == "/?x=1"
    assert guard.parse("https://[2606:4700::1]").place == "[2606:4700::1]"
    assert guard.parse("http://example.com:443").place == "example.com:443"


def test_the_operators_list_opens_networks_and_no_others() -> None:
    allowed = guard.networks("10.1.2.0/24, fd00:1::/64,")
    for url in ("http://10.1.2.3/", "https://[::ffff:10.1.2.3]/", "http://[fd00:1::5]/"):
        target = guard.parse(url)
        guard.check(target, guard.addresses(target), allowed)
    for url in ("http://10.1.3.3/", "https://127.0.0.1/", "https://[fd00:2::5]/"):
        target = guard.parse(url)
        with pytest.raises(guard.Refused):
            guard.check(target, guard.addresses(target), allowed)
    with pytest.raises(ValueError, match="networks such as"):
        guard.networks("10.1.2.3/24")


LOOPBACK = guard.networks("127.0.0.0/8")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("_ALLOW", "10.0.0.1/8"), ("_ALLOW", "all"), ("S_TIMEOUT", "0"), ("S_TIMEOUT", "nan"), ("S_THREADS", "-1"),
     ("S_RETRIES", "5,x"), ("S_RETRIES", "inf"), ("S_RETRIES", "-1"), ("S_KEEP_DAYS", "1.5")],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named(setting: str, value: str) -> None:
    environment = {f"PBXAPI_WEBHOOK{setting}": value}
    config = Config(database_url="postgresql://", plugins=("webhooks",), environment=environment)
    with pytest.raises(Exception, match=f"PBXAPI_WEBHOOK{setting} must be"):
        load_plugins(config, {})


def attempt(url: str, *, allowed: guard.Networks = LOOPBACK, **more: Any) -> Any:
    message = Message("m1", url, b'{"a":1}', ["whsec_" + "A" * 32], {"X-Own": "1"})
    return send(message, **{"allowed": allowed, "seconds": 2.0, **more})


class Names:
    """Stands in for the DNS: each look-up of a name takes the next of its answers; addresses are left alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> None:
        self.asked: list[str] = []
        real = socket.getaddrinfo

        def look_up(host: str, port: int, *more: Any, **named: Any) -> Any:
            if host not in answers:
                return real(host, port, *more, **named)
            self.asked.append(host)
            now = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
            return [found for text in now.split() for found in real(text, port, *more, **named)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_name_that_is_bound_anew_after_the_save_is_refused(monkeypatch, receiver) -> None:
    names = Names(monkeypatch, rebind=["1.1.1.1", "127.0.0.1"])
    target = guard.parse(receiver.url.replace("127.0.0.1", "rebind").replace("http:", "https:"))
    guard.check(target, guard.addresses(target), ())
    outcome = attempt(receiver.url.replace("127.0.0.1", "rebind"), allowed=())
    assert outcome.error == "rebind leads into a network that webhooks do not reach"
    assert (names.asked, receiver.requests) == (["rebind", "rebind"], [])


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(monkeypatch, receiver) -> None:
    names = Names(monkeypatch, rebind=["127.0.0.1", "169.254.169.254"])
    assert attempt(receiver.url.replace("127.0.0.1", "rebind")).status == 204
    assert names.asked == ["rebind"]
    (request,) = receiver.requests
    assert request.headers["Host"].startswith("rebind:")


def test_a_name_that_nobody_answers_for_is_not_waited_for(monkeypatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(guard, "_LOOK_UP", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    try:
        assert attempt("http://tarpit/").error == "the address of tarpit was not found in time"
    finally:
        release.set()


@pytest.mark.parametrize("both", ["1.1.1.1 127.0.0.1", "127.0.0.1 1.1.1.1", "1.1.1.1 ::ffff:127.0.0.1"])
def test_one_address_inside_spoils_a_name(monkeypatch, receiver, both: str) -> None:
    Names(monkeypatch, mixed=[both])
    outcome = attempt(receiver.url.replace("127.0.0.1", "mixed").replace("http:", "https:"), allowed=())
    assert "webhooks do not reach" in outcome.error
    assert receiver.requests == []


def test_a_public_name_of_this_very_host_is_refused(monkeypatch, receiver) -> None:
    monkeypatch.setattr(guard, "is_public", lambda _: True)
    monkeypatch.setattr(guard, "check", lambda *_: None)
    outcome = attempt(receiver.url, allowed=())
    assert outcome.error == "127.0.0.1 is this host"
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receivers, status: int) -> None:
    inside, outside = receivers(), receivers()
    outside.behave = lambda _: (status, b"", {"Location": inside.url})
    outcome = attempt(outside.url)
    assert outcome.error == f"answered {status}: redirects are not followed"
    assert (len(outside.requests), len(inside.requests)) == (1, 0)


def test_no_proxy_of_the_environment_is_used(monkeypatch, receivers) -> None:
    proxy, target = receivers(), receivers()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert attempt(target.url).delivered
    assert (len(target.requests), len(proxy.requests)) == (1, 0)


def test_of_a_long_answer_the_beginning_is_read(receiver) -> None:
    receiver.behave = lambda _: (200, b"\x00caf\xc3\xa9 \xff" + b"x" * (20 * ANSWER_MOST), {})
    outcome = attempt(receiver.url)
    assert outcome.delivered
    assert len(outcome.response) <= EXCERPT
    assert outcome.response.startswith("caf\u00e9 \ufffdxxx")


def test_an_answer_without_end_or_length_is_cut(receiver) -> None:
    receiver.behave = lambda _: (200, b"x" * (4 * ANSWER_MOST), {"Content-Length": str(2**40)})
    assert attempt(receiver.url).status == 200


@pytest.mark.parametrize(
    "drip", [b"H", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
)
def test_an_answer_that_drips_has_no_more_time_than_one_that_is_late(drip: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(drip)
                    for _ in range(200):
                        time.sleep(0.05)
                        connection.sendall(b"a")
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        outcome = attempt(f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=0.5)
        assert outcome.error == "no complete answer within 0.5 seconds"
        assert time.monotonic() - began < 8
        thread.join()


@pytest.mark.parametrize(
    "words", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 99999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" * 400]
)
def test_an_answer_that_is_none_is_a_failure_and_no_fault(words: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        outcome = attempt(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert not outcome.delivered
    assert outcome.error


def test_a_port_that_nobody_listens_at_is_a_failure(receiver) -> None:
    receiver.close()
    assert "refused" in attempt(receiver.url).error.lower()


def certificate(tmp_path, name: str) -> ssl.SSLContext:
    """A server's context with a certificate that signs itself; it is left in the folder as cert.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(pem))
    (tmp_path / "both.pem").write_bytes(private + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


def test_the_certificate_must_be_of_the_name_and_trusted(monkeypatch, receiver, tmp_path) -> None:
    server = receiver._server
    server.socket = certificate(tmp_path, "hooks.example").wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(server, "handle_error", lambda *_: None)
    Names(monkeypatch, **{"hooks.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    url = receiver.url.replace("http:", "https:")
    assert attempt(url.replace("127.0.0.1", "hooks.example"), tls=trusted).status == 204
    for name, tls in (("hooks.example", None), ("other.example", trusted), ("127.0.0.1", trusted)):
        outcome = attempt(url.replace("127.0.0.1", name), tls=tls)
        assert outcome.error.startswith("the certificate is not trusted"), outcome
    assert len(receiver.requests) == 1
    assert receiver.requests[0].headers["Host"] == f"hooks.example:{server.server_port}"
