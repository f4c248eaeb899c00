#!/usr/bin/env bash
# Installs or updates Dantaro Central on this machine under systemd. Safe to run again at any time.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: deploy/deploy.sh [--root DIR] [--python PROGRAM] [--no-start]

Installs into /opt/dantaro, /etc/dantaro and /var/lib/dantaro, migrates the database, restarts
both services and waits until the API answers. Run it as root from a checkout; run it again to
update. What is there already (settings, data, API keys) is kept.

  --root DIR        install under DIR instead of /, touching neither users nor systemd: a rehearsal
  --python PROGRAM  the Python 3.11+ to build the environment with (default: python3)
  --no-start        install and migrate, but leave the services as they are
TEXT
}

root="" python="python3" start=yes
while [ $# -gt 0 ]; do
    case "$1" in
        --root) root=${2:?--root needs a folder}; shift 2 ;;
        --python) python=${2:?--python needs a program}; shift 2 ;;
        --no-start) start=no; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "deploy.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
    esac
done

say() { printf '==> %s\n' "$*"; }
fail() { printf 'deploy.sh: %s\n' "$*" >&2; exit 1; }

source_dir=$(cd "$(dirname "$0")/.." && pwd)
[ -f "$source_dir/requirements/runtime.txt" ] || fail "run it from a full checkout: requirements/runtime.txt is missing"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is not Python 3.11 or newer; install one and pass --python"
if [ -n "$root" ]; then
    mkdir -p "$root"
    root=$(cd "$root" && pwd)
elif [ "$(id -u)" -ne 0 ]; then
    fail "run it as root, or rehearse with --root DIR"
fi

prefix="$root/opt/dantaro" settings="$root/etc/dantaro/dantaro.env" home="$root/var/lib/dantaro"
units="$root/etc/systemd/system"

create_user() {
    [ -z "$root" ] || return 0
    id dantaro >/dev/null 2>&1 ||
        useradd --system --home-dir /var/lib/dantaro --shell /usr/sbin/nologin dantaro
}

# The new environment is built beside the old one and swapped in by one rename, so a failed
# install leaves the running version untouched.
install_program() {
    local version
    version="$prefix/releases/$(date -u +%Y%m%dT%H%M%SZ)-$$"
    mkdir -p "$prefix/releases" "$prefix/share"
    "$python" -m venv "$version"
    "$version/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$source_dir/requirements/runtime.txt"
    "$version/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation "$source_dir"
    install -m 0644 "$source_dir/README.md" "$prefix/share/README.md"
    ln -sfn "$version" "$prefix/venv.new"
    mv -T "$prefix/venv.new" "$prefix/venv"
    # Keep the newest three: this one and two to go back to.
    find "$prefix/releases" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n +4 |
        while read -r old; do rm -rf "$old"; done
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

# Runs a dantaro command with the installed settings, as the service's own user where there is one.
dantaro() {
    local environment=("DANTARO_HOME=$home")
    local line
    while IFS= read -r line; do
        [[ "$line" =~ ^DANTARO_[A-Z_]+= ]] && environment+=("$line")
    done <"$settings"
    if [ -z "$root" ]; then
        runuser --user dantaro -- env -C "$home" "${environment[@]}" "$prefix/venv/bin/dantaro" "$@"
    else
        env -C "$home" "${environment[@]}" "$prefix/venv/bin/dantaro" "$@"
    fi
}

install_units() {
    mkdir -p "$units"
    install -m 0644 "$source_dir"/deploy/systemd/*.service "$units/"
}

wait_until_served() {
    local port url
    port=$(sed -n 's/^DANTARO_PORT=//p' "$settings" | tail -n 1)
    url="http://127.0.0.1:${port:-8000}/health"
    for _ in $(seq 60); do
        if "$prefix/venv/bin/python" - "$url" <<'PYTHON' 2>/dev/null; then
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=2)
PYTHON
            say "serving: $url"
            return 0
        fi
        sleep 1
    done
    fail "the API did not answer at $url within 60 s; see: journalctl -u dantaro-api -n 50"
}

say "installing the program under $prefix"
create_user
install_program
install_settings
say "migrating the database"
dantaro migrate
install_units
if [ -n "$root" ]; then
    say "rehearsal done under $root; nothing was started"
elif [ "$start" = yes ]; then
    say "restarting the services"
    systemctl daemon-reload
    systemctl enable --quiet dantaro-worker dantaro-api
    systemctl restart dantaro-worker dantaro-api
    wait_until_served
    say "first key: runuser -u dantaro -- env DANTARO_HOME=$home $prefix/venv/bin/dantaro keys create --name NAME"
else
    systemctl daemon-reload
    say "installed; start it with: systemctl restart dantaro-worker dantaro-api"
fi
