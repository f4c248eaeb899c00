#!/usr/bin/env bash
# Runs dantaro with the installed settings, as the services' own user: `dantaroctl status`.
# deploy.sh puts it into each release as bin/dantaroctl; /usr/local/sbin/dantaroctl is the live one.
set -euo pipefail

release=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
root=${release%/opt/dantaro/releases/*}
settings="$root/etc/dantaro/dantaro.env" home="$root/var/lib/dantaro"
if [ ! -r "$settings" ]; then
    echo "dantaroctl: $settings cannot be read: run it as root (sudo dantaroctl ...)" >&2
    exit 2
fi

# The settings come from the file alone, as systemd gives them to the services, and by the environment:
# on a command line every user of the machine could read a password.
for name in "${!DANTARO_@}"; do
    case "$name" in DANTARO_TEST_*) ;; *) unset "$name" ;; esac
done
export DANTARO_HOME="$home" HOME="$home"
while IFS= read -r line || [ -n "$line" ]; do
    [[ "$line" =~ ^[[:space:]]*(DANTARO_[A-Z_]+)=(.*)$ ]] || continue
    name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    value=${value%"${value##*[![:space:]]}"}
    if [[ "$value" =~ ^\"(.*)\"$ || "$value" =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
    export "$name=$value"
done <"$settings"

umask 077
cd "$home"
if [ -z "$root" ] && [ "$(id -u)" -eq 0 ]; then
    exec runuser --user dantaro -- "$release/bin/dantaro" "$@"
fi
exec "$release/bin/dantaro" "$@"
