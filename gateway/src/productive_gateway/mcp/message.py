"""The JSON-RPC envelope of what a client posts, checked before anything looks inside.

The SDK reports a malformed envelope with its validation library's own text, some only after a 202,
and this gateway reads the message before the SDK does. So the form is checked here, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from pydantic_core import from_json

from productive_gateway.web.json_bounds import has_too_many_values, is_too_deep

Message = dict[str, Any]
"""A request, a notification, or a response to a request of this server."""


class MalformedMessage(Exception):
    """The client sent no JSON-RPC message; `str()` is the message of the error."""

    def __init__(
        self,
        message: str,
        *,
        code: int = types.INVALID_REQUEST,
        number: Any = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe what is wrong.

        Args:
            message: of the error.
            code: of the error, as JSON-RPC or MCP assigns it.
            number: `id` of the request, if it is known.
            data: of the error, if its code has any.
        """
        super().__init__(message)
        self.code = code
        """Of the error."""
        error: Message = {"code": code, "message": message}
        if data is not None:
            error["data"] = dict(data)
        self.answer: Message = {"jsonrpc": "2.0", "id": number, "error": error}
        """The JSON-RPC error to send."""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def decode(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        MalformedMessage: it is not JSON, nested too deeply, or holds too many values.
    """
    if has_too_many_values(body):
        raise MalformedMessage("The body holds too many values. Send less at once.")
    if is_too_deep(body):
        raise MalformedMessage("The body is nested too deeply.", code=types.PARSE_ERROR)
    try:
        # Three times as fast. It refuses more than the decoder below, which then decides.
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        pass
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("The body is not valid JSON.", code=types.PARSE_ERROR) from error


def check_message(value: Any) -> Message:
    """Return the value if it is a JSON-RPC message of the form that MCP prescribes.

    Raises:
        MalformedMessage: it is not.
    """
    if not isinstance(value, dict):
        raise MalformedMessage("The body must be a JSON-RPC message: a JSON object.")
    if value.get("jsonrpc") != "2.0":
        raise MalformedMessage('The member "jsonrpc" must be "2.0".')
    number = value.get("id")
    identified = isinstance(number, int | str) and not isinstance(number, bool)
    if "id" in value and not identified:
        raise MalformedMessage('The member "id" must be a string or an integer.')
    if isinstance(number, str) and not _is_text(number):
        raise MalformedMessage('The member "id" has half of a surrogate pair, which is no text.')
    if "method" not in value:
        return _check_response(value, identified=identified)
    if not isinstance(value["method"], str):
        raise MalformedMessage('The member "method" must be a string.', number=number)
    if not isinstance(value.get("params"), dict | None):
        raise MalformedMessage(
            'The member "params" must be an object.', code=types.INVALID_PARAMS, number=number
        )
    return value


def _is_text(value: str) -> bool:
    """Whether a string can be written: half of a surrogate pair, sent as an escape, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_response(value: Message, *, identified: bool) -> Message:
    error = value.get("error")
    succeeded = isinstance(value.get("result"), dict) and "error" not in value
    failed = (
        isinstance(error, dict)
        and isinstance(error.get("code"), int)
        and isinstance(error.get("message"), str)
        and "result" not in value
    )
    if not identified or not (succeeded or failed):
        raise MalformedMessage('The member "method" is missing.')
    return value
