"""All checks, in the order in which they are looked at. A further check is a further line here."""

from __future__ import annotations

from pbxapi.doctor import service, settings, storage, telephony, web
from pbxapi.doctor.checkup import Check

_DATABASE = ("postgresql",)
_TABLES = ("postgresql", "migrations")

CHECKS = (
    Check("programs", settings.programs),
    Check("config.conf", settings.conf_mode),
    Check("postgresql", storage.postgresql),
    Check("rights", storage.rights, _DATABASE),
    Check("migrations", storage.migrations, _DATABASE),
    Check("passwords", storage.passwords, _DATABASE),
    Check("replication", storage.replication, _DATABASE),
    Check("flags", storage.flags, _DATABASE),
    Check("indexes", storage.indexes, _DATABASE),
    Check("backup", storage.backup),
    Check("redis", storage.redis),
    Check("clocks", storage.clocks, _DATABASE),
    Check("time zone", settings.time_zone, _DATABASE),
    Check("environment", settings.names, _DATABASE),
    Check("cache", settings.cache, _DATABASE),
    Check("event socket", telephony.event_socket),
    Check("switch process", telephony.switch_process),
    Check("folders", telephony.folders, _DATABASE),
    Check("plugins", service.plugins, _TABLES),
    Check("nodes", service.nodes, _TABLES),
    Check("changes", service.backlog, _TABLES),
    Check("api", web.api),
    Check("nginx", web.nginx),
    Check("outside", web.outside),
    Check("fail2ban", web.fail2ban),
)
