#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libsdfleet_torch_cuda.so links nothing of LibTorch's GPU half: what it takes from there must be there, under that name.

Usage: torch_plugin_test.py PLUGIN LIBTORCH_DIR. Exits with 77 (skipped) where this LibTorch has no GPU half.
"""
import subprocess
import sys
from pathlib import Path


def symbols(library: Path, which: str) -> set[str]:
    """Names of `library`'s dynamic symbols; versions are left out, as only libc's have any."""
    listed = subprocess.run(["nm", "-D", which, library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in listed.splitlines() if " w " not in line}


def main() -> int:
    plugin, libtorch = Path(sys.argv[1]), Path(sys.argv[2])
    if not (libtorch / "lib/libtorch_cuda.so").exists():
        print(f"skipped: {libtorch} has no libtorch_cuda.so")
        return 77
    offered: set[str] = set()
    for name in ("libc10.so", "libc10_cuda.so", "libtorch_cpu.so", "libtorch_cuda.so"):
        offered |= symbols(libtorch / "lib" / name, "--defined-only")
    for cudart in libtorch.parent.glob("nvidia/*/lib/libcudart.so*"):
        offered |= symbols(cudart, "--defined-only")
    taken = {name for name in symbols(plugin, "--undefined-only") if "torch" in name or "c10" in name or name.startswith(
        ("_ZN2at", "_ZNK2at", "cuda"))}
    if not taken:
        print(f"{plugin} takes nothing from LibTorch: this test looks at the wrong names")
        return 1
    missing = sorted(taken - offered)
    for name in missing:
        print(f"{plugin} needs {name}, which {libtorch}/lib does not have")
    print(f"{len(taken)} symbols taken, {len(missing)} missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
