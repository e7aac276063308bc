"""Reads the pickles that data sets are published in without unpickling: nothing that a pickle names is ever called.

Unpickling can run any code. Here the pickle's operations are listed by ``pickletools``, and only those are carried out
that make dicts, lists, tuples, numbers, text, bytes and NumPy arrays of plain numbers or of lists. What NumPy wraps
around an array is recognised by name; the array is then made of the bytes that the pickle has for it.
"""

import math
import pickletools
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECONSTRUCT = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
_NAMES = {*_RECONSTRUCT, "numpy ndarray", "numpy dtype", "_codecs encode"}
_NUMBERS = ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")
_OBJECTS = ("O", "O8")


@dataclass(frozen=True)
class _Name:
    """What a pickle would import."""

    name: str


@dataclass(frozen=True)
class _Dtype:
    name: str


class _UnfilledArray:
    """An array whose content is still to come."""


def read_pickle(content: bytes) -> Any:
    """Return what a pickle holds: dicts, lists, tuples, int, str, bytes, bool, None, and NumPy arrays.

    A list of integers becomes an int32 array when it is put into something, which takes a tenth of the memory; an
    array of objects becomes the list of them. Raises ``ValueError`` if there is anything else in it.
    """
    reader = _Reader(len(content))
    try:
        for operation, argument, position in pickletools.genops(BytesIO(content)):
            if not reader.do(operation.name, argument):
                raise ValueError(
                    f"{operation.name} {argument or ''} at byte {position} is not part of plain lists and arrays"
                )
        (found,) = reader.stack
    except (IndexError, TypeError, KeyError, RecursionError, OverflowError) as fault:
        raise ValueError("not a pickle of plain lists and arrays") from fault
    if isinstance(found, _Name | _Dtype | _UnfilledArray):
        raise ValueError("not a pickle of plain lists and arrays")
    return found


class _Reader:
    """The machine that a pickle is a program for, with the few operations of it that plain data takes."""

    def __init__(self, size: int):
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._integers_left = size  # each takes a byte at least; what a list is put into twice counts twice

    def do(self, operation: str, argument: Any) -> bool:
        """Carry one operation out; return whether it is one of those that are."""
        stack = self.stack
        match operation:
            case "BININT1" | "BININT2" | "BININT" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "SHORT_BINSTRING" | "BINSTRING":  # Python 2's bytes, which pickletools shows as Latin-1
                stack.append(argument)
            case "SHORT_BINBYTES" | "BINBYTES":
                stack.append(argument)
            case "NONE" | "NEWFALSE" | "NEWTRUE":
                stack.append({"NONE": None, "NEWFALSE": False, "NEWTRUE": True}[operation])
            case "EMPTY_LIST" | "EMPTY_DICT" | "EMPTY_TUPLE":
                stack.append({"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}[operation]())
            case "MARK":
                self._marks.append(len(stack))
            case "APPEND":
                self._append(1)
            case "APPENDS":
                self._append(len(stack) - self._marks.pop())
            case "SETITEM":
                self._set_items(2)
            case "SETITEMS":
                self._set_items(len(stack) - self._marks.pop())
            case "TUPLE":
                self._tuple(len(stack) - self._marks.pop())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self._tuple(int(operation[-1]))
            case "GLOBAL" if argument in _NAMES:
                stack.append(_Name(argument))
            case "REDUCE":
                arguments, named = stack.pop(), stack.pop()
                stack.append(_made(named, arguments))
            case "BUILD":
                self._build()
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "PROTO" | "STOP":
                pass
            case _:
                return False
        return True

    def _taken(self, count: int) -> list[Any]:
        """Take so many items off the stack; whole lists of integers become arrays, which are smaller."""
        if not 0 <= count < len(self.stack) + 1:
            raise ValueError("not a pickle of plain lists and arrays")
        start = len(self.stack) - count
        items = self.stack[start:]
        del self.stack[start:]
        return [self._as_array(item) if isinstance(item, list) else item for item in items]

    def _as_array(self, items: list[Any]) -> Any:
        if not set(map(type, items)) <= {int}:
            return items
        self._integers_left -= len(items)
        if self._integers_left < 0:
            raise ValueError("lists that are put together from themselves")
        return np.array(items, np.int32)

    def _append(self, count: int) -> None:
        items = self._taken(count)
        target = self.stack[-1]
        if not isinstance(target, list):
            raise ValueError("items for what is not a list")
        target += items

    def _set_items(self, count: int) -> None:
        items = self._taken(count)
        target = self.stack[-1]
        if not isinstance(target, dict) or count % 2:
            raise ValueError("items for what is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int):
                raise ValueError("a dict's key that is neither text nor a number")
            target[key] = value

    def _tuple(self, count: int) -> None:
        if not 0 <= count <= len(self.stack):
            raise ValueError("not a pickle of plain lists and arrays")
        start = len(self.stack) - count
        self.stack[start:] = [tuple(self.stack[start:])]

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack.pop()
        if isinstance(target, _Dtype):
            if state[1] not in ("|", "<"):
                raise ValueError(f"numbers in the byte order {state[1]!r}")
            self.stack.append(target)
        elif isinstance(target, _UnfilledArray):
            _, shape, dtype, in_columns, content = state
            if not isinstance(dtype, _Dtype) or in_columns is not False:
                raise ValueError("an array in columns, or of no dtype")
            self.stack.append(_filled(shape, dtype.name, content))
        else:
            raise ValueError("a state for what has none")


def _made(named: Any, arguments: Any) -> Any:
    """Return what stands for that which a call of what is ``named`` would have made; nothing is called."""
    if not isinstance(named, _Name) or not isinstance(arguments, tuple):
        raise ValueError("a call of what has no name")
    if named.name in _RECONSTRUCT:
        return _UnfilledArray()
    if named.name == "numpy dtype" and isinstance(arguments[0], str):
        return _Dtype(arguments[0])
    if named.name == "_codecs encode" and arguments[1:] == ("latin1",) and isinstance(arguments[0], str):
        return arguments[0].encode("latin-1")
    raise ValueError(f"a call of {named.name}")


def _filled(shape: Any, dtype: str, content: Any) -> NDArray[Any] | list[Any]:
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("an array without a shape")
    if dtype in _OBJECTS:
        if not isinstance(content, list) or shape != (len(content),):
            raise ValueError("an array of objects that isn't a row of them")
        return content
    if dtype not in _NUMBERS:
        raise ValueError(f"an array of {dtype!r}")
    held = content.encode("latin-1") if isinstance(content, str) else content
    if not isinstance(held, bytes) or len(held) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError("an array with more or less in it than its shape says")
    return np.frombuffer(held, dtype).reshape(shape)
