"""From a committed change row to every switch node: relay, drain, effects, live questions."""
