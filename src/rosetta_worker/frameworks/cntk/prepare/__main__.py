"""Gives CNTK 2.7's wheel, made for CPython 3.6 and OpenMPI 1.10, the libraries that it looks for.

Run by the environment's Python when the wheel lies unpacked, and unchanged, among its packages. To what is there, in
folders where the wheel's libraries look already, it adds

    cntk/libs/libmpi.so.12              mpi.c: MPI for one process, and for the rest functions that say so and stop
    cntk/libs/libmpi_cxx.so.1           mpi_cxx.cpp: the C++ names
    cntk/libs/libpython3.6m.so.1.0      empty: all that the extension wants of it, today's Python has
    _cntk_py.abi3.so                    a link to the extension, under a name that today's Python imports
"""

import struct
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MPI_FUNCTIONS = ("MPI_", "ompi_op_")

# Of ELF's 64-bit form (System V ABI, chapter 4): offsets in the file's header, layouts, and a type of section.
ELF_LITTLE_ENDIAN_64 = b"\x7fELF\x02\x01"
SECTIONS_AT, SECTIONS_SIZE_AND_COUNT = 0x28, 0x3A
SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, alignment, entry size
SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
DYNAMIC_SYMBOLS = 11
UNDEFINED = 0


def main():
    packages = Path(sysconfig.get_path("platlib"))
    libraries = packages / "cntk" / "libs"
    extensions = sorted(packages.glob("_cntk_py.cpython-36m-*.so"))
    if len(extensions) != 1:
        sys.exit("CNTK's wheel for CPython 3.6 isn't in {}.".format(packages))

    wanted = {name for file in libraries.glob("libCntk.*.so") for name in undefined_symbols(file)}
    functions = sorted(name for name in wanted if name.startswith(MPI_FUNCTIONS))
    with tempfile.TemporaryDirectory() as folder:
        rest, nothing = Path(folder, "rest.c"), Path(folder, "nothing.c")
        rest.write_text(unimplemented(functions))
        nothing.touch()
        link("gcc", [HERE / "mpi.c", rest], libraries / "libmpi.so.12")
        link("g++", [HERE / "mpi_cxx.cpp"], libraries / "libmpi_cxx.so.1")
        link("gcc", [nothing], libraries / "libpython3.6m.so.1.0")

    importable = packages / "_cntk_py.abi3.so"
    if importable.is_symlink():
        importable.unlink()
    importable.symlink_to(extensions[0].name)


def undefined_symbols(file):
    """List the names that a shared library wants of others."""
    content = file.read_bytes()
    if not content.startswith(ELF_LITTLE_ENDIAN_64):
        sys.exit("{} isn't a library of this kind of machine.".format(file))
    (start,) = struct.unpack_from("<Q", content, SECTIONS_AT)
    size, count = struct.unpack_from("<HH", content, SECTIONS_SIZE_AND_COUNT)
    sections = [SECTION.unpack_from(content, start + number * size) for number in range(count)]
    names = []
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind == DYNAMIC_SYMBOLS:
            strings = sections[link][4]
            for name, _, _, section, _, _ in SYMBOL.iter_unpack(content[offset : offset + length]):
                if section == UNDEFINED and name:
                    end = content.index(b"\0", strings + name)
                    names.append(content[strings + name : end].decode())
    return names


def unimplemented(functions):
    """Write C that defines each function weakly, so that one in mpi.c comes before it."""
    lines = ["#include <stdio.h>", "#include <stdlib.h>"]
    for name in functions:
        body = 'fputs("This MPI is for one process alone and has no {}.\\n", stderr); abort();'.format(name)
        lines.append("__attribute__((weak)) void {}(void) {{ {} }}".format(name, body))
    return "\n".join([*lines, ""])


def link(compiler, sources, library):
    """Compile sources to a shared library; what the compiler has to say goes to standard error."""
    options = ["-O1", "-shared", "-fPIC", "-Wl,-soname," + library.name, "-o", str(library)]
    status = subprocess.call([compiler, *options, *map(str, sources)], stdout=sys.stderr)
    if status:
        sys.exit("{} could not make {}: exit status {}.".format(compiler, library.name, status))


if __name__ == "__main__":
    main()
