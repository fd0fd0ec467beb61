# SPDX-License-Identifier: Apache-2.0
# A bare root of a distribution, made with debootstrap, to try things in that must not depend on this machine. Sourced.
# The caller sets `suite` (bookworm, trixie or noble), `root` (an empty folder), and calls in_own_namespaces first.
# shellcheck shell=bash

# distribution_of SUITE
distribution_of() { case $1 in noble) echo ubuntu ;; *) echo debian ;; esac; }
components_of() { case $1 in noble) echo main,universe ;; *) echo main ;; esac; }

require_debootstrap() {
    ((EUID == 0)) || die "debootstrap and chroot need root"
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
}

# in_own_namespaces ARGUMENT...: starts the script again with these in a mount and process namespace of its own, so that nothing
# of the test outlives it; returns when that is so already.
in_own_namespaces() {
    [[ ${SDFLEET_ROOT_TEST_ISOLATED:-} != yes ]] || return 0
    export SDFLEET_ROOT_TEST_ISOLATED=yes
    exec unshare --mount --pid --fork --kill-child "$0" "$@"
}

# mirror_of SUITE: SDFLEET_MIRROR, or the archive that this machine's apt would use for the suite's distribution, or else the
# distribution's own, which debootstrap's script for a suite names unless the script is that of another suite.
mirror_of() {
    if [[ -n ${SDFLEET_MIRROR:-} ]]; then
        echo "$SDFLEET_MIRROR"
        return
    fi
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -v '^[[:space:]]*#' | grep -oE '[a-z+]+://[^] ]+' | sed 's:/*$::' | grep -E "/$(distribution_of "$1")\$" | head -n 1 || true
}

# make_root SUITE ROOT [no-check-gpg]: minbase, nothing else.
make_root() {
    local suite=$1 root=$2 keyring options=(--variant=minbase --components="$(components_of "$1")") script=() mirror
    keyring=/usr/share/keyrings/$(distribution_of "$suite")-archive-keyring.gpg
    if [[ ${3:-} == no-check-gpg ]]; then
        say "warning: the packages of this root are not verified (--no-check-gpg): use it for this test and for nothing else"
        options+=(--no-check-gpg)
    else
        [[ -f $keyring ]] || die "no keyring $keyring: apt-get install $(distribution_of "$suite")-archive-keyring (Ubuntu: ubuntu-archive-keyring); without verification: --no-check-gpg"
        options+=(--keyring="$keyring")
    fi
    mirror=$(mirror_of "$suite")
    # A debootstrap older than the suite has no script for it; all of Ubuntu's are one script.
    if [[ ! -e /usr/share/debootstrap/scripts/$suite && $(distribution_of "$suite") == ubuntu ]]; then
        script=(gutsy)
        [[ -n $mirror ]] || mirror=$(sed -n 's/^[[:space:]]*default_mirror \([a-z]*:\/\/archive[^ ]*\)$/\1/p' /usr/share/debootstrap/scripts/gutsy | head -n 1)
        [[ -n $mirror ]] || die "this debootstrap knows no mirror of $suite: name one by SDFLEET_MIRROR"
    fi
    # shellcheck disable=SC2086 # the mirror is one word or none
    debootstrap "${options[@]}" "$suite" "$root" $mirror "${script[@]}" >"$root.log" 2>&1 ||
        { tail -n 5 "$root.log" >&2 && return 1; }
    rm -f "$root.log"
}

# take_over_configuration ROOT: apt mirrors' options, extra certificates and pip configuration of this machine, because a machine
# behind a mirror or a proxy cannot fetch anything without them.
take_over_configuration() {
    local root=$1 file
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    for file in /etc/apt/apt.conf.d/*; do
        # Options about fetching only; the rest names programs of this machine.
        if grep -qE '^Acquire' "$file" 2>/dev/null && ! grep -qE '^[[:space:]]*(DPkg|APT::Update)' "$file"; then
            cp "$file" "$root/etc/apt/apt.conf.d/"
        fi
    done
    [[ ! -d /etc/apt/auth.conf.d ]] || cp -r /etc/apt/auth.conf.d "$root/etc/apt/"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
    for file in /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
        [[ ! -f $file ]] || install -D "$file" "$root$([[ $file == /etc/* ]] && echo "$file" || echo "/root${file#"$HOME"}")"
    done
}

mount_kernel_interfaces() {
    local root=$1 device
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    ln -s /proc/self/fd "$root/dev/fd"
}

# remove_root ROOT: deleted only when nothing is mounted in it any more.
remove_root() {
    umount --recursive "$1/proc" "$1/sys" "$1/dev" 2>/dev/null || true
    [[ $2 == delete ]] || { say "the root is kept in $1" && return 0; }
    grep -q " $1/" /proc/mounts || rm -rf --one-file-system "$1"
}

# in_root ROOT COMMAND: in a fresh environment; pip's and the proxies' settings are those of this machine.
in_root() {
    local settings=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive)
    mapfile -t -O "${#settings[@]}" settings < <(env | grep -E '^(PIP_|https?_proxy=|HTTPS?_PROXY=|no_proxy=|NO_PROXY=)' | grep -v '^PIP_FIND_LINKS=')
    env -i "${settings[@]}" chroot "$1" /bin/bash -c "$2" </dev/null
}

timed() {
    local what=$1 begin=$SECONDS status=0
    shift
    "$@" || status=$?
    say "$what: $((SECONDS - begin)) s, exit code $status"
    ((status == 0)) || exit 1
}
