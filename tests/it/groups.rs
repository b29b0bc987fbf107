//! Who may do what in a conversation: roles, joining, moderating, blocks, the app's rule for strangers, large groups.

mod contact;
mod join;
mod large;
mod matrix;
mod moderate;
mod rest;
mod settings;
