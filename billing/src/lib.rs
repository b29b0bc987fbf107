//! The metering pipeline. In this slice: the roll-up of usage rows into hours. Rating and invoices come with their issue.

pub mod roll_up;
