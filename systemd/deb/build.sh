#!/bin/bash
# Builds dogid_VERSION+deb13_ARCH.deb:  build.sh OUTPUT_FOLDER [amd64|arm64] [bookworm|trixie]
#
# The package contains its Python dependencies, as wheels unpacked into /opt/dogid/venv, and uses the system's Python.
# Wheels for another processor or Python are only unpacked, never run, so that one machine can build all packages.
# Without a processor and a release, it is built for this machine's.
# PYTHON: a Python with pip (default: python3). DEB_COMPRESS: the compression of dpkg-deb.
# DEBFULLNAME, DEBEMAIL: the maintainer of the package. DEB_VERSION: its version.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
clone=$(cd "$here/../.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
arch=${2:-$(dpkg --print-architecture)}
python=${PYTHON:-python3}
# os-release of the machine: Raspberry Pi OS has Debian's code names
release=${3:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
# the release's Python and glibc; the suffix has a newer release's package replace an older one's in an upgrade
case $release in
  bookworm) target=3.11 glibc=2.36 suffix=+deb12 ;;
  trixie) target=3.13 glibc=2.41 suffix=+deb13 ;;
  *)
    if [ -n "${3:-}" ]; then echo "build.sh: $release: not supported; use bookworm or trixie" >&2; exit 2; fi
    target=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2) suffix=+py$target release=unstable
    ;;
esac
case $arch in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *) echo "build.sh: $arch: not supported; use amd64 or arm64 (litert has no wheels for others)" >&2; exit 2 ;;
esac

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$clone/daemon/dogid/__init__.py")
version=${DEB_VERSION:-$version$suffix}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$clone" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# the project has no mail address; example.org is reserved (RFC 2606)
maintainer="${DEBFULLNAME:-The dogid developers} <${DEBEMAIL:-dogid@example.org}>"

work=$(mktemp -d "${TMPDIR:-/tmp}/dogid-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
venv=$root/opt/dogid/venv
site=$venv/lib/python$target/site-packages
mkdir -p "$root" "$site" "$venv/bin"
umask 022

echo "collecting wheels for Python $target on $machine ..."
pip=("$python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" wheel --no-deps --wheel-dir "$work" "$clone"
# wheels for the release's glibc and all earlier versions
platforms=(--platform "manylinux2014_$machine")
for minor in $(seq 5 "${glibc#2.}"); do platforms+=(--platform "manylinux_2_${minor}_$machine"); done
"${pip[@]}" install --target "$site" --no-compile --no-warn-conflicts --only-binary :all: "${platforms[@]}" \
  --implementation cp --python-version "$target" "$work"/dogid-*.whl

# pip unpacks for another layout than a virtual environment's: move what is not a package
mv "$site/share" "$venv/share"
rm -rf "$site/bin" "$site"/numpy/*/tests "$site"/numpy/tests
find "$site" -name '*.pyc' -delete
find "$site" -type f -exec chmod 644 {} +  # libraries and modules are loaded, not executed
# pip's notes on the installation contain paths of this machine
find "$site" \( -name direct_url.json -o -name REQUESTED \) -delete

# the virtual environment itself, in the layout of `python3 -m venv`
ln -s /usr/bin/python3 "$venv/bin/python3"
ln -s python3 "$venv/bin/python"
cat >"$venv/pyvenv.cfg" <<CFG
home = /usr/bin
include-system-site-packages = false
version = $target
CFG
install -m 755 /dev/stdin "$venv/bin/dogid" <<'SCRIPT'
#!/opt/dogid/venv/bin/python
import sys

from dogid.cli import main

sys.exit(main())
SCRIPT

echo "copying files ..."
install -D -m 755 "$here/dogid.sh" "$root/usr/bin/dogid"
for unit in dogid.service dogid@.service; do install -D -m 644 "$clone/systemd/$unit" "$root/usr/lib/systemd/system/$unit"; done
install -D -m 644 "$clone/systemd/sysusers.conf" "$root/usr/lib/sysusers.d/dogid.conf"
install -D -m 644 "$clone/systemd/tmpfiles.conf" "$root/usr/lib/tmpfiles.d/dogid.conf"
for example in lan.conf outputs.conf upload.conf grafana/dogid.json grafana/prometheus.yml; do
  install -D -m 644 "$clone/systemd/$example" "$root/usr/share/doc/dogid/examples/$example"
done
install -D -m 644 "$here/copyright" "$root/usr/share/doc/dogid/copyright"
install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/dogid"
mkdir -p "$root/etc/dogid"
PYTHONPATH=$clone/daemon "$python" -c '
from dogid.settings_example import make_example
print(make_example({"inbox": "/var/lib/dogid/inbox", "state": "/var/lib/dogid"}), end="")
' >"$root/etc/dogid/dogid.toml"
date=$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")
gzip -9n >"$root/usr/share/doc/dogid/changelog.gz" <<CHANGES
dogid ($version) $release; urgency=medium

  * See CHANGELOG.md of the project.

 -- $maintainer  $date
CHANGES
for page in README.md daemon/{API,ARCHIVES,COMMANDS,LEARNING,OUTPUTS,SETTINGS}.md {convert,models,systemd}/README.md; do
  mkdir -p "$root/usr/share/doc/dogid/$(dirname "$page")"
  gzip -9n <"$clone/$page" >"$root/usr/share/doc/dogid/$page.gz"
done
mkdir -p "$root/usr/share/man/man1"
gzip -9n <"$clone/daemon/dogid.1" >"$root/usr/share/man/man1/dogid.1.gz"
complete() { PYTHONPATH=$site "$python" -B -m dogid completion "$1" | install -D -m 644 /dev/stdin "$root/usr/share/$2"; }
complete bash bash-completion/completions/dogid
complete zsh zsh/vendor-completions/_dogid
complete fish fish/vendor_completions.d/dogid.fish

mkdir "$root/DEBIAN"
size=$(du --summarize --block-size=1024 --apparent-size "$root" | cut -f1)
next=${target%.*}.$((${target#*.} + 1))
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/; s/@PYTHON@/$target/; s/@NEXT@/$next/; s/@GLIBC@/$glibc/; s/@MAINTAINER@/$maintainer/" \
  "$here/control.in" >"$root/DEBIAN/control"
echo /etc/dogid/dogid.toml >"$root/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do install -m 755 "$here/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
  >"$root/DEBIAN/md5sums"
chmod -R u+rwX,go+rX,go-w "$root"
find "$root" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +

echo "packing ..."
dpkg-deb --root-owner-group -Z"${DEB_COMPRESS:-xz}" --build "$root" "$out/dogid_${version}_$arch.deb" >/dev/null
echo "$out/dogid_${version}_$arch.deb"
