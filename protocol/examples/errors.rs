//! Prints `docs/ERRORS.md`: `cargo run -p tokenim-protocol --example errors > docs/ERRORS.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(tokenim_protocol::code::errors_markdown().as_bytes())
}
