//! Limits and quotas through the real binary: each with its code and figures, on sockets and over REST.

mod connections;
mod messages;
mod pages;
mod subscription;
pub mod support;
