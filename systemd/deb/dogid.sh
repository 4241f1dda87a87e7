#!/bin/sh
# dogid with the service's settings, unless others are named.
export DOGID_CONFIG="${DOGID_CONFIG-/etc/dogid/dogid.toml}"
exec /opt/dogid/venv/bin/dogid "$@"
