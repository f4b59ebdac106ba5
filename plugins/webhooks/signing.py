"""Secrets and signatures, as the Standard Webhooks specification has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HMAC, ED25519 = "hmac", "ed25519"

_PREFIX = {HMAC: "whsec_", ED25519: "whsk_"}
_LENGTHS = {HMAC: range(24, 65), ED25519: (32,)}


def new_secret(signature: str) -> str:
    """A secret of 32 random bytes."""
    return _spell(_PREFIX[signature], secrets.token_bytes(32))


def check_secret(signature: str, secret: str) -> None:
    """Whether a secret can sign.

    Raises:
        ValueError: it cannot; says what it must be.
    """
    prefix = _PREFIX[signature]
    try:
        # Spelled anew, since Python's decoder lets more through than those of receivers.
        good = secret == _spell(prefix, _bytes(secret)) and len(_bytes(secret)) in _LENGTHS[signature]
    except ValueError:
        good = False
    if not good:
        length = "24 to 64" if signature == HMAC else "32"
        raise ValueError(f"must be {_PREFIX[signature]} and {length} bytes in base64")


def public_key(secret: str) -> str:
    """What verifies the signatures of an Ed25519 secret: ``whpk_...``; empty for HMAC, whose secret does."""
    if not secret.startswith(_PREFIX[ED25519]):
        return ""
    return _spell("whpk_", _private(secret).public_key().public_bytes_raw())


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature of the header ``webhook-signature``: ``v1,...`` or, of an Ed25519 secret, ``v1a,...``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    if secret.startswith(_PREFIX[ED25519]):
        return _spell("v1a,", _private(secret).sign(signed))
    return _spell("v1,", hmac.digest(_bytes(secret), signed, hashlib.sha256))


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(secret))


def _bytes(secret: str) -> bytes:
    return base64.b64decode(secret.partition("_")[2], validate=True)


def _spell(prefix: str, value: bytes) -> str:
    return prefix + base64.b64encode(value).decode()
