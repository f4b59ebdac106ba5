"""A flood of writes does not drown the switch: what three nodes were asked while it came."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pbxapi.testing import close_pbx, make_pbx


def pour(house, writes, create):
    """Do writes as fast as they are answered; seconds until all are applied everywhere."""
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: create(), range(writes)))
    answered = time.monotonic() - began
    house.wait_for(lambda: not house.open_changes(), 120, house.open_changes)
    return answered, time.monotonic() - began


@pytest.mark.parametrize("what", ["extensions", "gateways"])
def test_reloads_are_as_many_as_fit_into_the_time_and_two(house, what):
    """Of extensions a reloadxml, of gateways a rescan of their profile: one runs, one waits."""
    writes, seconds = ((1000, 1.0) if what == "extensions" else (200, 1.0)) if house.full else (50, 0.3)
    for node in house.nodes:
        node.switch.reload_seconds = seconds
        node.switch.max_parallel_reloads = 0
    before = [node.switch.reloads for node in house.nodes]
    numbers = iter([str(next(house.numbers)) for _ in range(writes)])
    lock = threading.Lock()

    def create():
        with lock:
            number = next(numbers)
        if what == "extensions":
            body = {"extension": number}
        else:
            body = {
                "gateway": f"trunk-{number}",
                "proxy": "sip.example.net",
                "register": "false",
                "profile": "external",
            }
        reply = house.request("POST", f"/{what}", body)
        assert reply.status_code == 201, reply.text

    answered, applied = pour(house, writes, create)
    reloads = [node.switch.reloads - count for node, count in zip(house.nodes, before, strict=True)]
    most = math.ceil(applied / seconds) + 2
    print(
        f"\n{writes} {what} created in {answered:.1f} s ({writes / answered:.0f}/s), applied on three nodes after "
        f"{applied:.1f} s; a reload takes {seconds:g} s; reloads {reloads}, at most {most}"
    )
    assert all(0 < count <= most for count in reloads)
    assert [node.switch.max_parallel_reloads for node in house.nodes] == [1, 1, 1]
    asked = {r.by for node, count in zip(house.nodes, before, strict=True) for r in node.switch.reload_log[count:]}
    assert asked == {"reloadxml" if what == "extensions" else "rescan"}
    for node in house.nodes:
        node.switch.reload_seconds = 0.0


def test_a_thousand_creates_that_change_no_xml_file_cause_no_reload(house, database_url, tmp_path):
    writes = 1000 if house.full else 60
    pbx = make_pbx(
        database_url, tmp_path / "lua", xml_extensions_dir=None, xml_sip_profiles_dir=None, xml_dialplan_dir=None
    )
    try:
        pbx.run(
            "delete from v_default_settings where default_setting_category = 'switch' "
            "and default_setting_subcategory in ('extensions', 'sip_profiles', 'dialplan')"
        )
        ending = threading.Event()

        def drain():
            while not ending.is_set():
                pbx.apply()

        draining = threading.Thread(target=drain)
        draining.start()
        for number in range(5000, 5000 + writes):
            pbx.client.create("extensions", extension=str(number))
        house.wait_for(lambda: not pbx.rows("select 1 from pbxapi.change_node where state <> 'applied'"), 60)
        ending.set()
        draining.join()
        print(f"\n{writes} creates without XML files: {pbx.switch.reloads} reloads")
        assert pbx.switch.reloads == 0
        assert pbx.rows("select count(*) from pbxapi.change_node where state = 'applied'") == [{"count": writes}]
    finally:
        close_pbx(pbx)
