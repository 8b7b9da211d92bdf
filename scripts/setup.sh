#!/usr/bin/env bash
# Everything a fresh Debian 12+ or Ubuntu 22.04+ machine lacks: Debian packages, the virtual environment .venv, the project,
# the virtual radio.
# Does only what is missing, so a second call is instant. Used by `make setup`, `make demo`, `make test`, `make grc`.
#
# The environment variable TORCH chooses another PyTorch than the tested CPU build, in words for `pip install`:
#   TORCH="torch"                                                             PyPI's newest; on x86 CUDA, several GB
#   TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"  the tested version for CUDA 13.0
# The choice is remembered; TORCH=cpu goes back.
# DOCS=1 also installs what `make docs` builds the site with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SYSTEM_PYTHON=/usr/bin/python3  # the one GNU Radio's packages are built for, not whatever `python3` is first on PATH
VENV=.venv
STATE=$VENV/gr-jscc-setup       # what this script remembers
LOG=$STATE/pip.log
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu

unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1

PACKAGES=(
  gnuradio python3-venv
  python3-soapysdr soapysdr-tools         # radios
  libsoapysdr-dev cmake make g++          # the virtual radio
  python3-pyqt5 python3-pyqt5.qtsvg       # windows of flowgraphs
  gir1.2-gtk-3.0 python3-gi-cairo xterm   # GNU Radio Companion; with xterm here, apt does not add gnome-terminal
  xvfb xauth x11-utils fonts-dejavu-core  # windows without a display: tests, screenshots
)

say() { printf '==> %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# ---------------------------------------------------------------------------------------------- Debian packages

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${binary:Package} ${db:Status-Status}\n' "${PACKAGES[@]}" 2>/dev/null \
              | sed -n 's/^\([^ :]*\)\(:[^ ]*\)\{0,1\} installed$/\1/p' || true)
  for package in "${PACKAGES[@]}"; do
    grep -qxF "$package" <<<"$installed" && continue
    # A GNU Radio built from source is as good, if the system's Python finds it.
    [[ $package == gnuradio ]] && "$SYSTEM_PYTHON" -c 'import gnuradio.gr' 2>/dev/null && continue
    echo "$package"
  done
}

install_packages() {
  local missing=("$@") as_root=() unknown=()
  local by_hand="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || die "apt-get not found; install with your system's package manager: ${missing[*]}"
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "Debian packages are missing and there is no sudo. As root, run: $by_hand"
    say "Debian packages are missing (sudo may ask for your password): ${missing[*]}"
    sudo -v || die "sudo was refused. Ask an administrator to run: $by_hand"
    as_root=(sudo)
  else
    say "Installing Debian packages: ${missing[*]}"
  fi
  # stderr stays visible: errors of apt, and debconf's harmless remark where apt-utils is missing
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq
             -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
  "${apt[@]}" update || say "apt-get update had problems; trying with the existing package lists"
  for package in "${missing[@]}"; do
    apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || unknown+=("$package")
  done
  [[ ${#unknown[@]} -eq 0 ]] ||
    die "apt does not know: ${unknown[*]} (Debian 12+ or Ubuntu 22.04+ with 'universe' needed; is the network up?)"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install the packages; fix the errors above and try again. By hand: $by_hand"
}

# ------------------------------------------------------------------------------------------ virtual environment

# The system's GNU Radio, not one that conda or the like put on PATH.
gnuradio_version() { PATH=/usr/local/bin:/usr/bin gnuradio-config-info --version 2>/dev/null || echo unknown; }

# GNU Radio before 3.10.12 was built for numpy 1 and fails to import with numpy 2.
numpy_bound() {
  local version=$1
  if [[ $version == unknown ]] || ! [[ $(printf '%s\n' 3.10.12 "$version" | sort -V | head -n1) == 3.10.12 ]]; then
    echo 'numpy>=1.26.4,<2'
  else
    echo 'numpy>=1.26.4'
  fi
}

# The tested versions, with numpy's line dropped where GNU Radio wants another numpy, and torch's where the user does.
write_constraints() {
  local bound=$1 torch=$2 drop=()
  [[ $bound == *'<2'* ]] || drop+=(-e '/^numpy==/d')
  [[ $torch == cpu ]] || drop+=(-e '/^torch==/d')
  { sed -e '' "${drop[@]}" constraints.txt; echo "$bound"; } > "$STATE/constraints.txt"
}

pip_failed() { grep -E '^ *(ERROR|error):' "$LOG" | tail -n 3 >&2; die "$1; is the network up? Full log: $LOG"; }

# pip with one line a package, everything in $LOG.
pip_install() {
  echo "--- pip install $*" >> "$LOG"
  "$VENV/bin/python" -m pip install --progress-bar off "$@" 2>&1 | tee -a "$LOG" |
    sed -u -n -e 's/^ *Downloading \(.*whl.*\|.*tar.gz.*\)$/    \1/p' -e 's/^\(Installing\) collected packages.*/    installing…/p'
}

install_torch() {
  local torch=$1 pinned installed words
  pinned=$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' constraints.txt)
  installed=$("$VENV/bin/python" -c 'import torch; print(torch.__version__)' 2>/dev/null || true)
  if [[ $torch == cpu ]]; then
    [[ torch==$installed != "$pinned+cpu" ]] || return 0
    say "Installing PyTorch ${pinned#torch==}, CPU build (about 190 MB)"
    # PyPI's build for x86 brings gigabytes of CUDA; the CPU build has its own index.
    pip_install -c "$STATE/constraints.txt" "$pinned+cpu" ||
      pip_install -c "$STATE/constraints.txt" "$pinned+cpu" --extra-index-url "$TORCH_CPU_INDEX" ||
      { say "No CPU build of PyTorch found; installing PyPI's (several GB on x86)"
        pip_install -c "$STATE/constraints.txt" "$pinned"; } ||
      pip_failed "pip could not install PyTorch"
  else
    [[ -z $installed || $(cat "$STATE/torch" 2>/dev/null) != "$torch" ]] || return 0
    say "Installing PyTorch as requested: $torch"
    rm -f "$STATE/torch"
    "$VENV/bin/python" -m pip uninstall -q -y torch >/dev/null 2>&1 || true
    read -ra words <<<"$torch"
    pip_install -c "$STATE/constraints.txt" "${words[@]}" || pip_failed "pip could not install '$torch'"
  fi
}

# The folders in which the system's Python finds gnuradio, SoapySDR and PyQt5.
system_folders() {
  "$SYSTEM_PYTHON" - <<'PYTHON'
import importlib.util
import os

folders = []
for name in ("gnuradio", "pmt", "SoapySDR", "PyQt5"):
    spec = importlib.util.find_spec(name)
    if spec and spec.origin or spec and spec.submodule_search_locations:
        at = os.path.dirname(spec.origin) if spec.origin else list(spec.submodule_search_locations)[0]
        folders.append(os.path.dirname(at) if spec.submodule_search_locations else at)
print("\n".join(dict.fromkeys(folders + ["/usr/lib/python3/dist-packages"])))
PYTHON
}

build_venv() {
  local torch=$1 bound=$2
  # A new Python after an upgrade of the system finds nothing of the old environment, not even pip.
  if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    say "Creating the virtual environment $VENV"
    rm -rf "$VENV"
    "$SYSTEM_PYTHON" -m venv "$VENV" || die "$SYSTEM_PYTHON -m venv failed; is python3-venv installed?"
  fi
  mkdir -p "$STATE"
  rm -f "$STATE/stamp"
  : > "$LOG"
  hide_system_packages

  write_constraints "$bound" "$torch"
  say "Installing with $bound (GNU Radio $(gnuradio_version))"
  pip_install -c "$STATE/constraints.txt" --upgrade pip || pip_failed "pip could not update itself"
  install_torch "$torch"
  say "Installing gr-jscc and its dependencies (about 200 MB)"
  pip_install -c "$STATE/constraints.txt" -e '.[test,train,lint]' || pip_failed "pip could not install gr-jscc"
  show_system_packages
}

site_packages() { "$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

# Out of pip's sight while it works, or it would take Debian's older packages for installed.
hide_system_packages() { rm -f "$(site_packages)/system-gnuradio.pth"; }

# The environment's own packages come first, then the system's: GNU Radio, SoapySDR, Qt.
show_system_packages() { system_folders > "$(site_packages)/system-gnuradio.pth"; }

install_docs() {
  ! "$VENV/bin/python" -c 'import material, mkdocstrings_handlers.python' 2>/dev/null || return 0
  say "Installing the tools that build the site (about 20 MB)"
  hide_system_packages
  pip_install -c "$STATE/constraints.txt" -e '.[docs]' || { show_system_packages; pip_failed "pip could not install mkdocs"; }
  show_system_packages
}

# --------------------------------------------------------------------------------------------------------- all

[[ $(uname -s) == Linux ]] || die "GNU Radio is set up for Debian and Ubuntu only; this is $(uname -s)"
command -v dpkg-query >/dev/null || die "not a Debian-like system; install GNU Radio ≥ 3.10 and python3-venv yourself, then: pip install -e ."

exec 9<scripts/setup.sh  # one at a time: `make demo` and `make test` may be started together
flock -n 9 || { say "Another set-up of this folder is running; waiting for it"; flock 9; }

mapfile -t MISSING < <(missing_packages)
[[ ${#MISSING[@]} -eq 0 ]] || install_packages "${MISSING[@]}"

"$SYSTEM_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  die "Python 3.10 or later is needed (Debian 12, Ubuntu 22.04); $SYSTEM_PYTHON is $("$SYSTEM_PYTHON" -V)"

CHOICE=${TORCH:-$(cat "$STATE/torch" 2>/dev/null || echo cpu)}
GNURADIO=$(gnuradio_version)
STAMP=$({ cat pyproject.toml setup.py constraints.txt scripts/setup.sh
          git describe --tags --abbrev=0 2>/dev/null || true  # the version
          echo "$CHOICE $GNURADIO $PWD"; readlink -f "$SYSTEM_PYTHON"; } | sha256sum)

if [[ $(cat "$STATE/stamp" 2>/dev/null) != "$STAMP" ]] || ! [[ -x $VENV/bin/python && -x $VENV/bin/gr-jscc ]]; then
  build_venv "$CHOICE" "$(numpy_bound "$GNURADIO")"
  "$VENV/bin/python" -c 'import numpy, torch, pmt; from gnuradio import gr' >> "$LOG" 2>&1 ||
    { tail -n 3 "$LOG" >&2; die "GNU Radio does not import in $VENV; '$VENV/bin/gr-jscc doctor' says why"; }
  echo "$CHOICE" > "$STATE/torch"
  echo "$STAMP" > "$STATE/stamp"
  say "Ready: $VENV/bin/gr-jscc"
fi

[[ -z ${DOCS:-} ]] || install_docs

"$VENV/bin/gr-jscc" virtual-radio build --quiet || say "Continuing without the virtual radio (driver=jscc); '$VENV/bin/gr-jscc doctor' says what is missing"
