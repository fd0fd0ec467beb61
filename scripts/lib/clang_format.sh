# SPDX-License-Identifier: Apache-2.0
# One version of clang-format for everybody, because versions disagree about line breaks. Sourced.
# shellcheck shell=bash

readonly clang_format_major=14
readonly clang_format_home="$repo/.deps/clang-format"

# find_clang_format: prints the program of the wanted version, or fails.
find_clang_format() {
    local program
    for program in "clang-format-$clang_format_major" clang-format "$clang_format_home/clang_format/data/bin/clang-format"; do
        if [[ $("$program" --version 2>/dev/null) == *"version $clang_format_major."* ]]; then
            echo "$program"
            return
        fi
    done
    return 1
}

# The distributions' newest clang-format differs, so where version 14 is missing it comes from its PyPI wheel.
install_clang_format() {
    local python staging
    if find_clang_format >/dev/null; then
        say "clang-format: $("$(find_clang_format)" --version | grep -o 'version [0-9.]*')"
        return
    fi
    python=$(python_with_pip)
    mkdir -p "$repo/.deps"
    rm -rf "$repo"/.deps/clang-format.new.*
    staging=$(mktemp -d "$repo/.deps/clang-format.new.XXXXXX")
    "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --no-compile --require-hashes \
        --only-binary :all: --target "$staging" --requirement "$repo/scripts/requirements-dev.txt"
    chmod 755 "$staging"
    rm -rf "$clang_format_home"
    mv "$staging" "$clang_format_home"
    say "clang-format: $("$(find_clang_format)" --version | grep -o 'version [0-9.]*') installed in .deps/clang-format"
}
