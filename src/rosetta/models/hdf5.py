"""Looks through an HDF5 file before a framework reads it: it may name other files, or unpack to any size."""

import io

import h5py

from rosetta.errors import RosettaError


def check_hdf5(content: bytes, where: str, largest: int) -> None:
    """Raise ``RosettaError`` unless the file has nothing but groups and arrays of numbers, ``largest`` bytes in all.

    Refused are links, which may lead out of the file or in circles, arrays whose data lie in other files, and types
    that are more than numbers and texts.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            room = _check(file, where, largest)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise RosettaError(f"{where} isn't a complete HDF5 file: {error}.") from error
    if room < 0:
        raise RosettaError(f"{where} holds more than {largest:,} bytes, far more than the network's weights.")


def is_bfloat16(dataset: h5py.Dataset) -> bool:
    """Whether these are bfloat16's bits, for which HDF5 has no type: two bytes, with a note of Keras' what they are."""
    halves = dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2
    return bool(halves and dataset.attrs.get("dtype") == "bfloat16")


def _check(group: h5py.Group, where: str, room: int) -> int:
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise RosettaError(f"{where}: {group.name}/{name} is a link, which may lead out of the file.")
        member = group[name]
        if isinstance(member, h5py.Group):
            room = _check(member, where, room)
        elif isinstance(member, h5py.Dataset):
            if member.external or member.is_virtual:
                raise RosettaError(f"{where}: the data of {member.name} lie in another file.")
            plain = member.dtype.kind in "fiubS" or h5py.check_string_dtype(member.dtype) or is_bfloat16(member)
            if not plain:
                raise RosettaError(f"{where}: {member.name} is of the type {member.dtype}, no numbers.")
            room -= member.nbytes
        else:
            raise RosettaError(f"{where}: {member.name} is no array.")
        if room < 0:
            break
    return room
