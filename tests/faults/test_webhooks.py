"""A receiver that does everything wrong, and a worker that is killed, lose no event."""

from __future__ import annotations

import collections
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from standardwebhooks.webhooks import Webhook

from pbxapi.sandbox.process import held
from pbxapi.sandbox.stack import Program

_OPEN = "select count(*) as open from pbxapi.webhook_delivery where state <> 'delivered'"


@pytest.fixture
def worker(house, tmp_path):
    """The process that delivers; a receiver has a second, and failures are soon tried again."""
    own = {
        "PBXAPI_WEBHOOKS_TIMEOUT": "1",
        "PBXAPI_WEBHOOKS_RETRIES": ",".join(["0.05"] * 60),
    }
    with held(tmp_path) as lock:
        program = Program(
            "jobs",
            "--plugin",
            "webhooks",
            environment={**house.environment, **own},
            ready=lambda _: True,
            log=tmp_path / "webhooks.log",
            lock=lock,
        )
        program.start()
        yield program
        program.kill()


class Bad:
    """Answers 200 to some requests; to the others too late, with a 500, or not at all."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._lock = threading.Lock()
        self.did: collections.Counter[str] = collections.Counter()
        self.took: list[tuple[dict[str, str], bytes]] = []

    def __call__(self, request):
        with self._lock:
            what = self._dice.choices(["take", "500", "cut", "stall"], [70, 14, 14, 2])[0]
            self.did[what] += 1
            if what == "take":
                self.took.append((request.headers, request.body))
        if what == "cut":
            raise ConnectionAbortedError
        if what == "stall":
            time.sleep(1.5)
        return (200 if what == "take" else 500), b"", {}


def test_every_event_comes_at_least_once_though_the_worker_is_killed_twice(house, worker, receiver, dice):
    changes = 500 if house.full else 60
    receiver.behave = bad = Bad(dice)
    made = house.request("POST", "/webhooks", {"url": receiver.url, "event_types": ["extension.*"]})
    assert made.status_code == 201, made.text
    webhook = made.json()["data"]
    wanted: dict[str, str] = {}
    lock = threading.Lock()

    def change(_: int) -> None:
        reply = house.create()
        uuid = reply.json()["data"]["extension_uuid"]
        replies = [("extension.created", reply)]
        replies.append(
            ("extension.updated", house.request("PATCH", f"/extensions/{uuid}", {"description": "door"}))
        )
        replies.append(("extension.deleted", house.request("DELETE", f"/extensions/{uuid}")))
        with lock:
            wanted.update({answer.headers["X-Change-Id"]: type for type, answer in replies})

    def come() -> dict[str, str]:
        verify = Webhook(webhook["secret"])
        events = [verify.verify(body, headers) for headers, body in list(bad.took)]
        return {event["data"]["change_id"]: event["type"] for event in events}

    began = time.monotonic()
    with ThreadPoolExecutor(3) as threads:
        writing = [threads.submit(change, n) for n in range(-(-changes // 3))]
        for share in (0.2, 0.5):
            house.wait_for(lambda share=share: len(bad.took) > share * changes, 120, lambda: bad.did)
            worker.kill()
            worker.start()
        for done in writing:
            done.result()
        written = time.monotonic() - began
        house.wait_for(
            lambda: house.rows(_OPEN)[0]["open"] == 0 and come().keys() >= wanted.keys(), 300, lambda: bad.did
        )
    assert len(wanted) >= changes
    assert come().items() >= wanted.items()
    print(
        f"\n{len(wanted)} changes written in {written:.1f} s, all events delivered after "
        f"{time.monotonic() - began:.1f} s; what the receiver did: {dict(bad.did)}; "
        f"{len(bad.took) - len(come())} came more than once"
    )
    house.request("DELETE", f"/webhooks/{webhook['webhook_uuid']}")
