#!/usr/bin/env bash
# Builds the bashes that Debian 12 does not have, from Debian's own sources, and prints their paths, one a line.
#
#   .ci/bashes.sh FOLDER      sources, package lists and binaries go there; what is already built is kept
#
# A version that cannot be downloaded is named on stderr and left out; one that cannot be built is a failure.
set -euo pipefail

folder=$(mkdir -p "${1:?usage: bashes.sh FOLDER}" && cd "$1" && pwd)
# The oldest and the newest bash that Lusush promises to work in, as suite and version; the machine has 5.2.
wanted=(bullseye=5.1-2+deb11u1 forky=5.3-4)

say() { printf 'bashes: %s\n' "$*" >&2; }

# The mirror this machine already uses.
mirror() {
    # Either file form may be missing.
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
        sed -nE 's/^(URIs:|deb(-src)?( +\[[^]]*\])?)[[:space:]]+([^[:space:]]+).*/\4/p' |
        grep -E -m 1 '/debian/?$'
}

# Fetches the source package of a version of bash into the current folder.
download() {
    local suite=$1 version=$2 uri apt
    uri=$(mirror) || { say "no Debian mirror is configured on this machine"; return 1; }
    mkdir -p lists/partial
    printf 'deb-src [signed-by=%s] %s %s main\n' \
        /usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$suite" >sources.list
    apt=(-o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$PWD/lists"
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    apt-get "${apt[@]}" update >&2 && {
        apt-get "${apt[@]}" source --download-only "bash=$version" >&2 ||
            { say "$version is no longer in $suite: taking what is"; apt-get "${apt[@]}" source --download-only bash >&2; }
    }
}

build() {
    dpkg-source --no-check -x ./*.dsc source >&2
    # gnu17: these sources predate what newer compilers take for granted.
    (cd source && ./configure --disable-nls CFLAGS='-O2 -std=gnu17 -w' && make -j"$(nproc)") >build.log 2>&1 ||
        { tail -n 40 build.log >&2; say "the build in $PWD fails"; return 1; }
}

for entry in "${wanted[@]}"; do
    suite=${entry%%=*} version=${entry#*=}
    mkdir -p "$folder/$version"
    cd "$folder/$version"
    if [[ ! -x source/bash ]]; then
        rm -rf -- source ./*.dsc
        if ! download "$suite" "$version"; then
            say "bash $version CANNOT BE DOWNLOADED: nothing is tested in it"
            continue
        fi
        build
    fi
    say "$version: $(source/bash --norc -c 'echo $BASH_VERSION')"
    printf '%s\n' "$PWD/source/bash"
done
