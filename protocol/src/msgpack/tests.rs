//! The two encodings against each other: what one says, the other says, and what JSON can't say is named.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON value, some levels deep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,40}", inner, 0..20).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn json_comes_back_to_the_byte(value in value()) {
        let text = value.to_string();
        prop_assert_eq!(decode(&encode(&text)), Ok(Decoded { json: text, flaw: None }));
    }

    #[test]
    fn floats_keep_every_bit(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
        let mut packed = Vec::new();
        encode::write_f64(&mut packed, value).unwrap();
        prop_assert_eq!(encode(&decode(&packed).unwrap().json), packed);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(decoded) = decode(&bytes) {
            prop_assert!(serde_json::from_str::<&RawValue>(&decoded.json).is_ok(), "{}", decoded.json);
            prop_assert!(decoded.json.len() <= 6 * bytes.len());
        }
    }
}

#[test]
fn numbers_are_as_small_as_they_can_be_and_stay_what_they_are() {
    for (text, packed) in [
        ("0", &[0x00][..]),
        ("-1", &[0xff]),
        ("128", &[0xcc, 0x80]),
        ("-129", &[0xd1, 0xff, 0x7f]),
        ("18446744073709551615", &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("1.0", &[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(encode(text), packed, "{text}");
        assert_eq!(decode(packed).unwrap().json, text);
    }
    assert_eq!(encode("18446744073709551616"), encode("1.8446744073709552e19"), "beyond 64 bits");
    assert_eq!(decode(&[0xca, 0x3d, 0xcc, 0xcc, 0xcd]).unwrap().json, "0.10000000149011612", "a float of 32 bits");
}

#[test]
fn what_json_cannot_say_is_named_and_the_rest_still_read() {
    let flaw = |inner: &[u8]| {
        let decoded = decode(&[&[0x82, 0xa2, b'i', b'd', 7, 0xa1, b'x'], inner].concat()).unwrap();
        let value: Value = serde_json::from_str(&decoded.json).unwrap();
        assert_eq!(value["id"], json!(7));
        decoded.flaw.expect("a flaw")
    };
    assert!(flaw(&[0xc4, 2, 1, 2]).contains("binary"));
    assert!(flaw(&[0xd6, 0xff, 0, 0, 0, 0]).contains("extension"));
    assert!(flaw(&[0xc7, 1, 5, 0]).contains("extension"));
    assert!(flaw(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]).contains("finite"));
    assert!(flaw(&[0xca, 0xff, 0x80, 0, 0]).contains("finite"));
    assert!(flaw(&[0xa1, 0xff]).contains("UTF-8"));
    assert!(flaw(&[0x81, 0x01, 0x02]).contains("key"));
    assert!(flaw(&[0x81, 0x90, 0x02]).contains("key"));
}

#[test]
fn half_a_value_two_values_and_a_tower_are_none() {
    for bytes in
        [&[][..], &[0xc1], &[0xa5, b'x'], &[0x92, 1], &[1, 2], &[0xdf, 0xff, 0xff, 0xff, 0xff], &[0xc6, 0, 0, 1, 0]]
    {
        assert_eq!(decode(bytes), Err(NoMessagePack), "{bytes:?}");
    }
    let tower = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    assert!(decode(&tower(32)).is_ok());
    assert_eq!(decode(&tower(33)), Err(NoMessagePack));
    assert_eq!(decode(&tower(60_000)), Err(NoMessagePack));
}
