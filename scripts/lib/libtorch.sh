# SPDX-License-Identifier: Apache-2.0
# LibTorch out of the PyPI torch wheel: pinned, verified by hash, put in place whole or not at all. Sourced by scripts/setup, and
# by setup-libtorch in a bundle, which sets the two folders itself.
# shellcheck shell=bash

# The range that the tests have passed with. ATen has no stable ABI: everything is built against exactly what was found.
readonly libtorch_tested='2\.11\.[0-9]+'
readonly libtorch_home="${libtorch_home:-$repo/.deps/libtorch}"
readonly libtorch_requirements="${libtorch_requirements:-$repo/scripts/libtorch}"

# libtorch_version DIR: the version of the LibTorch in DIR, or failure if there is none.
libtorch_version() {
    [[ -f $1/lib/libtorch_cpu.so && -f $1/include/ATen/ATen.h ]] || return 1
    local header="$1/include/torch/headeronly/version.h"
    [[ -f $header ]] || header="$1/include/torch/csrc/api/include/torch/version.h"
    awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' "$header"
}

# find_spec does not import torch: it answers at once, and also where torch's own libraries are broken.
libtorch_of_python() {
    local python
    python=$(command -v python3 || command -v python) || return 1
    (cd / && "$python" -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")')
}

# use_existing_libtorch: true if one that somebody else installed will be used. cmake/FindLibTorch.cmake looks in the same order.
use_existing_libtorch() {
    local dir version
    if [[ -n ${SDFLEET_LIBTORCH:-} ]]; then
        version=$(libtorch_version "$SDFLEET_LIBTORCH") ||
            die "SDFLEET_LIBTORCH=$SDFLEET_LIBTORCH holds no LibTorch: lib/libtorch_cpu.so and include/ATen/ATen.h are expected there"
        say "libtorch: $version in $SDFLEET_LIBTORCH, from SDFLEET_LIBTORCH"
        [[ $version =~ ^$libtorch_tested$ ]] || say "libtorch: warning: $version is outside the tested range (2.11.x)"
        return 0
    fi
    [[ ! -e $libtorch_home/stamp ]] || return 1
    dir=$(libtorch_of_python 2>/dev/null) && version=$(libtorch_version "$dir") || return 1
    if [[ ! $version =~ ^$libtorch_tested$ ]]; then
        say "libtorch: the active python has torch $version in $dir; it is outside the tested range (2.11.x), so it is not used"
        return 1
    fi
    say "libtorch: $version in $dir, the torch of the active python"
}

# One wheel for every Python: only its C++ libraries and headers are used, so the Python that it was made for does not matter,
# and one hash per file is enough.
pip_target_options() {
    local minor
    printf '%s\n' --python-version 311 --implementation cp --abi cp311 --only-binary :all:
    for minor in {28..5}; do printf '%s\n' --platform "manylinux_2_${minor}_x86_64"; done
    printf '%s\n' --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64
}

python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    die "no python3 with pip was found (package python3-pip)"
}

# install_libtorch cpu|cuda
install_libtorch() {
    local variant=$1 requirements="$libtorch_requirements/requirements-$1.txt" python staging
    local stamp="$libtorch_home/stamp" want
    [[ $(uname -m) == x86_64 ]] ||
        die "the pinned LibTorch is for x86_64 and this is $(uname -m): set SDFLEET_LIBTORCH to a LibTorch of your own"
    want="$variant $(sha256sum <"$requirements" | cut -d' ' -f1)"
    # The full set serves a machine without a GPU too.
    if [[ -f $stamp ]] && { [[ $(<"$stamp") == "$want" ]] || { [[ $variant == cpu ]] && cuda_set_is_current; }; }; then
        say "libtorch: $(libtorch_version "$libtorch_home/torch") is in $libtorch_home ($(cut -d' ' -f1 "$stamp") set)"
        return
    fi

    python=$(python_with_pip)
    mkdir -p "${libtorch_home%/*}"
    rm -rf "$libtorch_home".new.*
    staging=$(mktemp -d "$libtorch_home.new.XXXXXX")
    # shellcheck disable=SC2064 # the folder's name is wanted as it is now
    trap "rm -rf '$staging'" EXIT
    mkdir "$staging/tmp"
    say "libtorch: fetching the $variant set (cpu: about 545 MB, cuda: about 2.5 GB) into $libtorch_home"
    local options
    mapfile -t options < <(pip_target_options)
    # TMPDIR: pip unpacks there, and /tmp may be a small file system in memory.
    TMPDIR="$staging/tmp" "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-deps --no-compile --require-hashes "${options[@]}" --target "$staging" --requirement "$requirements" ||
        die "pip could not fetch LibTorch; its own message is above. An existing one can be used: SDFLEET_LIBTORCH=DIR $0"
    keep_cpp_parts "$staging"
    libtorch_version "$staging/torch" >/dev/null || die "the torch wheel does not hold a LibTorch any more"
    echo "$want" >"$staging/stamp"
    chmod 755 "$staging"
    rm -rf "$libtorch_home"
    mv "$staging" "$libtorch_home"
    trap - EXIT
    say "libtorch: $(libtorch_version "$libtorch_home/torch") installed in $libtorch_home, $(du -sh "$libtorch_home" | cut -f1)"
}

cuda_set_is_current() {
    [[ $(<"$libtorch_home/stamp") == "cuda $(sha256sum <"$libtorch_requirements/requirements-cuda.txt" | cut -d' ' -f1)" ]]
}

# Removes what only Python needs; licences stay beside the libraries.
keep_cpp_parts() {
    rm -rf "$1/tmp" "$1/bin" "$1/functorch" "$1/torchgen"
    find "$1/torch" -mindepth 1 -maxdepth 1 ! -name lib ! -name include ! -name share -exec rm -rf {} +
    rm -f "$1/torch/lib/libtorch_python.so"
}
