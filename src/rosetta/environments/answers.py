"""Reads what a worker answers, which may be anything: the reply that its request is to have, or a word on why not."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

_MOST_DIGITS = 18
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


class NotTheProtocol(Exception):
    """An answer that no worker of ours would give; ``str`` says what is wrong with it."""


@dataclass(frozen=True)
class Answer:
    """A reply, and the processor time of the whole process until then, in seconds."""

    reply: Any
    process_seconds: float


@dataclass(frozen=True)
class Raised:
    """What the method raised in the worker."""

    error: str


def read_answer(line: bytes, reply: type[Any]) -> Answer | Raised:
    """Read one line as the answer to a request with such a reply; raise ``NotTheProtocol`` where it isn't one."""
    message = _message(line)
    if message.get("ok") is False:
        return Raised(str(message.get("error")))
    seconds = message.get("process_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise NotTheProtocol("it doesn't say the process's seconds")
    fields = message.get("reply")
    if not isinstance(fields, dict) or fields.keys() - {field.name for field in dataclasses.fields(reply)}:
        raise NotTheProtocol(f"its reply is none of {reply.__name__}")
    try:
        # As JSON, because what is strict there takes an object for a dataclass.
        return Answer(_adapter(reply).validate_json(json.dumps(fields), strict=True), float(seconds))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "reply"
        raise NotTheProtocol(f"{place}: {first['msg']}") from None


def read_start(line: bytes) -> str:
    """Read the line that a worker begins with; return its Python's version."""
    version = _message(line).get("python")
    if not isinstance(version, str):
        raise NotTheProtocol("it doesn't say its Python's version")
    return version


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line, parse_constant=_not_finite, parse_float=_finite, parse_int=_integer)
    except (ValueError, RecursionError) as fault:
        raise NotTheProtocol(f"not one line of JSON: {fault}") from None
    if not isinstance(message, dict):
        raise NotTheProtocol(f"not a JSON object but a {type(message).__name__}")
    return message


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("an integer of more than 64 bits")
    return int(text)


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} isn't finite")


def _adapter(reply: type[Any]) -> TypeAdapter[Any]:
    if reply not in _adapters:  # making one takes a thousand times as long as using it
        _adapters[reply] = TypeAdapter(reply)
    return _adapters[reply]
