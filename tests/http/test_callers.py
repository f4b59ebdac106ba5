"""How long a key and a domain are believed: what an operator changes counts within two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from pbxapi.http.callers import SECONDS, _Recent
from pbxapi.testing import Pbx, Reply

NEW_KEY = "another-key-0a1b2c3d4e5f"


def within_two_seconds(action: Callable[[], Reply], status: int) -> None:
    began = time.monotonic()
    while (reply := action()).status != status:
        assert time.monotonic() - began < 2, f"still {reply.status}"
        time.sleep(0.1)


def listing(pbx: Pbx, key: str, domain: str) -> Callable[[], Reply]:
    def ask() -> Reply:
        return pbx.client.request("GET", "/extensions", headers={"X-API-Key": key, "X-Domain": domain})

    return ask


def set_key(pbx: Pbx, key: str) -> None:
    pbx.run(
        "update v_default_settings set default_setting_value = %(key)s"
        " where default_setting_category = 'api' and default_setting_subcategory = 'secret_key'",
        key=key,
    )


def test_another_system_key_counts_within_two_seconds_and_the_old_one_no_longer(pbx: Pbx) -> None:
    old, new = listing(pbx, pbx.client.key, pbx.domain), listing(pbx, NEW_KEY, pbx.domain)
    assert (old().status, new().status) == (200, 401)
    set_key(pbx, NEW_KEY)
    within_two_seconds(old, 401)
    within_two_seconds(new, 200)


def test_a_system_key_that_is_turned_off_is_refused_within_two_seconds(pbx: Pbx) -> None:
    assert listing(pbx, pbx.client.key, pbx.domain)().status == 200
    pbx.run("update v_default_settings set default_setting_enabled = false where default_setting_category = 'api'")
    within_two_seconds(listing(pbx, pbx.client.key, pbx.domain), 500)
    pbx.run("update v_default_settings set default_setting_enabled = true where default_setting_category = 'api'")
    within_two_seconds(listing(pbx, pbx.client.key, pbx.domain), 200)


def test_an_empty_key_in_the_settings_opens_nothing(pbx: Pbx) -> None:
    pbx.run("update v_default_settings set default_setting_value = '' where default_setting_category = 'api'")
    for key in ("", "x"):
        assert listing(pbx, key, pbx.domain)().status in (401, 500)


def test_a_domain_that_is_turned_off_is_refused_within_two_seconds(pbx: Pbx) -> None:
    ask = listing(pbx, pbx.client.key, pbx.domain)
    assert ask().status == 200
    pbx.run("update v_domains set domain_enabled = false where domain_name = %(name)s", name=pbx.domain)
    within_two_seconds(ask, 400)
    pbx.run("update v_domains set domain_enabled = true where domain_name = %(name)s", name=pbx.domain)
    within_two_seconds(ask, 200)


def test_key_and_domain_cost_no_statement_within_their_second(pbx: Pbx) -> None:
    ask = listing(pbx, pbx.client.key, pbx.domain)
    assert ask().status == 200
    began = time.monotonic()
    set_key(pbx, NEW_KEY)
    assert ask().status == 200
    assert time.monotonic() - began < SECONDS


def test_names_that_nobody_has_do_not_fill_the_memory() -> None:
    recent: _Recent[None] = _Recent(most=10)
    for number in range(1000):
        recent.get(f"no-such-{number}.example", lambda: None)
        assert len(recent._values) <= 10
