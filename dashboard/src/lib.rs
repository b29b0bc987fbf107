//! The HTML face: sign-in, the console's pages and their live stream; actix translates here and decides nothing elsewhere.
mod account;
mod answer;
mod apps;
mod assets;
mod attempts;
mod audit;
mod console;
mod cookie;
mod csp;
mod csrf;
mod elevate;
mod fault;
mod form;
mod half;
mod invitation;
mod keys;
mod link;
mod mailbox;
mod members;
mod nav;
mod operator;
mod orgs;
mod origins;
mod overview;
mod pager;
mod plan;
mod preferences;
mod problems;
mod prove;
mod quickstart;
mod routes;
mod session;
mod settings;
mod sign_in;
mod sign_up;
mod signing_keys;
mod site;
mod stream;
mod told;
mod usage;
mod visit;

#[cfg(test)]
mod face;

pub use console::{Console, Health, Lately, Live, Ports};
pub use routes::{RouteSpec, Twice, Verb, Who, configure, routes};
pub use site::check_public_origin;
