#!/usr/bin/env bash
# Installs the peers from their registries, builds release and compares; further arguments go to compare.py. Takes about 12 minutes.
set -euo pipefail
cd "$(dirname "$0")/../../.."
target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$target/tools/peers"
peers="$(cd "$target/tools/peers" && pwd)"
GOBIN="$peers" nice go install github.com/nats-io/nats-server/v2@v2.12.5
GOBIN="$peers" nice go install github.com/centrifugal/centrifugo/v6@v6.9.1
npm ci --prefix tests/load/peers --no-audit --no-fund >&2
nice cargo build --release --locked --bin tokenim >&2
exec python3 tests/load/peers/compare.py --product "tokenim=$target/release/tokenim" --product "nats=$peers/nats-server" \
  --product "centrifugo=$peers/centrifugo" --product socket.io=node "$@"
