"""FreeSWITCH: its event socket, its process, and the folders that the worker writes into."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pbxapi.changes.nodes import read_node
from pbxapi.doctor.checkup import Finding, Host, account, fail, ok, readable, skip, warn
from pbxapi.errors import SwitchBarred, SwitchError
from pbxapi.switch.commands import host_name, in_access_list, switch_name
from pbxapi.switch.event_socket import EventSocket

DEFAULT_PASSWORD = "ClueCon"

_NOBODYS = "203.0.113.1"
"""An address that no host has (RFC 5737): a list that has it has them all."""

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_PARAM = re.compile(r"""<param\s+name=["']([^"']*)["']\s+value=["']([^"']*)["']""")


def event_socket(host: Host) -> Iterator[Finding]:
    """Whether it lets us in, and whether it would let in everybody else."""
    place = f"{host.config.esl_host}:{host.config.esl_port}"
    try:
        hostname, switchname = host_name(host.switch), switch_name(host.switch)
    except SwitchBarred as error:
        yield fail(
            f"the event socket at {place} does not let this host in: {error}",
            "look at apply-inbound-acl in event_socket.conf.xml (without one only 127.0.0.1 is let in), and at "
            "switch.event_socket.password in config.conf against the password there",
        )
        return
    except SwitchError as error:
        yield fail(
            f"the event socket at {place} does not answer: {error}",
            "systemctl status freeswitch; look at listen-ip and listen-port in event_socket.conf.xml",
        )
        return
    yield ok(f"the switch at {place} calls itself {hostname}")
    if hostname != switchname:
        yield warn(
            f"its switchname is {switchname}, its host name {hostname}",
            "FusionPBX compares v_gateways.hostname and the like with the host name: write that one there",
        )
    if _lets_in(host, DEFAULT_PASSWORD):
        yield warn(
            f"it takes the password that everybody knows ({DEFAULT_PASSWORD})",
            "change it in event_socket.conf.xml and in switch.event_socket.password of config.conf: "
            "whoever reaches this port runs what he likes",
        )
    yield from _access(host)


def _access(host: Host) -> Iterator[Finding]:
    """Who is let in, by the switch's own file and its access lists; without one, only its own host is."""
    place = f"{host.conf.get('switch.conf.dir', '/etc/freeswitch')}/autoload_configs/event_socket.conf.xml"
    text = readable(host.path(place))
    if text is None:
        return
    params = _PARAM.findall(_COMMENT.sub("", text))
    listens = next((value for name, value in params if name == "listen-ip"), "::")
    lists = [value for name, value in params if name == "apply-inbound-acl"] or ["loopback.auto"]
    if listens in ("127.0.0.1", "::1", "localhost") or lists == ["loopback.auto"]:
        yield ok("the event socket lets in this host alone")
        return
    if open_ := [name for name in lists if in_access_list(host.switch, _NOBODYS, name)]:
        yield warn(
            f"the event socket listens on {listens}, and {', '.join(open_)} lets in whoever knows its password",
            f"make an access list of the hosts of pbxapi's workers, and name it as apply-inbound-acl in {place}",
        )
        return
    yield ok(f"the event socket listens on {listens}, and lets in {', '.join(lists)}")


def _lets_in(host: Host, password: str) -> bool:
    """Whether the event socket takes a password that is not ours."""
    if password == host.config.esl_password:
        return True
    other = EventSocket(host.config.esl_host, host.config.esl_port, password)
    try:
        host_name(other)
    except SwitchError:
        return False
    finally:
        other.close()
    return True


@dataclass(frozen=True)
class SwitchProcess:
    """The process of FreeSWITCH on this host: its user, its group and its umask."""

    uid: int
    gid: int
    umask: int


def find_switch(host: Host) -> SwitchProcess | None:
    """The process of FreeSWITCH, from /proc; None where this host has none."""
    for name in host.path("/proc").glob("[0-9]*/comm"):
        if (readable(name) or "").strip() == "freeswitch":
            pairs = (line.partition(":") for line in (readable(name.parent / "status") or "").splitlines())
            status = {key: value.split() for key, _, value in pairs}
            with suppress(KeyError, IndexError, ValueError):
                return SwitchProcess(int(status["Uid"][1]), int(status["Gid"][1]), int(status["Umask"][0], 8))
    return None


def switch_process(host: Host) -> Iterator[Finding]:
    """What the worker writes must be the switch's, and the other way round."""
    process = find_switch(host)
    if process is None:
        yield skip("no process of FreeSWITCH on this host")
        return
    user, group = _user(process.uid), _group(process.gid)
    yield ok(f"FreeSWITCH runs as {user}:{group}, umask {process.umask:04o}")
    if os.geteuid() == 0:
        yield warn(
            "this is root, who may write everywhere: the folders cannot be judged",
            f"sudo -u {user} pbxapi doctor, as the user that the worker runs as",
        )
    elif os.geteuid() != process.uid:
        yield warn(
            f"this is {account()}, and FreeSWITCH is {user}",
            f"run the worker as {user} with UMask={process.umask:04o}: it drops its further groups, and could not "
            "write into folders that another user has made",
        )
    if process.umask & 0o070:
        yield warn(
            f"its umask {process.umask:04o} keeps its files from its group",
            f"set UMask=0007 in a drop-in of freeswitch.service, or run the worker as {user}",
        )


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


def folders(host: Host) -> Iterator[Finding]:
    """A file is made, renamed and deleted in each folder that changes go into."""
    with host.database.reading() as session:
        node = read_node(host.config, session, "doctor", host.switch, None)
    places = dict(sorted(node.folders.items()))
    if node.cache.method == "file" and node.cache.folder is not None:
        places["cache"] = node.cache.folder
    for name, folder in places.items():
        yield _folder(name, folder)
    if not places:
        yield skip("no folder is set")


def _folder(name: str, folder: Path) -> Finding:
    first, second = (folder / f".pbxapi-doctor-{os.getpid()}{end}" for end in ("", ".renamed"))
    try:
        os.close(os.open(first, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660))
        try:
            first.rename(second)
            second.unlink()
        finally:
            first.unlink(missing_ok=True)
            second.unlink(missing_ok=True)
    except FileNotFoundError:
        return fail(f"{name}: {folder} is not there", f"make it, or correct the setting that names it ({name})")
    except OSError as error:
        return fail(
            f"{name}: {account()} cannot write to {folder}: {error.strerror}",
            f"run the worker as the owner of {folder}, {_owner(folder)}; in a unit, name it in ReadWritePaths",
        )
    return ok(f"{name}: files can be made, renamed and deleted in {folder}")


def _owner(folder: Path) -> str:
    with suppress(OSError, KeyError):
        return folder.owner()
    return "whoever that is"
