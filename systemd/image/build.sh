#!/bin/bash
# Builds dogid_VERSION_ARCH.oci.tar, a container image, without a container engine:  build.sh OUTPUT_FOLDER [amd64|arm64]
#
# The image has Debian 13's Python and what is in the Debian package; no shell, and nothing that installs.
# Needs root, mmdebstrap, umoci and dpkg-deb. PYTHON: a Python with pip (default: python3). PACKAGE: a package for Debian
# 13 and this processor that has been built already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
arch=${2:-$(dpkg --print-architecture)}
missing=()
for tool in mmdebstrap umoci dpkg-deb; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "${missing[*]}: missing. Install what is missing: sudo apt install mmdebstrap umoci dpkg" >&2; exit 2
fi
if [ "$(id -u)" != 0 ]; then echo "The files in the image belong to root, and so must this: sudo make image" >&2; exit 2; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/dogid-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022

package=${PACKAGE:-}
[ -n "$package" ] || package=$(DEB_COMPRESS=none "$here/../deb/build.sh" "$work" "$arch" trixie | tee /dev/stderr | tail -n 1)
version=$(dpkg-deb --field "$package" Version)
version=${version%+deb13}  # there is one image for all systems, and no + in an image's name

echo "collecting Debian's Python ..."
# only what is unpacked: there is no shell in the image that could run a package's scripts
mmdebstrap --quiet --variant=extract --architectures="$arch" --include=base-files,python3,libstdc++6,libgcc-s1,ca-certificates,tzdata \
  --dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/locale/*' \
  --dpkgopt=path-exclude='/usr/share/man/*' trixie "$root" >&2
dpkg-deb --extract "$package" "$root"
rm -rf "$root"/var/lib/apt "$root"/var/cache/* "$root"/usr/bin/dogid "$root"/usr/lib/systemd "$root"/boot "$root"/dev/*
# what Debian's scripts would have made: the certificates in one file, and users
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
printf '%s\n' root:x:0:0:root:/root:/nonexistent dogid:x:10001:10001::/var/lib/dogid:/nonexistent >"$root/etc/passwd"
printf '%s\n' root:x:0: dogid:x:10001: >"$root/etc/group"
install -d -o 10001 -g 10001 -m 750 "$root/var/lib/dogid" "$root/var/lib/dogid/inbox"
install -d -m 1777 "$root/tmp"
# a container that is read-only cannot keep byte code; another processor's Python does not run here
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
  chroot "$root" /usr/bin/python3 -m compileall -q /opt/dogid/venv/lib /usr/lib/python3.13
fi

echo "packing ..."
image=$work/layout:$version
umoci init --layout "$work/layout"
umoci new --image "$image"
umoci insert --image "$image" "$root" /
umoci config --image "$image" --architecture "$arch" --os linux --config.user 10001:10001 \
  --config.env PATH=/opt/dogid/venv/bin:/usr/bin --config.env DOGID_CONFIG=/etc/dogid/dogid.toml --config.env LANG=C.UTF-8 \
  --config.entrypoint dogid --config.cmd run --config.workingdir /var/lib/dogid --config.volume /var/lib/dogid \
  --config.stopsignal SIGTERM --config.exposedports 8000/tcp --config.label "org.opencontainers.image.version=$version" \
  --config.label org.opencontainers.image.licenses=Apache-2.0 --config.label org.opencontainers.image.title=dogid
umoci gc --layout "$work/layout"
# the name that engines give it when they load it; umoci itself knows names of one word only
sed -i "s|\"org.opencontainers.image.ref.name\":\"$version\"|\"org.opencontainers.image.ref.name\":\"localhost/dogid:$version\"|" \
  "$work/layout/index.json"
tar --create --file "$out/dogid_${version}_$arch.oci.tar" --directory "$work/layout" .
echo "$out/dogid_${version}_$arch.oci.tar"
