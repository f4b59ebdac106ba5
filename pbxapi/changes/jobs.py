"""Running the background jobs and services of plugins, each plugin's in a process of its own.

A slow plugin holds up neither the switch's changes nor another plugin. As with drains the RQ job only wakes: what
there is to do stands in PostgreSQL.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

from pbxapi.changes.queues import jobs_queue
from pbxapi.changes.services import STOP, start_services
from pbxapi.changes.worker import serve_queue, stop_signals
from pbxapi.config import Config
from pbxapi.data.database import STALE, UNAVAILABLE, Database, DatabaseError, Row
from pbxapi.data.jobs import add_job, fail_job, finish_job, is_due, take_job
from pbxapi.plugin import JobRun
from pbxapi.plugin.loader import LoadedPlugin, Registry

log = logging.getLogger(__name__)

_RETRY = 1.0
_PAUSE_MOST = 3600.0


class PluginJobs:
    """Does the jobs of one plugin."""

    def __init__(
        self,
        database: Database,
        plugin: LoadedPlugin,
        config: Config | None = None,
        registry: Registry | None = None,
    ) -> None:
        assert plugin.plugin is not None
        self._database = database
        self._config = config
        self._registry = registry
        self._loaded = plugin
        self._jobs = plugin.plugin.jobs

    def run(self) -> int:
        """Do everything that is due; how many jobs that were."""
        done = 0
        while self._one():
            done += 1
        return done

    def schedule(self) -> None:
        """Note the scheduled jobs that are due."""
        with self._database.writing() as session:
            for name, job in self._jobs.items():
                if job.every is not None and is_due(session, self._loaded.name, name, job.every):
                    add_job(session, self._loaded.name, name, {})

    def _one(self) -> bool:
        if self._registry is not None:
            self._registry.look(self._database)
        longest = max((job.timeout for job in self._jobs.values()), default=60.0)
        with self._database.writing() as session:
            row = take_job(session, self._loaded.name, longest)
        if row is None:
            return False
        try:
            self._do(row)
        except UNAVAILABLE:
            raise
        except Exception as error:
            # A plugin's handler may raise anything: the job is tried again, the others go on.
            log.exception("plugin %s: job %s failed", self._loaded.name, row["name"])
            if isinstance(error, STALE) and self._registry is not None:
                # FusionPBX was upgraded meanwhile: the next attempt sees its tables as they are.
                self._registry.look(self._database, 0.0)
                self._database.renew()
            job = self._jobs.get(row["name"])
            with self._database.writing() as session:
                fail_job(
                    session,
                    row["job_id"],
                    f"{type(error).__name__}: {error}",
                    most=job.attempts if job else 1,
                    pause=min(2.0 ** row["attempts"], _PAUSE_MOST),
                )
        return True

    def _do(self, row: Row) -> None:
        job = self._jobs.get(row["name"])
        if job is None:
            raise LookupError(f"the plugin has no job {row['name']}")
        with self._database.writing() as session:
            job.handler(
                JobRun(
                    arguments=row["arguments"],
                    session=session,
                    options=self._loaded.options,
                    attempt=row["attempts"],
                    log=logging.getLogger(f"pbxapi.plugin.{self._loaded.name}"),
                    events=frozenset(event.name for event in self._loaded.events),
                    config=self._config,
                    registry=self._registry,
                )
            )
            finish_job(session, row["job_id"])


_serving: dict[str, PluginJobs] = {}


def work(plugin: str) -> int:
    """The RQ job: do what is due for a plugin that this process serves."""
    try:
        return _serving[plugin].run()
    except UNAVAILABLE as error:
        log.warning("plugin %s: PostgreSQL is away (%s)", plugin, type(error).__name__)
        return 0


class _Scheduler(threading.Thread):
    def __init__(self, jobs: PluginJobs, stopping: threading.Event) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._plugin_jobs = jobs
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.wait(_RETRY):
            try:
                self._plugin_jobs.schedule()
            except DatabaseError as error:
                log.warning("the schedule waits for PostgreSQL (%s)", type(error).__name__)


def run_plugin_jobs(config: Config, database: Database, plugin: LoadedPlugin, registry: Registry) -> None:
    """Serve one plugin's jobs and services until SIGTERM or SIGINT."""
    stopping = stop_signals()
    _serving[plugin.name] = PluginJobs(database, plugin, config, registry)
    _Scheduler(_serving[plugin.name], stopping).start()
    services = start_services(database, plugin, stopping)
    serve_queue(config.redis_url, lambda redis: jobs_queue(redis, plugin.name), stopping)
    for service in services:
        service.join(STOP)


def run_all_jobs(registry: Registry) -> int:
    """Serve the jobs and services of every plugin that has some, one process each, until SIGTERM or SIGINT."""
    stopping = stop_signals()
    names = [p.name for p in registry.plugins if not p.error and p.plugin is not None and p.plugin.works]
    children: dict[str, subprocess.Popen[bytes]] = {}
    while not stopping.is_set():
        for name in names:
            child = children.get(name)
            if child is None or child.poll() is not None:
                if child is not None:
                    log.warning("plugin %s: its worker ended with %s; starting it again", name, child.returncode)
                children[name] = subprocess.Popen([sys.executable, "-m", "pbxapi.cli", "jobs", "--plugin", name])
        stopping.wait(_RETRY)
    for child in children.values():
        child.terminate()
    for child in children.values():
        child.wait()
    return 0
