//! Rates the lines of standard input, for an independent reference to compare with (tests/billing/rating.py): a JSON object with `price`,
//! `quantity` and `currency` each; answers with the exact amount and its minor units, or with `overflow`.

use serde::Deserialize;
use std::io::{self, BufRead, BufWriter, Write};
use tokenim_billing::rating::pico::Overflow;
use tokenim_billing::rating::price::{Price, Written};
use tokenim_domain::currency::Currency;

#[derive(Deserialize)]
struct Line {
    price: Written,
    quantity: i64,
    currency: Currency,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let price = Price::read(&line.price).map_err(|error| format!("{error}: {:?}", line.price))?;
        match rate(&price, &line) {
            Ok((exact, minor)) => writeln!(out, "{exact} {minor}")?,
            Err(Overflow) => writeln!(out, "overflow")?,
        }
    }
    out.flush()?;
    Ok(())
}

fn rate(price: &Price, line: &Line) -> Result<(String, i64), Overflow> {
    let exact = price.charge(line.quantity)?;
    Ok((exact.to_string(), exact.round(line.currency)?))
}
