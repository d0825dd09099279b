#!/usr/bin/env bash
# Builds the Debian package of bin/berth into bin and checks what is in it. Called
# by `make deb`, with $VERSION and $GO set.
set -euo pipefail
cd "$(dirname "$0")"
bin=../../bin
# A version that dpkg takes (deb-version(7)): v1.2.3-4-gabc becomes 1.2.3+4.gabc,
# and a mere commit sorts before any release.
DEB_VERSION=$(sed -E 's/^v//; /^[0-9]+\./!s/^/0.0.0+git./; s/-/+/; s/-/./g' <<<"$VERSION")
DEB_ARCH=$($GO env GOARCH)
export DEB_VERSION DEB_ARCH
deb=$bin/berth_${DEB_VERSION}_$DEB_ARCH.deb

mkdir -p $bin/deb
$bin/berth completion bash >$bin/deb/berth.bash
$bin/berth completion zsh >$bin/deb/_berth
$bin/berth completion fish >$bin/deb/berth.fish
$bin/berth man | gzip -9n >$bin/deb/berth.1.gz
rm -f $bin/berth_*.deb
$GO tool nfpm package --config nfpm.yaml --packager deb --target "$deb" >/dev/null

# What is in it, but for the folders on the way.
dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's/^\.\?\/*/\//' |
  grep -E '[^/]$|/plugins/$' | sort | diff contents.txt - ||
  { echo "the package holds something else than internal/packaging/contents.txt says (above: <)" >&2; exit 1; }
[[ $(dpkg-deb --field "$deb" Version) == "$DEB_VERSION" ]]
dpkg-deb --fsys-tarfile "$deb" | tar -tv | awk '$2 != "root/root" {print "not owned by root: " $0; bad = 1} END {exit bad}'
echo "${deb#../../}"
