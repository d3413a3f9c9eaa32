#!/usr/bin/env bash
# Makes .venv and looks for the system libraries that a napari window needs.
#   scripts/setup.sh                 both
#   scripts/setup.sh --system-only   only the libraries (fast when they are there)
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(xvfb xauth libgl1 libegl1 libopengl0 libgl1-mesa-dri libglib2.0-0 libdbus-1-3 libfontconfig1
  libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
  libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core)

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    # Newer Debian and Ubuntu call some of them NAMEt64; dpkg-query fails where it knows only one of the two.
    { dpkg-query -W -f='${Status}\n' "$name" "${name}t64" 2>/dev/null || true; } |
      grep -c "install ok installed" >/dev/null || echo "$name"
  done
}

system_libraries() {
  [ "$(uname -s)" = Linux ] || return 0
  if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is no Debian; a napari window needs OpenGL, EGL, the xcb libraries of Qt 6 and, without a display, Xvfb" >&2
    return 0
  fi
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  if [ "$(id -u)" = 0 ]; then
    echo "setup: installing system libraries: $missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  else
    echo "setup: these system libraries are missing; install them with" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
    exit 1
  fi
}

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3 python; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  echo "setup: needs Python 3.11 or newer; install it first (on Debian: apt-get install python3 python3-venv)" >&2
  exit 1
}

python_packages() {
  local wanted='.[all,test,docs]' python
  python=$(find_python)
  if ! command -v uv >/dev/null; then
    "$python" -m pip install --quiet --user uv 2>/dev/null || "$python" -m pip install --quiet uv 2>/dev/null || true
    PATH="$("$python" -c 'import site; print(site.USER_BASE)')/bin:$PATH"
  fi
  if command -v uv >/dev/null; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
    uv pip install --quiet --python .venv/bin/python --constraint constraints.txt --editable "$wanted"
  else
    [ -x .venv/bin/pip ] || "$python" -m venv .venv
    .venv/bin/pip install --quiet --constraint constraints.txt --editable "$wanted"
  fi
  touch .venv/.ready
}

system_libraries
[ "${1:-}" = --system-only ] || python_packages
