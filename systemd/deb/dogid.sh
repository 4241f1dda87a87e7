#!/bin/sh
# dogid with the service's settings, unless DOGID_CONFIG names others.
export DOGID_CONFIG="${DOGID_CONFIG-/etc/dogid/dogid.toml}"
exec /opt/dogid/venv/bin/dogid "$@"
