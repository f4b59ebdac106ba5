"""The settings: names with slips in them, who can read the passwords, and where two places must say the same."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches

from pbxapi import __version__
from pbxapi.config import Config
from pbxapi.data.database import implementation
from pbxapi.data.settings import read_settings
from pbxapi.doctor.checkup import Finding, Host, ok, skip, warn


def programs(host: Host) -> Iterator[Finding]:
    """Python, and how its driver of PostgreSQL was built."""
    yield ok(f"pbxapi {__version__}, Python {sys.version.split()[0]}")
    if implementation() == "python":
        yield warn("psycopg runs its slow implementation in Python", "pip install 'psycopg[binary]'")


def names(host: Host) -> Iterator[Finding]:
    """Variables that begin like ours and are nobody's."""
    known = {setting.metadata["env"] for setting in fields(Config) if "env" in setting.metadata}
    for loaded in host.registry.plugins:
        known |= {setting.name for setting in loaded.plugin.settings} if loaded.plugin else set()
    unknown = sorted(set(host.config.environment) - known)
    for name in unknown:
        near = get_close_matches(name, known, 1)
        yield warn(
            f"{name} is no setting", f"did you mean {near[0]}?" if near else "take it out of the environment"
        )
    if not unknown:
        yield ok("every PBXAPI_ variable is a setting")


def conf_mode(host: Host) -> Iterator[Finding]:
    """Whether everybody on this host can read the password of the database."""
    if host.conf_path is None or not host.conf_path.is_file():
        yield skip("no config.conf of FusionPBX on this host")
        return
    mode = stat.S_IMODE(host.conf_path.stat().st_mode)
    if mode & stat.S_IROTH:
        yield warn(
            f"{host.conf_path} ({mode:o}) holds a password of the database, and everybody here can read it",
            f"chgrp www-data {host.conf_path} && chmod 640 {host.conf_path}, if who reads it is in that group",
        )
    else:
        yield ok(f"{host.conf_path} is not for everybody ({mode:o})")


def cache(host: Host) -> Iterator[Finding]:
    """FusionPBX's Lua goes by config.conf for the cache, its pages by the settings too."""
    with host.database.reading() as session:
        settings = read_settings(session, None, ["cache/method", "cache/location"])
    disagree = False
    for name, ours in (("method", host.config.cache_method), ("location", host.config.cache_location)):
        in_conf, in_settings = host.conf.get(f"cache.{name}", ""), settings.get(f"cache/{name}", "")
        said = {place: value for place, value in (("config.conf", in_conf), ("settings", in_settings)) if value}
        if ours is not None:
            said["pbxapi"] = str(ours)
        if len({value.rstrip("/") for value in said.values()}) > 1:
            disagree = True
            places = ", ".join(f"{place}: {value}" for place, value in said.items())
            yield warn(
                f"the cache's {name} is not the same everywhere ({places})",
                f"make them the same: what the switch caches where nobody looks stays old. Its Lua goes by "
                f"config.conf (cache.{name}), FusionPBX's pages by the default setting cache/{name}",
            )
    if not disagree:
        yield ok("config.conf and the settings agree on the cache")
