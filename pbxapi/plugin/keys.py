"""What the resource api-keys shares with the command line and with the check of keys; no part of the contract."""

from pbxapi.data.keys import (
    EVERY_DOMAIN,
    NAME_MOST,
    OVERLAP_MOST,
    TABLE,
    Network,
    moment,
    network,
    new_key,
    rate,
    scope,
)

__all__ = [
    "EVERY_DOMAIN",
    "NAME_MOST",
    "OVERLAP_MOST",
    "TABLE",
    "Network",
    "moment",
    "network",
    "new_key",
    "rate",
    "scope",
]
