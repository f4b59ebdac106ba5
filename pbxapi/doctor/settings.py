"""The settings: names with slips in them, who can read the passwords, and where two places must say the same."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pbxapi import __version__
from pbxapi.config import Config
from pbxapi.data.database import implementation
from pbxapi.data.settings import read_settings
from pbxapi.doctor.checkup import Finding, Host, ok, readable, skip, warn
from pbxapi.doctor.telephony import find_switch


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


def time_zone(host: Host) -> Iterator[Finding]:
    """The switch's own zone counts where nothing else is said; FusionPBX's pages go by a setting.

    That of PostgreSQL counts nowhere: it keeps moments (timestamptz), not times of day.
    """
    ours = host_zone(host)
    if ours is None or find_switch(host) is None:
        yield skip("no process of FreeSWITCH on this host" if ours else "this host does not name its time zone")
        return
    with host.database.reading() as session:
        theirs = read_settings(session, None, ["domain/time_zone"]).get("domain/time_zone", "UTC")
    if _offsets(ours) == _offsets(theirs):
        yield ok(f"the switch and FusionPBX's pages have the same time ({theirs})")
        return
    yield warn(
        f"the switch's time zone is {ours}, that of FusionPBX's pages {theirs} (domain/time_zone)",
        f"if both mean the same place: timedatectl set-timezone {theirs}, then start FreeSWITCH anew, or correct "
        "the setting. Time conditions without a zone of their own, conferences' times and the days in recordings' "
        f"folders go by {ours}",
    )


def host_zone(host: Host) -> str | None:
    """The name of this host's time zone; None where it has none."""
    with suppress(OSError):
        _, found, name = str(host.path("/etc/localtime").readlink()).partition("zoneinfo/")
        if found:
            return name
    return (readable(host.path("/etc/timezone")) or "").strip() or None


def _offsets(zone: str) -> tuple[object, ...]:
    """From UTC in January and in July: what tells two zones apart; a name that is none is itself."""
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return (zone,)
    return tuple(datetime(datetime.now(UTC).year, month, 1, tzinfo=known).utcoffset() for month in (1, 7))


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
