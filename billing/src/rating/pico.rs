//! Decimals in fixed point: exact, checked, and never a float.

use std::fmt;
use std::ops::Neg;
use tokenim_domain::currency::Currency;

/// Decimals that are kept.
pub const DECIMALS: u32 = 12;
/// One.
const ONE: i128 = 10_i128.pow(DECIMALS);
/// A rate is below this.
const RATE_END: i128 = 1_000_000 * ONE;

/// A decimal number with [`DECIMALS`] decimals, of money before it is rounded, or of money a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pico(i128);

/// A result beyond what can be held; the period it is of is blocked (`rating_overflow`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price times a quantity is beyond what can be held")]
pub struct Overflow;

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    /// It is something else than digits with at most one point between them.
    #[error("a rate is written as digits with at most one point between them: no sign, exponent or space")]
    NoDecimal,
    /// It has more decimals than are kept.
    #[error("a rate has at most {DECIMALS} decimals")]
    TooFine,
    /// It is a million or more.
    #[error("a rate is below 1000000")]
    TooLarge,
}

impl Pico {
    /// Nothing.
    pub const ZERO: Pico = Pico(0);

    /// Reads a rate or an amount of a plan: `49.00`, `0.0000025`; 0 to below a million.
    ///
    /// Errors: [`NoRate`].
    pub fn parse_rate(text: &str) -> Result<Self, NoRate> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) {
            return Err(NoRate::NoDecimal);
        }
        if part.len() > DECIMALS as usize {
            return Err(NoRate::TooFine);
        }
        // Digits alone: what does not fit is too large.
        let whole: i128 = whole.parse().map_err(|_| NoRate::TooLarge)?;
        let part: i128 = format!("{part:0<width$}", width = DECIMALS as usize).parse().map_err(|_| NoRate::TooFine)?;
        let value = whole.checked_mul(ONE).and_then(|whole| whole.checked_add(part)).ok_or(NoRate::TooLarge)?;
        if value < RATE_END { Ok(Pico(value)) } else { Err(NoRate::TooLarge) }
    }

    /// That many times this.
    ///
    /// Errors: [`Overflow`].
    pub fn times(self, quantity: i64) -> Result<Self, Overflow> {
        self.0.checked_mul(quantity.into()).map(Pico).ok_or(Overflow)
    }

    /// The sum.
    ///
    /// Errors: [`Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Pico).ok_or(Overflow)
    }

    /// Minor units of the currency, half away from zero: the one rounding of a line.
    ///
    /// Errors: [`Overflow`] beyond `i64`.
    pub fn round(self, currency: Currency) -> Result<i64, Overflow> {
        self.round_share(currency, 1, 1)
    }

    /// Minor units of `part` of `whole` parts of this, half away from zero, rounded once. `whole` is above 0.
    ///
    /// Errors: [`Overflow`]; a `whole` that is not above 0 is one too.
    pub fn round_share(self, currency: Currency, part: i64, whole: i64) -> Result<i64, Overflow> {
        let minor = 10_i128.pow(currency.exponent());
        let up = self.0.checked_mul(part.into()).and_then(|product| product.checked_mul(minor)).ok_or(Overflow)?;
        let down = ONE.checked_mul(whole.into()).filter(|down| *down > 0).ok_or(Overflow)?;
        // Half of `down` is whole: ONE is even.
        let (quotient, rest) = (up / down, up % down);
        let away = if rest.abs() >= down / 2 { up.signum() } else { 0 };
        i64::try_from(quotient + away).map_err(|_| Overflow)
    }
}

impl Neg for Pico {
    type Output = Pico;

    /// Panics for the least value that can be held, which no sum of rates reaches.
    fn neg(self) -> Pico {
        Pico(-self.0)
    }
}

/// As short as it is exact: `27.691356`, `49`, `-0.5`.
impl fmt::Display for Pico {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, value) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, part) = (value / ONE.unsigned_abs(), value % ONE.unsigned_abs());
        let part = format!("{part:0width$}", width = DECIMALS as usize);
        match part.trim_end_matches('0') {
            "" => write!(out, "{sign}{whole}"),
            part => write!(out, "{sign}{whole}.{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> Pico {
        Pico::parse_rate(text).unwrap()
    }

    #[test]
    fn a_rate_is_digits_and_a_point() {
        assert_eq!(rate("0.000342465753"), Pico(342_465_753));
        assert_eq!((rate("49"), rate("49.00"), rate("007")), (Pico(49 * ONE), Pico(49 * ONE), Pico(7 * ONE)));
        assert_eq!(rate("999999.999999999999"), Pico(RATE_END - 1));
        for text in ["", ".", "1.", ".5", "+1", "-1", "1e3", " 1", "1 ", "1,5", "1.2.3", "0x1", "١", "NaN", "1_0"] {
            assert_eq!(Pico::parse_rate(text), Err(NoRate::NoDecimal), "{text:?}");
        }
        assert_eq!(Pico::parse_rate("0.0000000000001"), Err(NoRate::TooFine));
        for text in ["1000000", "1000000.0", &"9".repeat(60)] {
            assert_eq!(Pico::parse_rate(text), Err(NoRate::TooLarge), "{text}");
        }
    }

    #[test]
    fn half_a_minor_unit_goes_away_from_zero() {
        for (text, usd, jpy) in [("0.005", 1, 0), ("0.004999999999", 0, 0), ("0.5", 50, 1), ("27.691356", 2_769, 28)] {
            assert_eq!(
                (rate(text).round(Currency::Usd), rate(text).round(Currency::Jpy)),
                (Ok(usd), Ok(jpy)),
                "{text}"
            );
            let below = -rate(text);
            assert_eq!((below.round(Currency::Usd), below.round(Currency::Jpy)), (Ok(-usd), Ok(-jpy)), "-{text}");
        }
        assert_eq!(rate("0.01").round_share(Currency::Usd, 1, 3), Ok(0));
        assert_eq!(rate("0.02").round_share(Currency::Usd, 1, 4), Ok(1), "a half of one");
        assert_eq!(rate("1").round_share(Currency::Usd, 1, 0), Err(Overflow));
    }

    #[test]
    fn a_product_keeps_its_last_digit_or_is_refused() {
        let exact = rate("0.123456789012").times(987_654_321_987_654_321).unwrap();
        assert_eq!(exact.to_string(), "121932631246419751.976487120852");
        assert_eq!(rate("999999.999999999999").times(i64::MAX).unwrap().round(Currency::Usd), Err(Overflow));
        let most = Pico(i128::MAX);
        assert_eq!((most.times(2), most.plus(Pico(1))), (Err(Overflow), Err(Overflow)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_it_is(value in 0..RATE_END) {
            prop_assert_eq!(Pico::parse_rate(&Pico(value).to_string()), Ok(Pico(value)));
        }

        #[test]
        fn rounding_is_off_by_half_at_most(value in -RATE_END..RATE_END) {
            let minor = i128::from(Pico(value).round(Currency::Usd).unwrap());
            prop_assert!((minor * ONE - value * 100).abs() <= ONE / 2);
        }
    }
}
