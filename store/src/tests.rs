//! Tests of the store over a real SQLite file, with a clock and randomness that the test steers.

mod account;
mod append;
mod audit;
mod change;
mod console;
mod create;
mod directory;
mod found;
mod idempotency;
mod invitations;
mod isolation;
mod jobs;
mod members;
mod model;
mod nodes;
mod open;
mod orgs;
mod plans;
mod random;
mod range;
mod repeat;
mod restore;
mod schema;
mod usage;
mod watermark;
mod world;
