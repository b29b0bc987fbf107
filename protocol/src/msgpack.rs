//! MessagePack beside JSON: the same envelopes in fewer bytes. Everything behind the wire is JSON text, so both ways lead through it.
//!
//! Integers of 64 bits and floats are the same on both sides, to the last bit. What JSON can't say is a [`Decoded::flaw`].

use crate::limits::JSON_DEPTH_MAX;
use crate::reply::Json;
use rmp::{Marker, encode};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Writing to memory does not fail.
const NO_FAILURE: &str = "writing to memory does not fail";

/// A MessagePack value as JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The value. A part that JSON can't say is `null` here, or `"?"` as a key.
    pub json: String,
    /// The first such part, for the developer: the message must be refused.
    pub flaw: Option<&'static str>,
}

/// The bytes are not one MessagePack value, or it is nested more than [`JSON_DEPTH_MAX`] levels deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMessagePack;

/// Reads one value. The text takes at most six times the bytes.
///
/// Errors: [`NoMessagePack`].
/// Source: the MessagePack specification; its timestamps and other extensions have no JSON.
pub fn decode(bytes: &[u8]) -> Result<Decoded, NoMessagePack> {
    let json = String::with_capacity(bytes.len() * 2);
    let mut reader = Reader { bytes, out: Decoded { json, flaw: None } };
    reader.value(0)?;
    if reader.bytes.is_empty() { Ok(reader.out) } else { Err(NoMessagePack) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    out: Decoded,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), NoMessagePack> {
        let [marker] = self.take()?;
        match Marker::from_u8(marker) {
            Marker::Null => self.raw("null"),
            Marker::True => self.raw("true"),
            Marker::False => self.raw("false"),
            Marker::FixPos(value) => self.number(value),
            Marker::FixNeg(value) => self.number(value),
            Marker::U8 => self.take().map(u8::from_be_bytes).map(|value| self.number(value))?,
            Marker::U16 => self.take().map(u16::from_be_bytes).map(|value| self.number(value))?,
            Marker::U32 => self.take().map(u32::from_be_bytes).map(|value| self.number(value))?,
            Marker::U64 => self.take().map(u64::from_be_bytes).map(|value| self.number(value))?,
            Marker::I8 => self.take().map(i8::from_be_bytes).map(|value| self.number(value))?,
            Marker::I16 => self.take().map(i16::from_be_bytes).map(|value| self.number(value))?,
            Marker::I32 => self.take().map(i32::from_be_bytes).map(|value| self.number(value))?,
            Marker::I64 => self.take().map(i64::from_be_bytes).map(|value| self.number(value))?,
            Marker::F32 => self.take().map(f32::from_be_bytes).map(|value| self.float(f64::from(value)))?,
            Marker::F64 => self.take().map(f64::from_be_bytes).map(|value| self.float(value))?,
            marker => return self.sized(marker, depth),
        }
        Ok(())
    }

    /// A value that begins with its size.
    fn sized(&mut self, marker: Marker, depth: usize) -> Result<(), NoMessagePack> {
        match marker {
            Marker::FixStr(size) => self.text(size.into()),
            Marker::Str8 | Marker::Str16 | Marker::Str32 => self.size(marker).and_then(|size| self.text(size)),
            Marker::FixArray(size) => self.array(size.into(), depth),
            Marker::Array16 | Marker::Array32 => self.size(marker).and_then(|size| self.array(size, depth)),
            Marker::FixMap(size) => self.map(size.into(), depth),
            Marker::Map16 | Marker::Map32 => self.size(marker).and_then(|size| self.map(size, depth)),
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let size = self.size(marker)?;
                self.foreign(size, "binary values are not supported: send them as text, or as a list of integers")
            }
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => self.size(marker).and_then(|size| self.extension(size)),
            Marker::FixExt1 => self.extension(1),
            Marker::FixExt2 => self.extension(2),
            Marker::FixExt4 => self.extension(4),
            Marker::FixExt8 => self.extension(8),
            Marker::FixExt16 => self.extension(16),
            _ => Err(NoMessagePack),
        }
    }

    fn size(&mut self, marker: Marker) -> Result<usize, NoMessagePack> {
        use Marker::{Array16, Bin8, Bin16, Ext8, Ext16, Map16, Str8, Str16};
        Ok(match marker {
            Str8 | Bin8 | Ext8 => u8::from_be_bytes(self.take()?).into(),
            Str16 | Bin16 | Ext16 | Array16 | Map16 => u16::from_be_bytes(self.take()?).into(),
            _ => u32::from_be_bytes(self.take()?) as usize,
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], NoMessagePack> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(NoMessagePack)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn slice(&mut self, size: usize) -> Result<&'a [u8], NoMessagePack> {
        let (taken, rest) = self.bytes.split_at_checked(size).ok_or(NoMessagePack)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn text(&mut self, size: usize) -> Result<(), NoMessagePack> {
        match std::str::from_utf8(self.slice(size)?) {
            Ok(text) => drop(self.out.json.text(text)),
            Err(_) => self.flawed("a text is not valid UTF-8"),
        }
        Ok(())
    }

    fn array(&mut self, size: usize, depth: usize) -> Result<(), NoMessagePack> {
        let depth = deeper(depth)?;
        self.raw("[");
        for at in 0..size {
            self.raw(if at > 0 { "," } else { "" });
            self.value(depth)?;
        }
        self.raw("]");
        Ok(())
    }

    fn map(&mut self, size: usize, depth: usize) -> Result<(), NoMessagePack> {
        let depth = deeper(depth)?;
        self.raw("{");
        for at in 0..size {
            self.raw(if at > 0 { "," } else { "" });
            let start = self.out.json.len();
            self.value(depth)?;
            if !self.out.json[start..].starts_with('"') {
                self.out.flaw.get_or_insert("a key of a map is no text");
                self.out.json.truncate(start);
                self.raw("\"?\"");
            }
            self.raw(":");
            self.value(depth)?;
        }
        self.raw("}");
        Ok(())
    }

    fn extension(&mut self, size: usize) -> Result<(), NoMessagePack> {
        let [_kind] = self.take()?;
        self.foreign(size, "extension types are not supported, timestamps neither")
    }

    fn foreign(&mut self, size: usize, flaw: &'static str) -> Result<(), NoMessagePack> {
        self.slice(size)?;
        self.flawed(flaw);
        Ok(())
    }

    fn float(&mut self, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.number(number),
            None => self.flawed("a number is not finite"),
        }
    }

    fn number(&mut self, value: impl fmt::Display) {
        use fmt::Write;
        write!(self.out.json, "{value}").expect(NO_FAILURE);
    }

    fn flawed(&mut self, flaw: &'static str) {
        self.out.flaw.get_or_insert(flaw);
        self.raw("null");
    }

    fn raw(&mut self, text: &str) {
        self.out.json.push_str(text);
    }
}

fn deeper(depth: usize) -> Result<usize, NoMessagePack> {
    if depth < JSON_DEPTH_MAX { Ok(depth + 1) } else { Err(NoMessagePack) }
}

/// A JSON text of ours as MessagePack. Integers beyond 64 bits become floats; what is no JSON becomes nil.
#[must_use]
pub fn encode(json: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    match serde_json::from_str(json) {
        Ok(value) => write(&mut out, value),
        Err(_) => encode::write_nil(&mut out).expect(NO_FAILURE),
    }
    out
}

/// Parts stay text until they are written: their number is known before them, and numbers are read to the last bit.
fn write(out: &mut Vec<u8>, value: &RawValue) {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = parse(text);
            encode::write_map_len(out, members.len() as u32).expect(NO_FAILURE);
            for (key, value) in members {
                encode::write_str(out, &key.0).expect(NO_FAILURE);
                write(out, value);
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = parse(text);
            encode::write_array_len(out, items.len() as u32).expect(NO_FAILURE);
            items.into_iter().for_each(|item| write(out, item));
        }
        Some(b'"') => encode::write_str(out, &parse::<Text<'_>>(text).0).expect(NO_FAILURE),
        Some(b't' | b'f') => encode::write_bool(out, text == "true").expect(NO_FAILURE),
        Some(b'-' | b'0'..=b'9') => write_number(out, text),
        _ => encode::write_nil(out).expect(NO_FAILURE),
    }
}

fn write_number(out: &mut Vec<u8>, text: &str) {
    if let Ok(value) = text.parse::<i64>() {
        encode::write_sint(out, value).map(drop).expect(NO_FAILURE);
    } else if let Ok(value) = text.parse::<u64>() {
        encode::write_uint(out, value).map(drop).expect(NO_FAILURE);
    } else {
        encode::write_f64(out, text.parse().unwrap_or_default()).expect(NO_FAILURE);
    }
}

/// What stands in a raw value is JSON, else it would be none; its strings may still name half a character, which is nothing.
fn parse<'a, T: serde::Deserialize<'a> + Default>(text: &'a str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}

#[derive(Default, serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object, in order.
#[derive(Default)]
struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(member) = map.next_entry()? {
                    members.0.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests;
