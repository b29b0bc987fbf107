//! TLS on the public port: everything that works without it works over it, and what TLS brings of its own.

mod certificate;
mod handshake;
mod traffic;
