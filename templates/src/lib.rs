//! The console's pages, their texts in English and Chinese, and the static files they load; no I/O, no clock.
pub mod assets;
pub mod docs;
pub mod flash;
pub mod frame;
pub mod language;
pub mod mail;
pub mod nav;
pub mod number;
pub mod page;
pub mod problem;
pub mod role;
pub mod text;
pub mod time;

#[cfg(test)]
mod lint;

pub use askama::Template;
