#!/usr/bin/env bash
# Builds release, runs the three loads on loopback, the idle one over TLS too, and prints their last lines again as a summary. Takes about 16 minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${CARGO_TARGET_DIR:-target}/release"
nice cargo build --release -p tokenim -p tokenim-load >&2
# One connection is one open file, here and in the server.
ulimit -n "$(ulimit -Hn)"
data="${TOKENIM_LOAD_DATA:-/var/tmp/tokenim-load}"
out="$(mktemp)"
trap 'rm -f "$out"' EXIT
load() { "$target/tokenim-load" "$@" --bin "$target/tokenim" --data "$data" | tee -a "$out"; }
load idle --connections 5000 --conversations 20
load idle --connections 5000 --conversations 20 --tls
load durable --in-flight 64,512 --seconds 8
load durable --in-flight 64,512 --seconds 8 --deliver
load group --members 1000 --seconds 8
echo
echo "summary (commit $(git rev-parse --short HEAD 2>/dev/null || echo none), $(nproc) cores, $(uname -sr)):"
grep '^{' "$out"
