//! Checks what serde does not: nesting, number of keys and repeated keys of untrusted JSON.

use crate::limits::JSON_DEPTH_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Walks one JSON text and refuses more than 32 levels, more than `keys_max` keys in an object, and a key given twice.
///
/// Errors: the parser's message, with line and column.
pub fn check(json: &str, keys_max: usize) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(json);
    Walk { depth: 0, keys_max }.deserialize(&mut parser)?;
    parser.end()
}

#[derive(Clone, Copy)]
struct Walk {
    depth: usize,
    keys_max: usize,
}

impl Walk {
    fn deeper<E: Error>(self) -> Result<Walk, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX} levels")));
        }
        Ok(Walk { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON within the limits")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen: Vec<Cow<'de, str>> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if seen.contains(&key.0) {
                return Err(A::Error::custom("a key is given twice"));
            }
            if seen.len() == self.keys_max {
                return Err(A::Error::custom(format!("an object has more than {} keys", self.keys_max)));
            }
            seen.push(key.0);
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A key that borrows from the input where it holds no escape.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::JSON_KEYS_MAX;

    #[test]
    fn refuses_depth_width_and_repetition() {
        assert!(check(r#"{"a":[1,-2.5,true,null,"x",{"b":{}}]}"#, JSON_KEYS_MAX).is_ok());
        assert!(check(&format!("{}{}", "[".repeat(32), "]".repeat(32)), JSON_KEYS_MAX).is_ok());
        assert!(check(&format!("{}{}", "[".repeat(33), "]".repeat(33)), JSON_KEYS_MAX).is_err());
        assert!(check(r#"{"a":1,"\u0061":2}"#, JSON_KEYS_MAX).is_err());
        let keys = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":0")).collect::<Vec<_>>().join(","));
        assert!(check(&keys(64), JSON_KEYS_MAX).is_ok());
        assert!(check(&keys(65), JSON_KEYS_MAX).is_err());
        assert!(check("{} x", JSON_KEYS_MAX).is_err());
    }
}
