//! What a plan version asks for one thing in one currency, and what a quantity of it costs.

use super::pico::{NoRate, Overflow, Pico};
use serde::{Deserialize, Serialize};
use tokenim_domain::{Error, Result};

/// Tiers of one price.
pub const TIERS_MAX: usize = 20;

/// A price as it is stored, shown and put into bundles; only [`Price::read`] makes one that can be rated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// `flat`, `unit`, `package`, `graduated` or `volume`.
    pub model: String,
    /// How much costs nothing; absent = none. Not of `flat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included: Option<i64>,
    /// Of `flat`: the whole of it; of `unit`: of each; of `package`: of each started one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Of `package`: how much is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Of `graduated` and `volume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Vec<WrittenTier>>,
}

/// A tier as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenTier {
    /// The last one of it, counted behind what is included; absent = all further ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
    /// Of each.
    pub rate: String,
}

/// A price that can be rated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    included: i64,
    model: Model,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Model {
    Flat(Pico),
    Unit(Pico),
    Package { size: i64, rate: Pico },
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
}

/// The last one of a tier, and what each costs. The last tier goes to the end of all numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tier {
    up_to: i64,
    rate: Pico,
}

impl Price {
    /// Reads a price.
    ///
    /// Errors: `invalid_field` at the path in it that is wrong, like `tiers[1].up_to`.
    pub fn read(written: &Written) -> Result<Self> {
        let model = match written.model.as_str() {
            "flat" => Model::Flat(rate_of(written)?),
            "unit" => Model::Unit(rate_of(written)?),
            "package" => Model::Package { size: size(written)?, rate: rate_of(written)? },
            "graduated" => Model::Graduated(tiers(written)?),
            "volume" => Model::Volume(tiers(written)?),
            other => return Err(Error::invalid("model", format!("there is no model `{other}`"))),
        };
        refuse_foreign(written)?;
        let included = written.included.unwrap_or(0);
        if included < 0 {
            return Err(Error::invalid("included", "`included` is 0 or more"));
        }
        Ok(Price { included, model })
    }

    /// How much costs nothing.
    #[must_use]
    pub const fn included(&self) -> i64 {
        self.included
    }

    /// What that much costs, before it is rounded; nothing is negative. A flat price costs the same however much there is.
    ///
    /// Errors: [`Overflow`].
    pub fn charge(&self, quantity: i64) -> std::result::Result<Pico, Overflow> {
        let beyond = quantity.saturating_sub(self.included).max(0);
        match &self.model {
            Model::Flat(amount) => Ok(*amount),
            Model::Unit(rate) => rate.times(beyond),
            Model::Package { size, rate } => rate.times(started(beyond, *size)),
            Model::Graduated(tiers) => graduated(tiers, beyond),
            Model::Volume(tiers) => {
                let tier = tiers.iter().find(|tier| beyond <= tier.up_to).ok_or(Overflow)?;
                tier.rate.times(beyond)
            }
        }
    }
}

/// Packages of a size, the last one started.
fn started(quantity: i64, size: i64) -> i64 {
    quantity / size + i64::from(quantity % size != 0)
}

fn graduated(tiers: &[Tier], quantity: i64) -> std::result::Result<Pico, Overflow> {
    let (mut sum, mut below) = (Pico::ZERO, 0);
    for tier in tiers {
        let in_it = quantity.min(tier.up_to) - below;
        if in_it <= 0 {
            break;
        }
        sum = sum.plus(tier.rate.times(in_it)?)?;
        below = tier.up_to;
    }
    Ok(sum)
}

fn rate_of(written: &Written) -> Result<Pico> {
    let rate =
        written.rate.as_deref().ok_or_else(|| Error::invalid("rate", format!("`{}` needs a `rate`", written.model)))?;
    rate_at("rate", rate)
}

fn rate_at(path: &str, text: &str) -> Result<Pico> {
    Pico::parse_rate(text).map_err(|no_rate: NoRate| Error::invalid("rate", no_rate.to_string()).at_path(path))
}

fn size(written: &Written) -> Result<i64> {
    written.size.filter(|size| *size > 0).ok_or_else(|| Error::invalid("size", "`package` needs a `size` above 0"))
}

fn tiers(written: &Written) -> Result<Vec<Tier>> {
    let tiers = written.tiers.as_deref().unwrap_or_default();
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        return Err(Error::invalid("tiers", format!("`{}` needs 1 to {TIERS_MAX} `tiers`", written.model)));
    }
    let mut read = Vec::with_capacity(tiers.len());
    let mut below = 0;
    for (at, tier) in tiers.iter().enumerate() {
        let is_last = at + 1 == tiers.len();
        let up_to = match tier.up_to {
            None if is_last => i64::MAX,
            Some(up_to) if !is_last && up_to > below => up_to,
            _ => return Err(no_step(at, is_last)),
        };
        below = up_to;
        read.push(Tier { up_to, rate: rate_at(&format!("tiers[{at}].rate"), &tier.rate)? });
    }
    Ok(read)
}

fn no_step(at: usize, is_last: bool) -> Error {
    let wrong = if is_last {
        "the last tier is open: it has no `up_to`"
    } else {
        "each tier but the last goes `up_to` more than the one before"
    };
    Error::invalid("tiers", wrong).at_path(format!("tiers[{at}].up_to"))
}

/// A field that the model has no use for would be a price that is not asked.
fn refuse_foreign(written: &Written) -> Result<()> {
    let model = written.model.as_str();
    let has_tiers = matches!(model, "graduated" | "volume");
    let foreign = [
        ("rate", written.rate.is_some() && has_tiers),
        ("size", written.size.is_some() && model != "package"),
        ("tiers", written.tiers.is_some() && !has_tiers),
        ("included", written.included.is_some() && model == "flat"),
    ];
    match foreign.into_iter().find(|(_, is_foreign)| *is_foreign) {
        Some((name, _)) => Err(Error::invalid(name, format!("`{model}` has no `{name}`"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokenim_domain::currency::Currency;

    fn price(written: Value) -> Price {
        Price::read(&serde_json::from_value(written).unwrap()).unwrap()
    }

    /// The example of BILLING.md §5: Pro in October, in dollars.
    #[test]
    fn the_lines_of_the_example_are_exact() {
        let tiers = json!([{"up_to": 10_000_000, "rate": "0.0000025"}, {"rate": "0.000002"}]);
        let lines = [
            (json!({"model": "flat", "rate": "49.00"}), 1, "49", 4_900),
            (json!({"model": "graduated", "included": 1_000_000, "tiers": tiers}), 12_345_678, "27.691356", 2_769),
            (json!({"model": "unit", "included": 10_000_000, "rate": "0.0000005"}), 61_728_390, "25.864195", 2_586),
            (json!({"model": "unit", "included": 5_000, "rate": "0.01"}), 7_301, "23.01", 2_301),
            (json!({"model": "package", "included": 500, "size": 100, "rate": "4.00"}), 1_234, "32", 3_200),
            (json!({"model": "unit", "included": 5_000_000, "rate": "0.000001"}), 19_876_543, "14.876543", 1_488),
            (json!({"model": "unit", "included": 1_000_000, "rate": "0.000004"}), 2_345_679, "5.382716", 538),
            (json!({"model": "unit", "included": 7_440, "rate": "0.000342465753"}), 20_001, "4.301712323433", 430),
            (json!({"model": "unit", "included": 100_000, "rate": "0.00001"}), 123_457, "0.23457", 23),
            (json!({"model": "unit", "rate": "0.137"}), 246, "33.702", 3_370),
        ];
        let mut sum = 0;
        for (written, quantity, exact, minor) in lines {
            let charge = price(written.clone()).charge(quantity).unwrap();
            assert_eq!((charge.to_string().as_str(), charge.round(Currency::Usd)), (exact, Ok(minor)), "{written}");
            sum += minor;
        }
        assert_eq!(sum, 21_605);
        let yen = price(json!({"model": "unit", "rate": "0.000375"})).charge(12_345_678).unwrap();
        assert_eq!((yen.to_string().as_str(), yen.round(Currency::Jpy)), ("4629.62925", Ok(4_630)));
    }

    #[test]
    fn a_price_that_cannot_be_is_refused_at_its_path() {
        let open = || json!({"rate": "1"});
        for (written, path) in [
            (json!({"model": "free"}), "model"),
            (json!({"model": "unit"}), "rate"),
            (json!({"model": "unit", "rate": "-1"}), "rate"),
            (json!({"model": "unit", "rate": "1e-6"}), "rate"),
            (json!({"model": "unit", "rate": "0.0000000000001"}), "rate"),
            (json!({"model": "unit", "rate": "1000000"}), "rate"),
            (json!({"model": "unit", "rate": "1", "included": -1}), "included"),
            (json!({"model": "unit", "rate": "1", "size": 2}), "size"),
            (json!({"model": "flat", "rate": "1", "included": 2}), "included"),
            (json!({"model": "package", "rate": "1"}), "size"),
            (json!({"model": "package", "rate": "1", "size": 0}), "size"),
            (json!({"model": "graduated"}), "tiers"),
            (json!({"model": "graduated", "tiers": []}), "tiers"),
            (json!({"model": "volume", "tiers": vec![open(); TIERS_MAX + 1]}), "tiers"),
            (json!({"model": "volume", "tiers": [open()], "rate": "1"}), "rate"),
            (json!({"model": "volume", "tiers": [open(), open()]}), "tiers[0].up_to"),
            (json!({"model": "volume", "tiers": [{"up_to": 5, "rate": "1"}]}), "tiers[0].up_to"),
            (json!({"model": "volume", "tiers": [{"up_to": 0, "rate": "1"}, open()]}), "tiers[0].up_to"),
            (
                json!({"model": "volume", "tiers": [{"up_to": 5, "rate": "1"}, {"up_to": 5, "rate": "1"}, open()]}),
                "tiers[1].up_to",
            ),
            (json!({"model": "volume", "tiers": [{"up_to": 5, "rate": " 1"}, open()]}), "tiers[0].rate"),
        ] {
            let error = Price::read(&serde_json::from_value(written.clone()).unwrap()).unwrap_err();
            assert_eq!((error.code, error.field()), (tokenim_domain::Code::InvalidField, Some(path)), "{written}");
        }
    }

    #[test]
    fn what_is_included_costs_nothing_and_the_last_of_a_tier_is_of_it() {
        let volume = price(json!({"model": "volume", "tiers": [{"up_to": 10, "rate": "3"}, {"rate": "2"}]}));
        let costs = |quantity| volume.charge(quantity).unwrap().to_string();
        assert_eq!([0, 1, 10, 11].map(costs), ["0", "3", "30", "22"]);
        let package = price(json!({"model": "package", "included": 5, "size": 10, "rate": "1"}));
        let costs = |quantity| package.charge(quantity).unwrap().to_string();
        assert_eq!([0, 5, 6, 15, 16, -1].map(costs), ["0", "0", "1", "1", "2", "0"]);
        let dear = price(json!({"model": "unit", "rate": "999999.999999999999"}));
        assert!(dear.charge(i64::MAX).is_ok_and(|exact| exact.round(Currency::Usd).is_err()));
    }

    proptest! {
        /// Each unit is charged at the rate of its tier: one by one they cost what they cost together.
        #[test]
        fn graduated_is_the_sum_of_its_units(first in 1_i64..20, second in 1_i64..20, included in 0_i64..10, quantity in 0_i64..60) {
            let tiers = json!([{"up_to": first, "rate": "0.3"}, {"up_to": first + second, "rate": "0.07"}, {"rate": "0.011"}]);
            let price = price(json!({"model": "graduated", "included": included, "tiers": tiers}));
            let of = |unit: i64| match unit {
                unit if unit <= included => 0,
                unit if unit <= included + first => 300,
                unit if unit <= included + first + second => 70,
                _ => 11,
            };
            let one_by_one: i64 = (1..=quantity).map(of).sum();
            let charge = price.charge(quantity).unwrap().to_string();
            prop_assert_eq!(charge, Pico::parse_rate("0.001").unwrap().times(one_by_one).unwrap().to_string());
        }

        #[test]
        fn one_open_tier_is_a_unit_price(quantity in 0_i64..i64::MAX, rate in 0_u64..1_000_000_000) {
            let rate = format!("{}.{:09}", rate / 1_000, rate % 1_000);
            let unit = price(json!({"model": "unit", "rate": rate}));
            for model in ["graduated", "volume"] {
                let tiered = price(json!({"model": model, "tiers": [{"rate": rate}]}));
                prop_assert_eq!(tiered.charge(quantity), unit.charge(quantity));
            }
        }
    }
}
