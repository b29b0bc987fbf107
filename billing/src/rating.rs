//! Rating: what a quantity costs at a price. Pure arithmetic, exact to the last decimal, and rounded once a line.

pub mod pico;
pub mod price;
