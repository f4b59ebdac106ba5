"""How the plugins are: which are left out, and what their own health checks say."""

from __future__ import annotations

from typing import Any

from pbxapi.data.database import Database
from pbxapi.plugin.declaration import CheckRun
from pbxapi.plugin.loader import Registry


def plugins_health(registry: Registry, database: Database) -> dict[str, Any]:
    """Their state, ``ok`` or ``degraded``, with ``left_out`` and ``checks`` (name -> its word).

    ``left_out`` says of each plugin that is not served, or not with all its resources, why.

    A check that raises is a check that fails, and says why in its own words.
    """
    left_out = {loaded.name: loaded.faults for loaded in registry.plugins if loaded.faults}
    words: dict[str, str] = {}
    failed = False
    for loaded in registry.plugins:
        for name, check in loaded.plugin.checks.items() if loaded.plugin and not loaded.error else ():
            try:
                with database.reading() as session:
                    words[f"{loaded.name}.{name}"] = check(CheckRun(session, loaded.options))
            except Exception as error:
                # A check of somebody else's may raise anything; that is its answer.
                words[f"{loaded.name}.{name}"] = f"failed: {type(error).__name__}: {error}"
                failed = True
    return {"state": "degraded" if left_out or failed else "ok", "left_out": left_out, "checks": words}
