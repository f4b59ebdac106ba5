"""The randomised run: API, relay and workers are killed while writes pour in and the switches look users up."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests

GATEWAY = {"register": "false", "profile": "external"}


class Writer(threading.Thread):
    """Writes to numbers and gateways of its own, one after the other, and knows what they should be by now."""

    def __init__(self, house, dice, budget):
        super().__init__(daemon=True)
        self.house, self.dice, self.budget = house, dice, budget
        self.free = [str(next(house.numbers)) for _ in range(30)]
        self.extensions = {}  # uuid -> what was answered last
        self.gateways = {}
        self.answered = []  # change ids
        self.unknown = 0
        self.fault = None

    def run(self):
        try:
            while self.budget.take():
                if self.dice.random() < 0.15:
                    self.write_gateway()
                else:
                    self.write_extension()
        except Exception as fault:  # the test shows it
            self.fault = fault

    def send(self, method, path, json=None):
        """The answer to a write; None where nobody knows what became of it."""
        while True:
            try:
                reply = self.house.request(method, path, json)
            except requests.RequestException as error:
                if "refused" in str(error):  # nobody was there: it was not even begun
                    time.sleep(0.05)
                    continue
                self.unknown += 1
                return None
            if reply.status_code == 503:
                time.sleep(0.1)
                continue
            assert reply.status_code in (200, 201), reply.text
            self.answered.append(reply.headers["X-Change-Id"])
            return reply

    def write_extension(self):
        known = list(self.extensions)
        action = self.dice.choice(["create", "password", "rename", "switch", "delete"])
        if not known or (action == "create" and self.free):
            number = self.free.pop(self.dice.randrange(len(self.free)))
            wanted = {"extension": number, "password": self.word(), "enabled": "true"}
            reply = self.send(
                "POST", "/extensions", {**wanted, "voicemail_enabled": self.dice.choice(["true", "false"])}
            )
            if reply is None:
                self.look()
            else:
                self.extensions[reply.json()["data"]["extension_uuid"]] = wanted
            return
        uuid = self.dice.choice(known)
        if action == "delete" or (action == "rename" and not self.free):
            number = self.extensions[uuid]["extension"]
            if self.send("DELETE", f"/extensions/{uuid}") is None:
                self.look()
            else:
                del self.extensions[uuid]
                self.free.append(number)
            return
        changed = {
            "rename": lambda: {"extension": self.free[0]},
            "switch": lambda: {"enabled": self.dice.choice(["true", "false"])},
        }.get(action, lambda: {"password": self.word()})()
        if self.send("PUT", f"/extensions/{uuid}", changed) is None:
            self.look()
        else:
            if "extension" in changed:
                self.free.remove(changed["extension"])
                self.free.append(self.extensions[uuid]["extension"])
            self.extensions[uuid] = {**self.extensions[uuid], **changed}

    def write_gateway(self):
        uuid = self.dice.choice([*self.gateways, None])
        proxy = f"{self.word()}.example.net"
        if uuid is None:
            name = f"gateway-{self.word()}"
            reply = self.send("POST", "/gateways", {"gateway": name, "proxy": proxy, **GATEWAY})
            if reply is not None:
                self.gateways[reply.json()["data"]["gateway_uuid"]] = proxy
        elif self.dice.random() < 0.5:
            if self.send("DELETE", f"/gateways/{uuid}") is not None:
                del self.gateways[uuid]
            else:
                self.look()
        elif self.send("PUT", f"/gateways/{uuid}", {"proxy": proxy}) is not None:
            self.gateways[uuid] = proxy
        else:
            self.look()

    def word(self):
        return f"{self.dice.randrange(16**12):012x}"

    def look(self):
        """Nobody knows what became of a write: what the database says counts."""
        own = [*self.free, *(known["extension"] for known in self.extensions.values())]
        rows = self.house.rows(
            "select extension_uuid::text as uuid, extension, password, enabled::text as enabled from v_extensions "
            "where extension = any(%(own)s)",
            own=own,
        )
        self.extensions = {row.pop("uuid"): row for row in rows}
        self.free = [number for number in own if number not in {row["extension"] for row in rows}]
        there = self.house.rows(
            "select gateway_uuid::text as uuid, proxy from v_gateways where gateway_uuid = any(%(own)s::uuid[])",
            own=list(self.gateways),
        )
        self.gateways = {row["uuid"]: row["proxy"] for row in there}

    def lost(self):
        """What was answered and is not in the database."""
        rows = self.house.rows(
            "select extension_uuid::text as uuid, extension, password, enabled::text as enabled from v_extensions "
            "where extension_uuid = any(%(own)s::uuid[])",
            own=list(self.extensions),
        )
        found = {row.pop("uuid"): row for row in rows}
        kept = {
            str(row["change_id"])
            for row in self.house.rows(
                "select change_id from pbxapi.change where change_id = any(%(ids)s::uuid[])", ids=self.answered
            )
        }
        return [
            *(uuid for uuid, wanted in self.extensions.items() if found.get(uuid) != wanted),
            *(change_id for change_id in self.answered if change_id not in kept),
        ]


class Budget:
    """How many writes there are to do, let out no faster than the kills go on."""

    def __init__(self, writes):
        self.writes = writes
        self.taken = 0
        self.allowed = 0
        self.change = threading.Condition()

    def allow(self, upto):
        with self.change:
            self.allowed = upto
            self.change.notify_all()

    def take(self):
        with self.change:
            self.change.wait_for(lambda: self.taken < self.allowed or self.taken >= self.writes)
            if self.taken >= self.writes:
                return False
            self.taken += 1
            return True


class Phones(threading.Thread):
    """Have the switches look users up all the time, so that cache entries are written from rows old and new."""

    def __init__(self, house, writers):
        super().__init__(daemon=True)
        self.house, self.writers = house, writers
        self.ending = threading.Event()

    def run(self):
        dice = random.Random()
        while not self.ending.wait(0.01):
            writer = dice.choice(self.writers)
            numbers = [known["extension"] for known in list(writer.extensions.values())] or ["1001"]
            node = dice.choice(self.house.nodes)
            node.switch.api(f"user_data {dice.choice(numbers)}@pbx.example.com param password")


def kill_something(house, dice):
    """SIGKILL to one process of those that run; its name."""
    name = dice.choice(["api", "api child", "relay", "node1", "node2", "node3"])
    program = house.programs[name.split()[0]]
    if not program.running:
        return None
    if name in ("api", "api child"):
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
            if children and name == "api child":
                os.kill(int(dice.choice(children)), signal.SIGKILL)
                return name
            if not children:  # it is still starting: killed at that again and again, it would never serve
                return None
    program.kill()
    return name


def test_no_change_is_lost_or_stuck_whatever_is_killed(house, dice):
    kills, writes = (200, 2000) if house.full else (8, 80)
    budget = Budget(writes)
    writers = [Writer(house, random.Random(dice.random()), budget) for _ in range(4)]
    phones = Phones(house, writers)
    killed = {}
    flushed = 0
    began = time.monotonic()
    with house.supervised():
        for thread in (*writers, phones):
            thread.start()
        while sum(killed.values()) < kills:
            budget.allow((sum(killed.values()) + 1) * writes // kills)
            time.sleep(dice.uniform(0.0, 0.6))
            name = kill_something(house, dice)
            if name is not None:
                killed[name] = killed.get(name, 0) + 1
                if dice.random() < 0.05:
                    house.flush_redis()
                    flushed += 1
        budget.allow(writes)
        for writer in writers:
            writer.join(120)
        ended = time.monotonic()
        house.settle(120)
        settled = time.monotonic()
        phones.ending.set()
        phones.join()
        house.settle()
    lost = [what for writer in writers for what in writer.lost()]
    stuck = house.open_changes()
    wrong = house.wrong()
    answered = sum(len(writer.answered) for writer in writers)
    unknown = sum(writer.unknown for writer in writers)
    changes = len(house.rows("select 1 from pbxapi.change"))
    print(
        f"\n{sum(killed.values())} kills {killed}, {flushed} FLUSHALL; {answered} writes answered and {unknown} "
        f"of unknown fate in {ended - began:.0f} s; all {changes} changes applied on three nodes "
        f"{settled - ended:.1f} s later; lost {len(lost)}, stuck {len(stuck)}, wrong {len(wrong)}"
    )
    assert [writer.fault for writer in writers if writer.fault] == []
    assert (lost, stuck, wrong) == ([], [], [])
    attempts = house.rows("select count(*) from pbxapi.change_node where state = 'failed'")
    assert attempts == [{"count": 0}]
    assert answered + unknown == writes
