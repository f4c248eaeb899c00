#!/usr/bin/env bash
# Installs, updates or rolls back Dantaro Central on this machine under systemd. Safe to run again.
set -euo pipefail
umask 022

usage() {
    cat <<'TEXT'
usage: deploy/deploy.sh [--root DIR] [--python PROGRAM] [--no-start]
       deploy/deploy.sh --rollback [--downgrade-schema] [--root DIR] [--no-start]

Installs into /opt/dantaro, /etc/dantaro and /var/lib/dantaro, migrates the database, restarts
both services and waits until the API answers. Run it as root from a checkout; run it again to
update. What is there already (settings, data, API keys) is kept.

Everything that can fail early (download, build, settings) is done while the running version goes on.
Then the services stop, the database is migrated, the new release is swapped in by one rename, and the
services start. If the migration fails, the running version is started again.

  --root DIR          install under DIR instead of /, touching neither users nor systemd, and say
                      what would be done with the services: a rehearsal
  --python PROGRAM    the Python 3.11+ to build the environment with (default: python3)
  --no-start          leave the services stopped at the end
  --rollback          go back to the release that ran before this one
  --downgrade-schema  with --rollback: also take the database back to that release's schema, which
                      loses what newer tables and columns hold
TEXT
}

root="" python="python3" start=yes rollback=no downgrade=no
while [ $# -gt 0 ]; do
    case "$1" in
        --root) root=${2:?--root needs a folder}; shift 2 ;;
        --python) python=${2:?--python needs a program}; shift 2 ;;
        --no-start) start=no; shift ;;
        --rollback) rollback=yes; shift ;;
        --downgrade-schema) downgrade=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "deploy.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
    esac
done

say() { printf '==> %s\n' "$*"; }
fail() { printf 'deploy.sh: %s\n' "$*" >&2; exit 1; }

source_dir=$(cd "$(dirname "$0")/.." && pwd)
[ -f "$source_dir/requirements/runtime.txt" ] || fail "run it from a full checkout: requirements/runtime.txt is missing"
[ "$downgrade" = no ] || [ "$rollback" = yes ] || fail "--downgrade-schema is for --rollback only"
if [ -n "$root" ]; then
    mkdir -p "$root"
    root=$(cd "$root" && pwd)
elif [ "$(id -u)" -ne 0 ]; then
    fail "run it as root, or rehearse with --root DIR"
fi

prefix="$root/opt/dantaro" settings="$root/etc/dantaro/dantaro.env" home="$root/var/lib/dantaro"
units="$root/etc/systemd/system" commands="$root/usr/local/sbin"
mkdir -p "$prefix/releases"
exec 9>"$prefix/.lock"
flock --nonblock 9 || fail "another deploy.sh is running"

# ---- services

# In a rehearsal it only says what it would do, so that the order can be seen.
services() {
    if [ -n "$root" ]; then
        say "would run: systemctl $*"
    else
        systemctl "$@"
    fi
}

stop_services() {
    [ -e "$units/dantaro-api.service" ] || return 0 # the first installation
    say "stopping the services"
    services stop dantaro-worker dantaro-api
}

start_services() {
    if [ "$start" = no ]; then
        say "done; start it with: systemctl start dantaro-worker dantaro-api"
        return 0
    fi
    say "starting the services"
    services enable --quiet dantaro-worker dantaro-api
    services restart dantaro-worker dantaro-api
    [ -n "$root" ] || wait_until_served
}

# What ran before is started again after a step that failed; a first installation has nothing to start.
restore_services() {
    [ -e "$prefix/venv" ] && [ "$start" = yes ] || return 0
    say "starting what ran before"
    services start dantaro-worker dantaro-api
}

wait_until_served() {
    local url
    url=$("$prefix/venv/bin/dantaroctl" config --json | "$prefix/venv/bin/python" -c '
import json, sys
value = {item["setting"]: item["value"] for item in json.load(sys.stdin)}
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(value["DANTARO_HOST"], value["DANTARO_HOST"])
print("http://{}:{}/health".format(f"[{host}]" if ":" in host else host, value["DANTARO_PORT"]))')
    for _ in $(seq 60); do
        if "$prefix/venv/bin/python" -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=2)' \
            "$url" 2>/dev/null; then
            require_worker
            say "serving: $url"
            return 0
        fi
        sleep 1
    done
    not_well "no answer from $url within 60 s" dantaro-api
}

# A worker that refuses its settings ends within seconds and is started again and again.
require_worker() {
    sleep 4
    if [ "$(systemctl show --property=NRestarts --value dantaro-worker)" != 0 ] ||
        ! systemctl --quiet is-active dantaro-worker; then
        not_well "the worker does not stay up" dantaro-worker
    fi
}

not_well() {
    journalctl --unit="$2" --lines=5 --no-pager --output=cat >&2 || true
    fail "$1; its last lines are above, more with: journalctl -u $2
To go back to what ran before: deploy/deploy.sh --rollback"
}

# ---- releases

live_release() { if [ -e "$prefix/venv" ]; then basename "$(readlink -f "$prefix/venv")"; fi; }

schema_of() { "$1/bin/python" -c 'from dantaro.storage.schema import REVISION; print(REVISION)'; }

# One rename: at any moment there is a whole release under $prefix/venv, the old or the new.
swap_in() {
    ln -sfn "$1" "$prefix/venv.new"
    mv -T "$prefix/venv.new" "$prefix/venv"
    mkdir -p "$units" "$commands"
    install -m 0644 "$1"/share/dantaro/*.service "$units/"
    ln -sfn "$prefix/venv/bin/dantaroctl" "$commands/dantaroctl"
    services daemon-reload
}

create_user() {
    [ -z "$root" ] || return 0
    id dantaro >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir /var/lib/dantaro --shell /usr/sbin/nologin dantaro
}

check_python() {
    local found
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "$python is not Python 3.11 or newer; install one and pass --python"
    found=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
    case "$found" in
        /root/* | /home/* | /run/user/*)
            [ -n "$root" ] || fail "$found is in a home folder, which the services cannot see (ProtectHome=yes); pass --python one that is not"
            say "note: $found is in a home folder; a real installation would refuse it" ;;
    esac
}

# $release is removed again unless it becomes complete. A release that was killed half-built has no
# .complete file and goes at the next run.
build_release() {
    release="$prefix/releases/$(date -u +%Y%m%dT%H%M%S.%3NZ)"
    trap 'rm -rf "$release"' EXIT
    "$python" -m venv "$release"
    "$release/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$source_dir/requirements/runtime.txt"
    "$release/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation "$source_dir"
    mkdir -p "$release/share/dantaro"
    install -m 0644 "$source_dir/README.md" "$source_dir/docs/operations.md" \
        "$source_dir"/deploy/systemd/*.service "$release/share/dantaro/"
    install -m 0755 "$source_dir/deploy/dantaroctl.sh" "$release/bin/dantaroctl"
    live_release >"$release/.previous"
    "$release/bin/dantaro" --version >"$release/.complete"
}

install_settings() {
    mkdir -p "$(dirname "$settings")" "$home"
    if [ ! -e "$settings" ]; then
        install -m 0640 "$source_dir/deploy/.env.production.example" "$settings"
        say "wrote $settings: read it and set the database and the exchanges"
    fi
    if [ -z "$root" ]; then
        chown root:dantaro "$settings"
        chown dantaro:dantaro "$home"
    fi
    chmod 0750 "$home"
}

# Kept: the live release, the one before it, and the newest three.
prune_releases() {
    local kept=0 name live previous
    live=$(live_release)
    previous=$(cat "$prefix/venv/.previous")
    while read -r name; do
        if [ -e "$prefix/releases/$name/.complete" ]; then
            kept=$((kept + 1))
            [ "$kept" -gt 3 ] || continue
            [ "$name" != "$live" ] && [ "$name" != "$previous" ] || continue
        fi
        rm -rf "$prefix/releases/${name:?}"
    done < <(find "$prefix/releases" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -r)
}

deploy() {
    check_python
    create_user
    say "building a release under $prefix"
    build_release
    install_settings
    say "checking the settings"
    "$release/bin/dantaroctl" config --json >/dev/null || fail "nothing was changed: mend $settings and run it again"
    stop_services
    say "migrating the database"
    if ! "$release/bin/dantaroctl" migrate; then
        restore_services
        fail "the migration failed: schema and release are as they were"
    fi
    trap - EXIT
    swap_in "$release"
    prune_releases
    start_services
}

roll_back() {
    local current previous ours theirs
    current=$(live_release)
    [ -n "$current" ] || fail "nothing is installed under $prefix"
    previous=$(cat "$prefix/venv/.previous")
    [ -n "$previous" ] && [ -e "$prefix/releases/$previous/.complete" ] ||
        fail "there is no release before $current to go back to"
    ours=$(schema_of "$prefix/releases/$current")
    theirs=$(schema_of "$prefix/releases/$previous")
    if [ "$ours" != "$theirs" ] && [ "$downgrade" = no ]; then
        fail "the release before has schema $theirs, this one $ours: make a backup (docs/operations.md), then add --downgrade-schema"
    fi
    say "going back from $current to $previous"
    stop_services
    if [ "$ours" != "$theirs" ] && ! "$prefix/releases/$current/bin/dantaroctl" migrate --to "$theirs"; then
        restore_services
        fail "the schema could not be taken back; the release was not changed"
    fi
    swap_in "$prefix/releases/$previous"
    start_services
}

if [ "$rollback" = yes ]; then roll_back; else deploy; fi
if [ -n "$root" ]; then
    say "rehearsal done under $root; nothing was started"
elif [ "$start" = yes ] && [ "$rollback" = no ]; then
    say "make a key with: dantaroctl keys create --name NAME"
fi
