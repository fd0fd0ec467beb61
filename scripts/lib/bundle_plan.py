# SPDX-License-Identifier: Apache-2.0
"""What belongs into a bundle, as decisions on text: which libraries go along, where they are looked for, and what the machine
must have. Nothing here touches a file."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

PROGRAMS = ("coordinator", "agent", "actor", "sdctl")
PLUGINS = ("libsdfleet_cuda.so", "libsdfleet_torch_cuda.so")  # those that were built go along, beside the programs
MAX_BYTES = 60 << 20  # of the unpacked folder, and so of the archive, too

# Of the machine, always: two C libraries in one process do not work, and LibTorch needs the newer C++ library of the two.
SYSTEM = re.compile(r"^(linux-vdso|ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util|anl|gcc_s|stdc\+\+))\.so(\.\d+)*$")
# Of LibTorch and of the wheels beside it. libgomp is among LibTorch's own files.
LIBTORCH = re.compile(r"^lib(torch\w*|c10\w*|shm|gomp|cudart|cupti|nccl|cublas\w*|cudnn\w*|cufft|curand|cusparse\w*|nvrtc\S*)\.so(\.\d+)*$")
# Of the driver.
DRIVER = re.compile(r"^lib(cuda|nvidia-ml)\.so(\.\d+)*$")

# Where setup-libtorch puts or links LibTorch, beside bin/ and lib/, in the folders that the pinned wheels have.
_TORCH = ("libtorch/torch/lib", "libtorch/nvidia/cu13/lib", "libtorch/nvidia/nccl/lib")
RUNPATH_OF_PROGRAMS = ":".join(f"$ORIGIN/../{folder}" for folder in ("lib", *_TORCH))
RUNPATH_OF_LIBRARIES = "$ORIGIN"


@dataclass(frozen=True)
class Dependency:
    name: str
    path: str | None  # None: not found


def parse_ldd(text):
    """The dependencies that `ldd FILE` prints, indirect ones too."""
    found = []
    for line in text.splitlines():
        if match := re.match(r"\s*(\S+) => (not found|\S+)", line):
            name, path = match.groups()
            found.append(Dependency(name, None if path == "not found" else path))
        elif match := re.match(r"\s*(\S+) \(0x[0-9a-f]+\)$", line):
            found.append(Dependency(PurePosixPath(match[1]).name, match[1]))
    return found


def kind_of(name):
    """"system", "libtorch", "driver", or "bundled": what goes along."""
    for kind, names in (("system", SYSTEM), ("libtorch", LIBTORCH), ("driver", DRIVER)):
        if names.match(name):
            return kind
    return "bundled"


def misplaced(dependencies, bundle, with_libtorch):
    """One line for each dependency that is not found where a bundle in the folder `bundle` must find it."""
    faults = []
    for dependency in dependencies:
        kind = kind_of(dependency.name)
        path = dependency.path and posixpath.normpath(dependency.path)  # "bundle/bin/../lib/x" as the loader says it
        if path is None:
            if kind in ("bundled", "system") or (kind == "libtorch" and with_libtorch):
                faults.append(f"{dependency.name} is not found")
        elif kind == "bundled" and not path.startswith(f"{bundle}/lib/"):
            faults.append(f"{dependency.name} is taken from {path}, not from the bundle")
        elif kind == "libtorch" and with_libtorch and not path.startswith(f"{bundle}/libtorch/"):
            faults.append(f"{dependency.name} is taken from {path}, not from the bundle's libtorch")
    return faults


def newest(versions):
    return max(versions, key=lambda version: [int(number) for number in version.split(".")], default=None)


def needed_versions(readelf_text):
    """The newest GLIBC, GLIBCXX and CXXABI symbol versions among those that `readelf --version-info` prints as needed."""
    needs = {}
    in_needs = False
    for line in readelf_text.splitlines():
        if line.startswith("Version "):
            in_needs = line.startswith("Version needs")
        elif in_needs and (match := re.search(r"Name: (GLIBC|GLIBCXX|CXXABI|GCC)_([0-9.]+)\s", line)):
            needs.setdefault(match[1], set()).add(match[2])
    return {family: newest(versions) for family, versions in needs.items()}


def merged(needs):
    """One answer for many files."""
    families = {family for need in needs for family in need}
    return {family: newest([need[family] for need in needs if family in need]) for family in sorted(families)}


def requirements_text(needs):
    """One sentence for README.md."""
    glibc, libstdcxx = needs.get("GLIBC"), needs.get("GLIBCXX")
    return f"Needs x86-64 Linux with glibc {glibc} or newer and a libstdc++ that has GLIBCXX_{libstdcxx} or newer (ldd --version shows the first)."


def common_licences(copyright_text):
    """Files of /usr/share/common-licenses that a Debian copyright file refers to."""
    return sorted(set(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])", copyright_text)))
