# SPDX-License-Identifier: Apache-2.0
"""Makes the folder of scripts/bundle from a build: copies, strips, sets the places where libraries are looked for, and collects
licences. What goes along is decided by bundle_plan.py."""

import gzip
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import bundle_plan

COMMON_LICENCES = Path("/usr/share/common-licenses")
# Of what is compiled into the programs: headers and static libraries. Each is looked up to find its package.
COMPILED_IN = (
    "/usr/include/boost/version.hpp", "/usr/include/msgpack.hpp", "/usr/include/zmq.hpp", "/usr/include/CLI/CLI.hpp",
    "/usr/include/nlohmann/json.hpp", "/usr/include/tl/expected.hpp", "/usr/include/SQLiteCpp/SQLiteCpp.h",
)  # fmt: skip


class BundleError(Exception):
    """One line for the person who runs scripts/bundle."""


def output_of(*command, env=None):
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False, env=env)
    except FileNotFoundError:
        raise BundleError(f"{command[0]} is missing: run scripts/setup first") from None
    if done.returncode != 0:
        raise BundleError(f"{' '.join(str(word) for word in command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def dependencies_of(file):
    """As the loader resolves them when nothing but the file itself tells it where to look."""
    return bundle_plan.parse_ldd(output_of("ldd", file, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}))


def programs_of(build_dir):
    """(the four programs, those plug-ins that were built) in build_dir/bin."""
    programs = [build_dir / "bin" / name for name in bundle_plan.PROGRAMS]
    for program in programs:
        if not program.is_file():
            raise BundleError(f"{program} is missing: run scripts/build first, or name another build with --build-dir")
    plugins = [build_dir / "bin" / name for name in bundle_plan.PLUGINS]
    return programs, [plugin for plugin in plugins if plugin.is_file()]


def version_of(program):
    return output_of(program, "--version").split()[-1]


def libraries_to_carry(files):
    """name -> file, of everything that the files need and a machine cannot be expected to have."""
    libraries = {}
    for file in files:
        for dependency in dependencies_of(file):
            if bundle_plan.kind_of(dependency.name) != "bundled":
                continue
            if dependency.path is None:
                raise BundleError(f"{file} needs {dependency.name}, which is not found here: run scripts/setup first")
            libraries[dependency.name] = Path(dependency.path).resolve()
    return libraries


def install_binary(source, target, runpath):
    shutil.copyfile(source, target)
    target.chmod(0o755)
    output_of("strip", "--strip-unneeded", target)
    output_of("patchelf", "--set-rpath", runpath, target)


def package_of(file):
    """The Debian package that brought the file."""
    # Debian 12 knows some libraries as /lib/..., others as /usr/lib/...; both are the same file.
    names = [str(file), str(file).removeprefix("/usr")]
    for name in names:
        done = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return done.stdout.splitlines()[0].split(":")[0]
    raise BundleError(f"no Debian package brought {file}, so its licence is not known: bundles are made on Debian or Ubuntu")


def carry_licences(files, folder):
    """The copyright file of each package that a file is of, and the common licences that those refer to."""
    folder.mkdir()
    common = set()
    for package in sorted({package_of(file) for file in files}):
        text = Path(f"/usr/share/doc/{package}/copyright").read_text(encoding="utf-8", errors="replace")
        (folder / f"{package}.txt").write_text(text, encoding="utf-8")
        common |= set(bundle_plan.common_licences(text))
    (folder / "common").mkdir()
    for name in sorted(common):
        if (COMMON_LICENCES / name).is_file():
            shutil.copyfile(COMMON_LICENCES / name, folder / "common" / name)


def carry_setup_libtorch(repo, folder):
    shutil.copy(repo / "scripts" / "bundle-files" / "setup-libtorch", folder / "setup-libtorch")
    share = folder / "share"
    share.mkdir()
    for name in ("common.sh", "libtorch.sh"):
        shutil.copyfile(repo / "scripts" / "lib" / name, share / name)
    for variant in ("cpu", "cuda"):
        shutil.copyfile(repo / "scripts" / "libtorch" / f"requirements-{variant}.txt", share / f"requirements-{variant}.txt")


def make(repo, build_dir, out):
    """Writes out/sdfleet-VERSION-linux-x86_64 anew and returns it."""
    programs, plugins = programs_of(build_dir)
    version = version_of(build_dir / "bin" / "sdctl")
    folder = out / f"sdfleet-{version}-linux-x86_64"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "lib"):
        (folder / name).mkdir(parents=True)

    sources = [*programs, *plugins]
    libraries = libraries_to_carry(sources)
    for source in sources:
        install_binary(source, folder / "bin" / source.name, bundle_plan.RUNPATH_OF_PROGRAMS)
    for name, source in libraries.items():
        install_binary(source, folder / "lib" / name, bundle_plan.RUNPATH_OF_LIBRARIES)

    carry_licences([*libraries.values(), *(Path(file) for file in COMPILED_IN)], folder / "licenses")
    carry_setup_libtorch(repo, folder)
    shutil.copyfile(repo / "LICENSE", folder / "LICENSE")
    needs = bundle_plan.merged([needs_of(file) for file in binaries_in(folder)])
    readme = (repo / "scripts" / "bundle-files" / "README.md").read_text(encoding="utf-8")
    plugin_line = f"with {' and '.join(f'`{plugin.name}`' for plugin in plugins)} for GPUs" if plugins else "without plug-ins for GPUs (the build had none)"
    words = {"@VERSION@": version, "@PLUGIN@": plugin_line, "@NEEDS@": bundle_plan.requirements_text(needs)}
    for mark, text in words.items():
        readme = readme.replace(mark, text)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


def binaries_in(folder):
    return sorted([*(folder / "bin").iterdir(), *(folder / "lib").iterdir()])


def needs_of(file):
    return bundle_plan.needed_versions(output_of("readelf", "--version-info", "--wide", file, env={**os.environ, "LC_ALL": "C"}))


def faults_of(folder):
    """What keeps a bundle from standing on its own: one line each. LibTorch has to be found once setup-libtorch has been run."""
    folder = folder.resolve()
    with_libtorch = (folder / "libtorch" / "torch").exists()
    faults = []
    for file in binaries_in(folder):
        found = bundle_plan.misplaced(dependencies_of(file), folder, with_libtorch)
        if file.name in ("coordinator", "agent", "sdctl"):
            found += [f"{need.name} is of LibTorch" for need in dependencies_of(file) if bundle_plan.kind_of(need.name) == "libtorch"]
        faults += [f"{file.relative_to(folder)}: {fault}" for fault in found]
    return faults


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "libtorch" not in path.relative_to(folder).parts)


def archive(folder, when):
    """folder.tar.gz beside the folder: equal bytes for equal files and `when` (seconds since the epoch)."""

    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = when
        return entry

    path = folder.parent / f"{folder.name}.tar.gz"
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=when) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for entry in [folder, *sorted(folder.rglob("*"))]:
                tar.add(entry, arcname=entry.relative_to(folder.parent), recursive=False, filter=plain)
    return path
