#!/usr/bin/env bash
# The full-size benchmarks of docs/performance.md, one JSON each, on a machine that does nothing else.
#
#   benchmarks/full.sh DIR [NAME...]      NAME of P1 P2 P3 P6 P7 P9 P10 kill peers; all by default
#
# DIR keeps the slides (about 3 GB). LARGE=slide adds a slide of its own to P6; LAZYSLIDE and TIATOOLBOX are the
# Pythons of the peers' virtual environments. Minutes on two cores with bfloat16, slides drawn anew, are given below.
set -euo pipefail
dir=$(realpath "${1:?give a folder}"); shift
cd "$(dirname "$0")/.."
mkdir -p "$dir"
bench() { napari-her2 bench --work "$dir" --json "$@"; }
for name in ${*:-P10 P3 P1 P7 P2 P9 P6 kill peers}; do
  echo "$name" >&2
  case $name in
    P1) bench --only P1 --size 16384 --repeat 5 ;;         # 8: 1369 patches, model, reading and run five times
    P2) bench --only P2 --size 16384 --repeat 3 ;;         # 6: 2 to draw, 5329 patches less the fat, and a quarter, thrice
    P3) bench --only P3 --size 4096 --repeat 5 ;;          # 1
    P6) bench --only P6 --size 65536 ${LARGE:+--he "$LARGE"} ;; # 12: 4 to draw; with a slide of 100 000 px 15 more
    P7) bench --only P7 --size 16384 ;;                    # 1
    P9) bench --only P9 --phantom-um 500 --repeat 3 ;;     # 6: eight cases on one worker and on two, three times
    P10) bench --only P10 --repeat 15 ;;                   # 1
    kill) python benchmarks/kill.py --kills 20 --work "$dir" ;; # 4
    peers) python benchmarks/peers/inference.py --size 16384 --repeat 5 --workers 2 --work "$dir" \
      ${LAZYSLIDE:+--lazyslide "$LAZYSLIDE"} ${TIATOOLBOX:+--tiatoolbox "$TIATOOLBOX"} ;; # 15
    *) echo "there is no benchmark $name" >&2; exit 2 ;;
  esac >"$dir/$name.json"
done
