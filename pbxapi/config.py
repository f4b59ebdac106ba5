"""What the operator sets: one typed, frozen object.

A value comes from the environment, else from our own file, else from FusionPBX's, else from a default. What
FusionPBX keeps in its database (folders, the cache of the default settings) is read later, by `pbxapi.data`.
Nothing else in the product reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pbxapi.errors import ConfigError

SETTINGS_PLACE = "/etc/pbxapi/pbxapi.env"
"""Our own file, which services and commands read alike; ``PBXAPI_SETTINGS`` names another."""

FUSIONPBX_CONF_PLACES = ("/etc/fusionpbx/config.conf", "/usr/local/etc/fusionpbx/config.conf")
"""Where FusionPBX's PHP and Lua look for their configuration (docs/fusionpbx.md)."""


Network = IPv4Network | IPv6Network

_PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::\d{1,5})?")


def _text(value: str) -> str:
    if any(ord(c) < 32 for c in value):
        raise ValueError("must not hold control characters")
    return value


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"must be a whole number, not {value!r}") from None
        if not low <= number <= high:
            raise ValueError(f"must lie between {low} and {high}, not {number}")
        return number

    return parse


def _flag(value: str) -> bool:
    if value.lower() in ("true", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError(f"must be true or false, not {value!r}")


def _folder(value: str) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path, not {value!r}")
    return path


def _folders(value: str) -> tuple[Path, ...]:
    return tuple(_folder(part) for part in value.split(os.pathsep) if part)


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(name) for name in _names(value))
    except ValueError as error:
        raise ValueError(f"must be addresses or networks separated by commas: {error}") from None


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        # The value may hold a password: neither it nor the words of its parser go into a message.
        if _text(value).partition("://")[0] not in schemes:
            raise ValueError(f"must be a URL that starts with {' or '.join(s + '://' for s in schemes)}")
        places = re.split(r"[/?#]", value.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
        if not all(_PLACE.fullmatch(place) for place in places.split(",")):
            raise ValueError(
                "must name a host, and a port that is a number (write @ in a password as %40, / as %2F)"
            )
        if re.search(r"%(?![0-9A-Fa-f]{2})", value):
            raise ValueError("must be percent-encoded: write % as %25")
        return value

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be {' or '.join(choices)}, not {value!r}")
        return value

    return parse


def _prefix(value: str) -> str:
    if not value.startswith("/") or value.endswith("/") or "//" in value or " " in _text(value):
        raise ValueError(f"must be a path such as /api/v1, not {value!r}")
    return value


def _bind(value: str) -> str:
    socket = value.removeprefix("unix:")
    if socket != value:
        _folder(socket)
        return value
    host, _, port = _text(value).rpartition(":")
    if not host or not _PLACE.fullmatch(value) or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"must be host:port or unix:/path, not {value!r}")
    return value


_RATE = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)", re.ASCII)


def rate(value: str) -> str:
    """A number of requests in a time, such as ``600/minute``.

    Raises:
        ValueError: it is none.
    """
    if not _RATE.fullmatch(value):
        raise ValueError("must be a number per second, minute, hour or day, such as 600/minute")
    return value


def _setting(
    env: str,
    parse: Callable[[str], Any],
    default: Any,
    conf: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    return field(default=default, repr=not secret, metadata={"env": env, "parse": parse, "conf": conf})


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one process. See docs/operators.md for the table of variables.

    `None` means: not set here, ask FusionPBX's default settings (folders, cache) or the switch (node).
    """

    database_url: str = _setting("PBXAPI_DATABASE_URL", _url("postgresql", "postgres"), "", secret=True)
    redis_url: str = _setting(
        "PBXAPI_REDIS_URL", _url("redis", "rediss", "unix"), "redis://127.0.0.1:6379/0", secret=True
    )
    esl_host: str = _setting(
        "PBXAPI_ESL_HOST",
        _text,
        "127.0.0.1",
        ("switch.event_socket.host", "event_socket.ip_address"),
    )
    esl_port: int = _setting(
        "PBXAPI_ESL_PORT", _number(1, 65535), 8021, ("switch.event_socket.port", "event_socket.port")
    )
    esl_password: str = _setting(
        "PBXAPI_ESL_PASSWORD",
        _text,
        "ClueCon",
        ("switch.event_socket.password", "event_socket.password"),
        secret=True,
    )
    node: str | None = _setting("PBXAPI_NODE", _text, None)
    plugins_path: tuple[Path, ...] = _setting("PBXAPI_PLUGINS_PATH", _folders, ())
    plugins: tuple[str, ...] | None = _setting("PBXAPI_PLUGINS", _names, None)
    safe_mode: bool = _setting("PBXAPI_SAFE_MODE", _flag, False)
    cache_method: str | None = _setting(
        "PBXAPI_CACHE_METHOD", _choice("file", "memcache"), None, ("cache.method",)
    )
    cache_location: Path | None = _setting("PBXAPI_CACHE_LOCATION", _folder, None, ("cache.location",))
    xml_extensions_dir: Path | None = _setting("PBXAPI_XML_EXTENSIONS_DIR", _folder, None)
    xml_sip_profiles_dir: Path | None = _setting("PBXAPI_XML_SIP_PROFILES_DIR", _folder, None)
    xml_dialplan_dir: Path | None = _setting("PBXAPI_XML_DIALPLAN_DIR", _folder, None)
    provision_dir: Path | None = _setting("PBXAPI_PROVISION_DIR", _folder, None)
    provision_templates: Path | None = _setting("PBXAPI_PROVISION_TEMPLATES", _folder, None)
    voicemail_dir: Path | None = _setting("PBXAPI_VOICEMAIL_DIR", _folder, None, ("switch.voicemail.dir",))
    recordings_dir: Path | None = _setting("PBXAPI_RECORDINGS_DIR", _folder, None, ("switch.recordings.dir",))
    accel: bool = _setting("PBXAPI_ACCEL", _flag, False)
    redact_secrets: bool = _setting("PBXAPI_REDACT_SECRETS", _flag, False)
    dialplan_applications: tuple[str, ...] = _setting("PBXAPI_DIALPLAN_APPLICATIONS", _names, ())
    rate_limit: str = _setting("PBXAPI_RATE_LIMIT", rate, "")
    trusted_proxies: int = _setting("PBXAPI_TRUSTED_PROXIES", _number(0, 10), 0)
    url_prefix: str = _setting("PBXAPI_URL_PREFIX", _prefix, "/api/v1")
    bind: str = _setting("PBXAPI_BIND", _bind, "127.0.0.1:8000")
    workers: int = _setting("PBXAPI_WORKERS", _number(1, 256), 2)
    threads: int = _setting("PBXAPI_THREADS", _number(1, 256), 4)
    streams: int = _setting("PBXAPI_STREAMS", _number(0, 10_000), 1000)
    streams_per_key: int = _setting("PBXAPI_STREAMS_PER_KEY", _number(1, 10_000), 50)
    control_socket: Path | None = _setting("PBXAPI_CONTROL_SOCKET", _folder, None)
    log_format: str = _setting("PBXAPI_LOG_FORMAT", _choice("plain", "json"), "plain")
    metrics_allow: tuple[Network, ...] = _setting(
        "PBXAPI_METRICS_ALLOW", _networks, (ip_network("127.0.0.1"), ip_network("::1"))
    )
    changes_waiting_max: int = _setting("PBXAPI_CHANGES_WAITING_MAX", _number(1, 10**9), 100_000)
    changes_keep_days: int = _setting("PBXAPI_CHANGES_KEEP_DAYS", _number(1, 3650), 14)
    changes_attempts: int = _setting("PBXAPI_CHANGES_ATTEMPTS", _number(1, 1000), 8)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that no setting above names, for the settings that plugins declare."""


_ADMIN = "PBXAPI_ADMIN_DATABASE_URL"


def read_conf(path: Path) -> dict[str, str]:
    """FusionPBX's config.conf: one ``key = value`` a line, ``#`` or ``;`` starts a comment line.

    A value may hold ``=``; blanks around key and value do not count.
    """
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.lstrip().startswith(("#", ";", "[")) or "=" not in line:
            continue
        key, value = line.split("=", 1)
        values[key.strip()] = value.strip()
    return values


def read_settings(path: Path) -> dict[str, str]:
    """Our own file: ``PBXAPI_NAME=value`` a line, as in the environment; ``#`` starts a comment line.

    A value may stand in quotes; nothing in it is expanded.

    Raises:
        ConfigError: a line is none of these.
        OSError: it cannot be read.
    """
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith("#"):
            continue
        if not equals or not re.fullmatch(r"PBXAPI_[A-Z0-9_]+", name):
            raise ConfigError(f"{path}, line {number}", "must be PBXAPI_...=value")  # the line may hold a secret
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        values[name] = value[1:-1] if quoted else value
    return values


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Read the settings of this process.

    Args:
        environ: the environment; that of the process when left out.

    Raises:
        ConfigError: a value cannot be used, or no database is known. Names the variable.
    """
    environ = os.environ if environ is None else environ
    environ = {**_find_settings(environ), **environ}
    conf, conf_name = _find_conf(environ)
    values: dict[str, Any] = {}
    known = {"PBXAPI_FUSIONPBX_CONF", "PBXAPI_SETTINGS", _ADMIN}
    for setting in fields(Config):
        env = setting.metadata.get("env")
        if env is None:
            continue
        known.add(env)
        source, raw = env, environ.get(env, "")
        if not raw:
            for key in setting.metadata["conf"]:
                if conf.get(key):
                    source, raw = f"{conf_name}: {key}", conf[key]
                    break
        if raw:
            try:
                values[setting.name] = setting.metadata["parse"](raw)
            except ValueError as error:
                raise ConfigError(source, str(error)) from None
    if "database_url" not in values:
        values["database_url"] = _database_url(conf, conf_name)
    values["environment"] = {k: v for k, v in environ.items() if k.startswith("PBXAPI_") and k not in known}
    return Config(**values)


def admin_database_url(environ: Mapping[str, str] | None = None) -> str:
    """Where the database is for whoever may grant rights in it: ``PBXAPI_ADMIN_DATABASE_URL``, else the account of
    FusionPBX's own configuration, else that of the product. No service asks for it.

    Raises:
        ConfigError: as `load_config`.
    """
    environ = os.environ if environ is None else environ
    environ = {**_find_settings(environ), **environ}
    if given := environ.get(_ADMIN, ""):
        try:
            return str(_url("postgresql", "postgres")(given))
        except ValueError as error:
            raise ConfigError(_ADMIN, str(error)) from None
    conf, conf_name = _find_conf(environ)
    return _database_url(conf, conf_name) if conf.get("database.0.name") else load_config(environ).database_url


def fusionpbx_conf(environ: Mapping[str, str] | None = None) -> tuple[dict[str, str], Path | None]:
    """FusionPBX's own configuration by its keys, and where it is; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    environ = os.environ if environ is None else environ
    conf, name = _find_conf({**_find_settings(environ), **environ})
    return conf, Path(name) if name else None


def handed_on() -> dict[str, str]:
    """The variables of this product that are set, for processes that it starts."""
    return {name: value for name, value in os.environ.items() if name.startswith("PBXAPI_")}


def _find_settings(environ: Mapping[str, str]) -> dict[str, str]:
    named = environ.get("PBXAPI_SETTINGS")
    place = named or SETTINGS_PLACE
    try:
        return read_settings(Path(place))
    except OSError as error:
        if not named and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        source = "PBXAPI_SETTINGS" if named else place
        raise ConfigError(source, f"cannot be read: {error.strerror} ({place})") from None


def _find_conf(environ: Mapping[str, str]) -> tuple[dict[str, str], str]:
    named = environ.get("PBXAPI_FUSIONPBX_CONF")
    for place in (named,) if named else FUSIONPBX_CONF_PLACES:
        path = Path(place)
        try:
            if named or path.exists():
                return read_conf(path), str(path)
        except OSError as error:
            source = "PBXAPI_FUSIONPBX_CONF" if named else place
            raise ConfigError(source, f"cannot be read: {error.strerror} ({place})") from None
    return {}, ""


def _database_url(conf: Mapping[str, str], conf_name: str) -> str:
    name = conf.get("database.0.name")
    if not name:
        raise ConfigError(
            "PBXAPI_DATABASE_URL",
            "is not set, and no FusionPBX configuration names a database "
            f"(looked in {conf_name or ', '.join(FUSIONPBX_CONF_PLACES)})",
        )
    user = quote(conf.get("database.0.username", ""), safe="")
    password = quote(conf.get("database.0.password", ""), safe="")
    host = quote(conf.get("database.0.host", ""), safe="")
    port = conf.get("database.0.port", "")
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    sslmode = conf.get("database.0.sslmode", "prefer")
    place = host + (f":{port}" if port else "")
    return f"postgresql://{account}{place}/{quote(name, safe='')}?sslmode={quote(sslmode, safe='')}"


def builtin_folder(name: str) -> Path:
    """Where the product's own plugins and SQL are: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    checkout = package.parent / name
    return checkout if (package.parent / "pyproject.toml").exists() else package / "_builtin" / name
