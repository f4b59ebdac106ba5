"""Background jobs of plugins: noted with the data, run at least once, a broken one set aside."""

from __future__ import annotations

from typing import Any

import pytest

from pbxapi.changes.jobs import PluginJobs
from pbxapi.data.jobs import add_job, refuse_secrets
from pbxapi.plugin import Job, JobRun, Plugin
from pbxapi.plugin.loader import LoadedPlugin
from pbxapi.testing import Pbx


class Runs:
    """A job that notes its runs and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.seen: list[tuple[Any, int]] = []
        self.failures = failures

    def __call__(self, run: JobRun) -> None:
        self.seen.append((run.arguments.get("n"), run.attempt))
        if len(self.seen) <= self.failures:
            raise RuntimeError("the helpdesk is closed")


def plugin_with(**jobs: Job) -> LoadedPlugin:
    return LoadedPlugin("example", "here", False, Plugin(name="example", version="1.0.0", jobs=jobs))


def add(pbx: Pbx, name: str, **arguments: Any) -> None:
    with pbx.database.writing() as session:
        add_job(session, "example", name, arguments)


def test_a_job_runs_once_and_is_gone(pbx: Pbx) -> None:
    runs = Runs()
    jobs = PluginJobs(pbx.database, plugin_with(count=Job(runs)))
    add(pbx, "count", n=7)
    assert jobs.run() == 1
    assert jobs.run() == 0
    assert runs.seen == [(7, 1)]


def test_a_job_of_a_transaction_that_fails_never_runs(pbx: Pbx) -> None:
    runs = Runs()

    def write() -> None:
        with pbx.database.writing() as session:
            add_job(session, "example", "count", {})
            raise RuntimeError("the write failed")

    with pytest.raises(RuntimeError):
        write()
    assert PluginJobs(pbx.database, plugin_with(count=Job(runs))).run() == 0


def test_a_failed_job_waits_and_the_others_go_on(pbx: Pbx) -> None:
    failing, good = Runs(failures=1), Runs()
    jobs = PluginJobs(pbx.database, plugin_with(fail=Job(failing), good=Job(good)))
    add(pbx, "fail")
    add(pbx, "good")
    jobs.run()
    assert len(good.seen) == 1
    (row,) = pbx.rows("select state, error, due_at > clock_timestamp() as later from pbxapi.job")
    assert row == {"state": "waiting", "error": "RuntimeError: the helpdesk is closed", "later": True}
    pbx.run("update pbxapi.job set due_at = clock_timestamp()")
    jobs.run()
    assert [attempt for _, attempt in failing.seen] == [1, 2]
    assert pbx.rows("select 1 from pbxapi.job") == []


def test_a_job_that_always_fails_is_set_aside_with_its_reason(pbx: Pbx) -> None:
    jobs = PluginJobs(pbx.database, plugin_with(fail=Job(Runs(failures=99), attempts=2)))
    add(pbx, "fail")
    for _ in range(4):
        jobs.run()
        pbx.run("update pbxapi.job set due_at = clock_timestamp()")
    (row,) = pbx.rows("select state, attempts, error from pbxapi.job")
    assert (row["state"], row["attempts"]) == ("failed", 2)
    assert "helpdesk" in row["error"]


def test_a_job_whose_process_died_is_taken_again_after_its_lease(pbx: Pbx) -> None:
    from pbxapi.data.jobs import take_job

    runs = Runs()
    jobs = PluginJobs(pbx.database, plugin_with(count=Job(runs)))
    add(pbx, "count", n=1)
    with pbx.database.writing() as session:
        assert take_job(session, "example", lease=60.0) is not None
    assert jobs.run() == 0
    pbx.run("update pbxapi.job set due_at = clock_timestamp()")
    assert jobs.run() == 1
    assert runs.seen == [(1, 2)]


def test_a_scheduled_job_is_noted_once_per_period(pbx: Pbx) -> None:
    runs = Runs()
    jobs = PluginJobs(pbx.database, plugin_with(nightly=Job(runs, every=3600.0)))
    for _ in range(3):
        jobs.schedule()
    assert jobs.run() == 0
    pbx.run("update pbxapi.schedule set next_at = clock_timestamp()")
    for _ in range(3):
        jobs.schedule()
    assert jobs.run() == 1


@pytest.mark.parametrize("name", ["password", "voicemail_pin", "api_key", "client_secret", "auth_token"])
def test_a_secret_never_becomes_an_argument(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        refuse_secrets({name: "x"}, frozenset())
