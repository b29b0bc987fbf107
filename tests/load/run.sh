#!/usr/bin/env bash
# Builds release, runs every load of docs/PERFORMANCE.md on loopback, and prints their last lines again as a summary. Takes about 35 minutes
# and 6 GB of disk. A run of `tokenim bench` that is invalid ends with 2 and is part of the summary all the same.
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
bench() { "$target/tokenim" bench "$@" --local --json | tee -a "$out" || [ "${PIPESTATUS[0]}" = 2 ]; }
load idle --connections 5000 --conversations 20
load idle --connections 5000 --conversations 20 --tls
load durable --in-flight 64,512 --seconds 8
load durable --in-flight 64,512 --seconds 8 --deliver
load group --members 1000 --seconds 8
load history --messages 10000000
bench idle --connections 15000
for connections in 2 64 1000 15000; do bench direct --connections "$connections" --rate 500 --seconds 10; done
bench group --connections 1000 --rate 20
bench group --members 100000 --connections 15000 --rate 1 --seconds 20
bench catch-up --connections 500 --conversations 100 --rate 50
bench storm --connections 10000 --rate 1000
bench mixed --connections 1000 --rate 500 --seconds 30
bench overload --seconds 60
echo
echo "summary (commit $(git rev-parse --short HEAD 2>/dev/null || echo none), $(nproc) cores, $(uname -sr)):"
grep '^{' "$out"
