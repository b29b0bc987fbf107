//! The currencies that prices may have.

use crate::role::texts;

texts! {
    /// A currency (ISO 4217). A closed list: another one joins once a payment provider was seen to take its exponent.
    Currency { /// Renminbi.
        Cny "CNY", /// US dollar.
        Usd "USD", /// Euro.
        Eur "EUR", /// Yen, which has no smaller unit.
        Jpy "JPY", /// Pound sterling.
        Gbp "GBP", /// Hong Kong dollar.
        Hkd "HKD", /// Singapore dollar.
        Sgd "SGD", }
}

impl Currency {
    /// Decimals of an amount: minor units are the smallest that money is paid in, ISO 4217's "minor unit".
    #[must_use]
    pub const fn exponent(self) -> u32 {
        match self {
            Currency::Jpy => 0,
            Currency::Cny | Currency::Usd | Currency::Eur | Currency::Gbp | Currency::Hkd | Currency::Sgd => 2,
        }
    }
}
