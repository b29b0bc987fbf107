//! What is told to who is connected and not stored: typing, ephemeral messages, presence, receipts asked for, heads.

mod ephemeral;
mod notice;
mod passive;
mod presence;
mod receipts;
mod typing;
mod unacknowledged;
