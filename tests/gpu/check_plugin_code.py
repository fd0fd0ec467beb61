#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that each kernel source of the plug-in was compiled for each architecture that is named.

usage: check_plugin_code.py PLUGIN sm_80 sm_90a compute_90 ...

Reads the section .nv_fatbin as `cuobjdump --list-elf --list-ptx` does, which not every toolkit has: containers, one for each
source, of entries with a header each.
"""

import struct
import sys

CONTAINER = struct.Struct("<IHHQ")  # magic, version, header bytes, bytes of all entries
MAGIC = 0xBA55ED50
ENTRY = struct.Struct("<HHIQ12xI8xI")  # kind, version, header bytes, bytes, (...), architecture, (...), flags
KINDS = {1: "compute_", 2: "sm_"}
SPECIFIC = 1 << 20  # the "a" of 90a


def section(library, name):
    """The bytes of the ELF section `name`, or None."""
    (table_at,) = struct.unpack_from("<Q", library, 0x28)
    entry_bytes, count, names_index = struct.unpack_from("<HHH", library, 0x3A)
    headers = [struct.unpack_from("<II8x8xQQ", library, table_at + i * entry_bytes) for i in range(count)]
    names_at = headers[names_index][2]
    for name_at, _, at, size in headers:
        if library[names_at + name_at :].split(b"\0", 1)[0] == name:
            return library[at : at + size]
    return None


def architectures(code, begin, end):
    """What the entries between `begin` and `end` are for."""
    found = set()
    while begin < end:
        kind, _, header_bytes, size, architecture, flags = ENTRY.unpack_from(code, begin)
        found.add(f"{KINDS[kind]}{architecture}{'a' if flags & SPECIFIC else ''}")
        begin += header_bytes + size
    return found


def containers(code):
    """The architectures of each container."""
    at = 0
    while at + CONTAINER.size <= len(code):
        magic, _, header_bytes, size = CONTAINER.unpack_from(code, at)
        if magic != MAGIC:  # filling between two
            at += 8
            continue
        yield architectures(code, at + header_bytes, at + header_bytes + size)
        at += header_bytes + size


def main():
    if len(sys.argv) < 3:
        print(__doc__.strip())
        return 2
    with open(sys.argv[1], "rb") as file:
        code = section(file.read(), b".nv_fatbin")
    if code is None:
        print(f"{sys.argv[1]}: no code for GPUs in it")
        return 1
    wanted, all_found = set(sys.argv[2:]), list(containers(code))
    for number, found in enumerate(all_found):
        print(f"source {number}: {' '.join(sorted(found))}")
    if not all_found or any(found != wanted for found in all_found):
        print(f"wanted in each: {' '.join(sorted(wanted))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
