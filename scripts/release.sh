#!/usr/bin/env bash
# Builds what is released into dist/: wheel, sdist, the documentation and their checksums. The same commit gives the same bytes.
# Called by `make release`, which has set up .venv with the tools.
#
# The version is that of the tag on this commit (v0.1.0); without one it is that of a development version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-$PWD/.venv/bin/python}
die() { printf 'release: %s\n' "$*" >&2; exit 1; }

[[ -z $(git status --porcelain) ]] || die "there are changes that are not committed: git status"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 TZ=UTC LC_ALL=C.UTF-8
umask 022

# A fresh copy of the commit: no file of this folder, and no mode or time of one, can slip in.
COPY=$(mktemp -d)
trap 'rm -rf "$COPY"' EXIT
git clone -q . "$COPY/gr-jscc"
cd "$COPY/gr-jscc"
VERSION=$("$PYTHON" -m setuptools_scm)
if TAG=$(git describe --tags --exact-match --match 'v*' 2>/dev/null); then
  [[ v$VERSION == "$TAG" ]] || die "the tag is $TAG, but the version $VERSION"
  grep -qx "version: $VERSION" CITATION.cff || die "CITATION.cff has another version than $VERSION"
  grep -q "^## $VERSION\b" CHANGELOG.md || die "CHANGELOG.md has no section '## $VERSION'"
fi
"$PYTHON" -m build --no-isolation --outdir out . >"$COPY/log" 2>&1 || { tail -n 5 "$COPY/log" >&2; die "the build failed"; }
# setuptools keeps the times of files it makes in the sdist: all become the commit's.
SDIST=$(basename out/*.tar.gz .tar.gz)
mkdir "$COPY/sdist"
tar -xzf "out/$SDIST.tar.gz" -C "$COPY/sdist"
pack() { tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$1" -cf - "$2" | gzip -9n >"$3"; }
pack "$COPY/sdist" "$SDIST" "out/$SDIST.tar.gz"
NO_MKDOCS_2_WARNING=1 "$PYTHON" -m mkdocs build --quiet --site-dir "$COPY/gr-jscc-docs-$VERSION" >"$COPY/log" 2>&1 ||
  { tail -n 5 "$COPY/log" >&2; die "the documentation failed"; }
pack "$COPY" "gr-jscc-docs-$VERSION" "out/gr-jscc-docs-$VERSION.tar.gz"
(cd out && sha256sum -- * >SHA256SUMS)

cd - >/dev/null
rm -rf dist
mv "$COPY/gr-jscc/out" dist
echo "version $VERSION:"
cat dist/SHA256SUMS
