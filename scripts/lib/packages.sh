# SPDX-License-Identifier: Apache-2.0
# Installing the distribution's packages: only what is missing, only as root or through sudo. Sourced by scripts/setup.
# shellcheck shell=bash

# The names are the same on Debian 12, Debian 13 and Ubuntu 24.04.
readonly build_packages=(
    build-essential cmake ninja-build pkg-config ccache git ca-certificates python3 python3-pip patchelf
    libzmq3-dev cppzmq-dev libmsgpack-cxx-dev libboost-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libexpected-dev
    libsqlitecpp-dev libsqlite3-dev libicu-dev libspng-dev libsodium-dev libgomp1 prometheus-cpp-dev
    catch2 librapidcheck-dev
)
readonly dev_packages=(clang clang-tidy)

# missing_packages NAME...: those that dpkg does not know as installed, one a line.
missing_packages() {
    local installed name
    # shellcheck disable=SC2016 # the fields are dpkg-query's
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}|${binary:Package}\n' 2>/dev/null |
        awk -F'|' '/^ii / { sub(/:.*/, "", $2); print $2 }')
    for name in "$@"; do
        grep -qxF -- "$name" <<<"$installed" || echo "$name"
    done
}

# without_candidate NAME...: those that apt knows no version of, one a line. In a fresh root or container that is all of them,
# because it has no package lists yet.
without_candidate() {
    local name
    for name in "$@"; do
        LC_ALL=C apt-cache policy "$name" 2>/dev/null | grep '^  Candidate: [^(]' >/dev/null || echo "$name"
    done
}

# install_packages NAME...: brings in what is missing, or says exactly what to install and fails.
install_packages() {
    local missing as_root=()
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        say "packages: all $# are installed"
        return
    fi
    if ((EUID != 0)); then
        # Without a terminal sudo cannot ask for a password: use it only if it needs none.
        if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
            as_root=(sudo)
        else
            say "error: ${#missing[@]} packages are missing, and this is neither root nor a user with sudo. Have these installed, then run this again:"
            echo "apt-get install --no-install-recommends ${missing[*]}"
            exit 1
        fi
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    local log="$repo/.deps/apt.log"
    local install=("${as_root[@]}" apt-get install --yes --no-install-recommends "${missing[@]}")

    say "packages: installing ${#missing[@]}: ${missing[*]}"
    local unknown
    if [[ -n $(without_candidate "${missing[@]}") ]]; then
        "${as_root[@]}" apt-get update -qq
        mapfile -t unknown < <(without_candidate "${missing[@]}")
        ((${#unknown[@]} == 0)) ||
            die "apt knows no package ${unknown[*]} (Debian 12, Debian 13 and Ubuntu 24.04 with 'universe' have all)"
    fi
    if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
        say "packages: trying once more with fresh package lists"
        "${as_root[@]}" apt-get update -qq
        "${install[@]}" >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2 && die "apt-get could not install the packages; all it said is in .deps/apt.log"; }
    fi
}
