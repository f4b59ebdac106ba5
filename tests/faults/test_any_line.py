"""A worker may die between any two lines: the next drain does what is missing, and nothing twice that shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("dying_drain.py")
OPEN = "select state, attempts, error from pbxapi.change_node where state <> 'applied'"
FULL = os.environ.get("PBXAPI_FAULTS") == "full"


class Scenario:
    """Five records that are renamed, changed, deleted and created, over and over."""

    def __init__(self, pbx):
        self.pbx = pbx
        self.client = pbx.client
        self.round = 0
        self.renamed = self.client.create("extensions", extension="7001", voicemail_enabled="true")
        self.changed = self.client.create("extensions", extension="7003")
        self.gone = None
        self.gateway = self.client.create(
            "gateways", gateway="trunk", proxy="0.example.net", register="false", profile="external"
        )

    def write(self):
        """A batch of every kind of change, and cache entries that must not survive it."""
        self.round += 1
        self.number = ("7001", "7002")[self.round % 2]
        self.client.update("extensions", self.renamed, extension=self.number)
        self.client.update("extensions", self.changed, password=f"word-{self.round}")
        self.client.update("gateways", self.gateway, proxy=f"{self.round}.example.net")
        self.there, absent = ("7004", "7005") if self.round % 2 else ("7005", "7004")
        touched = {"7001", "7002", "7003", self.there}
        if self.gone is not None:
            self.client.delete("extensions", self.gone)
            touched.add(absent)
        self.gone = self.client.create("extensions", extension=self.there)
        cache = self.pbx.folders["cache"]
        for number in touched:
            (cache / f"directory.{number}@{self.pbx.domain}").write_text("<document/>")
        (cache / "switch1.configuration.sofia.conf").write_text("<document/>")
        # What the round before has to delete a second time is due in this drain, too.
        self.pbx.run("update pbxapi.change_node set settle_at = clock_timestamp() where settle_at is not null")

    def finish(self):
        """Drain as the next worker does, until nothing is left to do."""
        end = time.monotonic() + 10
        while time.monotonic() < end and self.pbx.rows(OPEN):  # PostgreSQL needs a moment to see who has died
            self.pbx.run("update pbxapi.change_node set due_at = clock_timestamp() where state = 'pending'")
            self.pbx.apply()

    def wrong(self):
        """What is not as it should be."""
        pbx = self.pbx
        wrong = pbx.rows(OPEN)
        wrong += pbx.rows("select 'a reload is owed' as what from pbxapi.node where reload_wanted")
        wanted = {self.number, "7003", self.there}
        files = {
            path.stem.removeprefix("v_") for path in (pbx.folders["extensions"] / pbx.domain).glob("v_700?.xml")
        }
        boxes = {path.name for path in (pbx.folders["voicemail"] / "default" / pbx.domain).iterdir()}
        tree = {user.get("id") for user in pbx.switch._tree.iter("user") if user.get("id", "").startswith("700")}
        found = {number for number in ("7001", "7002", "7003", "7004", "7005") if self.exists(number)}
        told = {"files": files, "read from files": tree, "looked up": found}
        wrong += [{what: numbers} for what, numbers in told.items() if numbers != wanted]
        wrong += [{"boxes": boxes}] if boxes != {self.number} else []
        password = pbx.switch.api(f"user_data 7003@{pbx.domain} param password")
        wrong += [{"password": password}] if password != f"word-{self.round}" else []
        proxies = [gateway.params["proxy"] for gateway in pbx.switch.gateways.values()]
        wrong += [{"proxies": proxies}] if f"{self.round}.example.net" not in proxies else []
        half = [path for folder in pbx.folders.values() for path in folder.rglob("*.tmp")]
        stale = [path for path in pbx.folders["cache"].iterdir() if path.read_text() == "<document/>"]
        return wrong + half + stale

    def exists(self, number):
        return self.pbx.switch.api(f"user_exists id {number} {self.pbx.domain}") == "true"


@pytest.fixture
def dying(pbx):
    """Has a drain die at its n-th line; 0 lets it live."""
    environment = {
        **os.environ,
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": pbx.config.database_url,
        "PBXAPI_NODE": pbx.config.node,
        "PBXAPI_ESL_PORT": str(pbx.config.esl_port),
        "PBXAPI_CACHE_LOCATION": str(pbx.config.cache_location),
        "PBXAPI_XML_EXTENSIONS_DIR": str(pbx.config.xml_extensions_dir),
        "PBXAPI_XML_SIP_PROFILES_DIR": str(pbx.config.xml_sip_profiles_dir),
        "PBXAPI_XML_DIALPLAN_DIR": str(pbx.config.xml_dialplan_dir),
        "PBXAPI_VOICEMAIL_DIR": str(pbx.config.voicemail_dir),
    }
    with subprocess.Popen(
        [sys.executable, str(SCRIPT)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def die(at):
            process.stdin.write(f"{at}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield die
        process.stdin.close()


def test_a_drain_may_be_killed_between_any_two_lines(pbx, dying, dice):
    scenario = Scenario(pbx)
    pbx.apply()
    for _ in range(2):  # the second round is the usual one: all records and folders are there
        scenario.write()
        lines = dying(0)["lines"]
        scenario.finish()
        assert scenario.wrong() == []
    # Each line before its first and before its last run.
    places = sorted(
        {at for at, line in enumerate(lines, 1)}
        & {
            *({line: at for at, line in enumerate(lines, 1)}).values(),
            *({line: at for at, line in reversed(list(enumerate(lines, 1)))}).values(),
        }
    )
    chosen = places if FULL else sorted(dice.sample(places, 8))
    killed = 0
    for at in chosen:
        scenario.write()
        killed += dying(at)["killed"]
        scenario.finish()
        assert scenario.wrong() == [], f"killed before {lines[at - 1]}, line {at} of {len(lines)}"
    print(
        f"\n{killed} of {len(chosen)} drains killed, at {len(set(lines))} lines of {len(lines)} run; nothing wrong"
    )
    assert killed >= len(chosen) * 0.9
