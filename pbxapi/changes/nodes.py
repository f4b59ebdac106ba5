"""Switch nodes: registering, the heartbeat, and the folders and cache that the settings name."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import cast

from pbxapi.config import Config
from pbxapi.data.change import add_node
from pbxapi.data.database import Database, DatabaseError, Session
from pbxapi.data.settings import read_settings
from pbxapi.errors import SwitchError
from pbxapi.plugin.effects import Folder
from pbxapi.plugin.folders import FOLDER_SETTINGS, absolute, find_folders
from pbxapi.switch.cache import Cache
from pbxapi.switch.commands import host_name, switch_name
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds between signs of life; after three of them missing a node counts as away."""

DEFAULT_CACHE = Path("/var/cache/fusionpbx")

_SEEN = """
update pbxapi.node
   set seen_at = clock_timestamp(),
       hostname = coalesce(%(hostname)s::text, hostname),
       switchname = coalesce(%(switchname)s::text, switchname),
       socket_error = %(socket_error)s
 where name = %(name)s
"""


def read_node(
    config: Config, session: Session, name: str, event_socket: EventSocket, last_hostname: str | None
) -> Node:
    """What the settings of this moment make of a node: its cache and its folders.

    The environment wins over FusionPBX's configuration file, and that over the default settings.

    Args:
        last_hostname: what the switch last said its host name was; None where it never has.
    """
    settings = read_settings(session, None, [*FOLDER_SETTINGS.values(), "cache/method", "cache/location"])
    folders = {str(folder): path for folder, path in find_folders(config, settings).items()}
    method = config.cache_method or settings.get("cache/method", "file")
    location = config.cache_location or absolute(settings.get("cache/location", "")) or DEFAULT_CACHE
    if method not in ("file", "memcache"):
        log.warning("the setting cache/method is %r: taken for file", method)
        method = "file"
    return Node(name, event_socket, Cache(method, event_socket, location), folders, last_hostname)


def register(session: Session, name: str) -> None:
    """Make a node known, in the session's transaction; changes are noted for it from now on."""
    if add_node(session, name):
        log.warning("node %s is new: `pbxapi reconcile --fix` there puts right what older changes left", name)


class Heartbeat(threading.Thread):
    """Tells every few seconds that a node's worker is alive, and what its switch calls itself."""

    def __init__(self, database: Database, name: str, event_socket: EventSocket) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._database = database
        self._name = name
        self._event_socket = event_socket
        self._stop_wanted = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stop_wanted.set()

    def run(self) -> None:
        """Beat until told to stop."""
        while not self._stop_wanted.is_set():
            self.beat()
            self._stop_wanted.wait(HEARTBEAT)
        self._event_socket.close()

    def beat(self) -> None:
        """One sign of life."""
        seen: dict[str, str | None] = {"hostname": None, "switchname": None, "socket_error": None}
        try:
            seen["hostname"] = host_name(self._event_socket)
            seen["switchname"] = switch_name(self._event_socket)
        except SwitchError as error:
            seen["socket_error"] = str(error).replace("\0", "")[:500] or type(error).__name__
            log.info("node %s: the switch does not say its name: %s", self._name, error)
        try:
            with self._database.reading() as session:
                known = session.run(_SEEN, name=self._name, **seen)
            if not known:
                # Somebody forgot it, but here it is.
                with self._database.writing() as session:
                    register(session, self._name)
        except DatabaseError as error:
            log.warning("node %s: no heartbeat, PostgreSQL: %s", self._name, type(error).__name__)


def folder_names(node: Node) -> frozenset[Folder]:
    """The folders of a node that are set."""
    return frozenset(cast("Folder", name) for name in node.folders)
