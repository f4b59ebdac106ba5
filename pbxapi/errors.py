"""The faults that this product knows by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """A fault that the caller is told about, as the contract's error envelope.

    Raise it where the fault is known; one handler renders it.

    Args:
        status: HTTP status.
        code: machine-readable code of the contract, such as ``VALIDATION_ERROR``.
        message: one sentence for a person; never holds a secret.
        field: name of the input field at fault, nested ones as ``lines.0.line_number``.
        errors: all faults of the input as ``{"field", "message"}``, where there is more to say than one.
        headers: further response headers (``Allow``, ``Retry-After``).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        errors: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.errors = list(errors) if errors else None
        self.headers = dict(headers) if headers else {}

    @property
    def fault(self) -> dict[str, Any]:
        """The envelope's ``error``."""
        fault: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            fault["field"] = self.field
        if self.errors:
            fault["errors"] = self.errors
        return fault


def invalid(message: str, field: str | None = None) -> ApiError:
    """400 VALIDATION_ERROR: a value that cannot be accepted."""
    return ApiError(400, "VALIDATION_ERROR", message, field)


def not_found(message: str) -> ApiError:
    """404 NOT_FOUND: nothing there for this caller."""
    return ApiError(404, "NOT_FOUND", message)


def duplicate(message: str, field: str) -> ApiError:
    """409 DUPLICATE_ERROR: the value is taken."""
    return ApiError(409, "DUPLICATE_ERROR", message, field)


def forbidden(message: str, field: str | None = None) -> ApiError:
    """403 FORBIDDEN: known, and not allowed."""
    return ApiError(403, "FORBIDDEN", message, field)


class ConfigError(Exception):
    """A setting of the operator that cannot be used; ends a command with exit code 2.

    Args:
        variable: the environment variable, or the file and key, at fault.
        message: what is wrong with it, and what it should be.
    """

    def __init__(self, variable: str, message: str) -> None:
        super().__init__(f"{variable}: {message}")
        self.variable = variable


class SwitchError(Exception):
    """FreeSWITCH did not do what was asked."""


class SwitchUnavailable(SwitchError):
    """No connection, no authentication or no answer within the deadline."""


class SwitchBarred(SwitchUnavailable):
    """The switch is there and does not let us in: the password is wrong, or its access list is against us.

    It does not go by itself, as an absence does: somebody has to mend it.
    """


class SwitchRefused(SwitchError):
    """The switch answered, and said no; the message carries its own words."""
