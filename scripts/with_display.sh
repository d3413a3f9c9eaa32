#!/usr/bin/env bash
# Runs a command with a display: the present one, else Xvfb with software OpenGL.
set -euo pipefail
if [ -n "${DISPLAY:-}" ] || [ "$(uname -s)" != Linux ]; then
  exec "$@"
fi
export LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb
exec xvfb-run --auto-servernum --server-args="-screen 0 1600x1000x24" "$@"
