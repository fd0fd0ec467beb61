# SPDX-License-Identifier: Apache-2.0
# What every script here needs: where the repository is, how to say things, how to fail. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly repo

# Narration goes to stderr, so that stdout stays free for results.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# The comment block at the top of the calling script is its help text.
print_help() { awk 'NR > 2 && !/^#/ { exit } NR > 2 { sub(/^# ?/, ""); print }' "$0"; }

# Compile jobs: as many as cores, but at least 2 GiB of memory each, because one file that includes ATen takes over 1 GiB.
build_jobs() {
    local cores memory_gib
    cores=$(nproc)
    memory_gib=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
    local by_memory=$((memory_gib / 2))
    ((by_memory >= 1)) || by_memory=1
    echo $((cores < by_memory ? cores : by_memory))
}
