"""A write is answered as quickly as ever while the switches are down or mute."""

from __future__ import annotations

import statistics
import time


def test_a_dead_or_mute_switch_slows_no_write(house):
    rounds, writes = (50, 20) if house.full else (2, 15)
    seconds = {"usual": [], "down": [], "mute": []}

    def write(state, count):
        for _ in range(count):
            began = time.perf_counter()
            house.create()
            seconds[state].append(time.perf_counter() - began)

    write("usual", 20)
    seconds["usual"].clear()
    # All in one run and in turns, because the machine is busy with other things too.
    for _ in range(rounds):
        write("usual", writes)
        for node in house.nodes:
            node.switch.go_away()
        write("down", writes)
        for node in house.nodes:
            node.switch.come_back()
            node.switch.mute()
        write("mute", writes)
        for node in house.nodes:
            node.switch.unmute()
        house.run("update pbxapi.node set retry_at = null")  # without the pause, which is not what is measured
        house.wait_for(lambda: not house.open_changes(), 60, house.open_changes)
    figures = {}
    print()
    for state, times in seconds.items():
        figures[state] = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"POST with the switch {state}: {len(times)} times, median {1000 * figures[state][0]:.1f} ms, "
            f"p99 {1000 * figures[state][1]:.1f} ms"
        )
    for state in ("down", "mute"):
        ratios = [here / usual for here, usual in zip(figures[state], figures["usual"], strict=True)]
        print(f"{state} / usual: median {ratios[0]:.2f}, p99 {ratios[1]:.2f}")
        # Of a hundred the 99th is chance; of a thousand it is a figure.
        assert ratios[1 if house.full else 0] <= 1.2
