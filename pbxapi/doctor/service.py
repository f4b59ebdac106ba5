"""What is at work: plugins, nodes, and what waits for them."""

from __future__ import annotations

from collections.abc import Iterator

from pbxapi.changes.health import changes_health, nodes_health
from pbxapi.doctor.checkup import Finding, Host, fail, ok, warn
from pbxapi.plugin.checks import plugins_health


def plugins(host: Host) -> Iterator[Finding]:
    """Which are left out, and what their own checks say."""
    health = plugins_health(host.registry, host.database)
    for name, reason in health["left_out"].items():
        yield fail(
            f"the plugin {name} is left out: {reason}", "mend it, or take it off the list: pbxapi plugins list"
        )
    for name, word in health["checks"].items():
        if word.startswith("failed: "):
            yield warn(f"{name} {word}", f"see the documents of the plugin {name.partition('.')[0]}")
    if health["state"] == "ok":
        yield ok(f"{len(host.registry.plugins)} plugins serve")


def nodes(host: Host) -> Iterator[Finding]:
    """Whether each node has a worker that gets to its switch."""
    with host.database.reading() as session:
        health = nodes_health(session)
    if not health["nodes"]:
        yield fail("no node is known: changes wait for the first", "start pbxapi worker on each host of a switch")
    for name, node in health["nodes"].items():
        if not node["up"]:
            yield fail(
                f"the worker of node {name} has given no sign for {node['seen_seconds_ago']} s",
                f"systemctl status pbxapi-worker there; pbxapi nodes forget {name}, if it is gone for good",
            )
        elif reason := node["error"] or node["socket_error"]:
            yield fail(f"the worker of node {name} cannot go on: {reason}", "run pbxapi doctor on its host")
        else:
            yield ok(f"node {name} is served")


def backlog(host: Host) -> Iterator[Finding]:
    """Whether changes get to the switches."""
    with host.database.reading() as session:
        health = changes_health(session)
    for name, node in health["nodes"].items():
        if node["failed"]:
            yield fail(
                f"{node['failed']} changes have failed on node {name}",
                "pbxapi changes list --state failed says why; pbxapi changes retry --failed tries again",
            )
        if node["retrying"] or node["oldest_seconds"] > 60:
            yield warn(
                f"{node['waiting']} changes wait for node {name}, the oldest for {node['oldest_seconds']} s",
                "pbxapi nodes list says what stops it",
            )
    if health["state"] == "ok":
        yield ok("no change waits long, none has failed")
