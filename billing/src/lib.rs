//! From what was counted to what is owed: the roll-up of usage rows into hours, and rating. Invoices come with their issue.

pub mod rating;
pub mod roll_up;
