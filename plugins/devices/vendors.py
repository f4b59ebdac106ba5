"""Which vendor makes a phone: from its template, else from its address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NO_ADDRESS = "000000000000"
"""What FusionPBX stores for a device without an address yet; any number of devices may have it."""

_PREFIXES: Mapping[str, str] = {
    "2n": "7c1eb3",
    "aastra": "00085d 0010bc",
    "algo": "0022ee",
    "atcom": "808287",
    "avaya": "00040d 001b4f 00549f 048a15 10cdae 14612f 24b209 24d921 2cf4c5 3475c7 38bb3c 3c3a73 3cb15b 44322a"
    " 506184 50cd22 581626 6049c1 646a52 64a7dd 64c354 6ca849 6cfa58 703018 7038ee 7052c5 707c69 801daa 848371"
    " 90fb5b a009ed a01290 a051c6 a4251b a47886 b0adaa b4475e b4a95a b4b017 bcadab c057bc c4bed4 c81fea c8f406"
    " ccf954 d47856 d4ea0e e45d52 f81547 f873a2 fc8399 fca841",
    "cisco": "001873 002155 0021a0 30e4db 68efbd a44c11",
    "digium": "000fd3",
    "escene": "00268b",
    "fanvil": "0c383e",
    "flyingvoice": "0021f2",
    "gigaset": "002104 14b370 589ec6 7c2f80",
    "grandstream": "000b82 c074ad ec74d7",
    "htek": "001fc1",
    "konftel": "00177d",
    "linksys": "000e08",
    "mitel": "08000f 1400e9",
    "obihai": "9cadef",
    "panasonic": "0080f0 080023 bcc342",
    "polycom": "0004f2 482567 64167f",
    "sangoma": "005058",
    "snom": "000413",
    "spectralink": "00907a",
    "swissvoice": "000590",
    "vtech": "00122a 14aedb 547068 a4975c c468d0",
    "yealink": "001565 249ad8 44dbd2 805e0c 805ec0 c4fc22",
    "yeastar": "f4b549",
}
"""The first three bytes of addresses by the vendors that FusionPBX has templates for: the IEEE's public list of
assignments (MA-L), and what FusionPBX itself takes for a vendor's. Cisco's are those of its phones: most others
are switches (docs/provisioning.md)."""

_VENDORS = {prefix: vendor for vendor, prefixes in _PREFIXES.items() for prefix in prefixes.split()}

_SAME = {"linksys": "cisco-spa", "polycom": "poly", "sipura": "cisco-spa"}


def address_vendor(address: str) -> str:
    """The vendor that an address was assigned to, as FusionPBX spells it; "" if unknown."""
    return _VENDORS.get(address[:6].lower(), "")


def default_vendor(device: Mapping[str, Any]) -> str:
    """The vendor of a device that names none: the first part of its template, else the owner of its address."""
    return str(device["device_template"]).partition("/")[0] or address_vendor(str(device["device_address"]))


def family(device: Mapping[str, Any]) -> str:
    """The folder of the templates for a device, such as ``yealink``; "" where its vendor is not known.

    The device's template says it, as in FusionPBX, else its vendor. Polycom is Poly; of Cisco's phones the SPA
    ones, which Linksys and Sipura made before, are a family of their own.
    """
    template = str(device["device_template"]).partition("/")[0]
    vendor = _slug(template or str(device["device_vendor"]) or default_vendor(device))
    if vendor == "cisco" and (model(device) or "spa").startswith("spa"):
        return "cisco-spa"
    return _SAME.get(vendor, vendor)


def model(device: Mapping[str, Any]) -> str:
    """The model as a folder's name, such as ``t46u``: the second part of the template, else the device's model."""
    return _slug(str(device["device_template"]).partition("/")[2] or device["device_model"])


def model_name(device: Mapping[str, Any]) -> str:
    """The model as the phone spells it, without its vendor, such as ``D785``; "" where it is not known.

    FusionPBX's templates for a series (``snom/7xx``) name no model.
    """
    template = str(device["device_template"]).partition("/")[2]
    vendor = re.escape(str(device["device_vendor"] or default_vendor(device)))
    for name in (str(device["device_model"]), template):
        bare = re.sub(rf"^(?:{vendor})?[\s_-]*", "", name, flags=re.IGNORECASE)
        if re.fullmatch(r"[0-9A-Za-z]{2,20}", bare) and "xx" not in bare.lower():
            return bare
    return ""


def key_vendors(device: Mapping[str, Any]) -> list[str]:
    """What the vendor of a key may be called for it to be one of this device's, in small letters."""
    own = family(device)
    names = {own, str(device["device_vendor"]).lower(), *(name for name, same in _SAME.items() if same == own)}
    return sorted(names | ({"cisco"} if own == "cisco-spa" else set()))


def _slug(name: str) -> str:
    """A folder's name: small letters, digits, ``.``, ``_`` and ``-``; never one that leads elsewhere."""
    return re.sub(r"[^0-9a-z._-]+", "-", name.lower()).strip(".-_")
