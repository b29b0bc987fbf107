//! Reading the fields of a command or a request, and naming the one at fault.

use serde::Deserialize;

/// Fields that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong, for the developer.
    pub message: String,
    /// The path of the field at fault, like `members[2]`, where it is one.
    pub param: Option<String>,
}

/// Reads one JSON object. A text that fits is read once; one that does not is read again, to find the field.
///
/// Errors: [`Misfit`].
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Misfit> {
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        // The derived readers would take a list of values too.
        return Err(Misfit { message: "the fields are no JSON object".to_owned(), param: None });
    }
    serde_json::from_str(text).or_else(|_| find(text))
}

/// Reads slowly, with the path of whatever does not fit.
fn find<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Misfit> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let found = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // Where in the text is of no use to whoever let a program write it; it comes last, behind what the text says.
        let message = plainly(message.rsplit_once(" at line ").map_or(&*message, |(said, _)| said));
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let param = match (path.as_str(), missing) {
            (".", missing) => missing.map(str::to_owned),
            (_, Some(missing)) => Some(format!("{path}.{missing}")),
            (_, None) => Some(path),
        };
        Misfit { message, param }
    })?;
    let more = |_| Misfit { message: "something follows the JSON object".to_owned(), param: None };
    parser.end().map_err(more).map(|()| found)
}

/// What the reader says of a type that does not fit, without the words of the language it is written in.
fn plainly(message: &str) -> String {
    let Some((found, wanted)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let wanted = match wanted {
        "i64" => "an integer of 64 bits",
        "u64" | "usize" => "an integer of 64 bits that is not negative",
        "u32" => "an integer from 0 to 4294967295",
        "f64" => "a number",
        "a sequence" => "a list",
        "a tuple of size 2" => "a list of two",
        "a map" => "an object",
        "a borrowed string" => "a string",
        "a boolean" => "`true` or `false`",
        known if known.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{found}, expected {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ConversationCreate, History, Send};

    fn param<'a, T: Deserialize<'a>>(text: &'a str) -> Option<String> {
        read::<T>(text).err().expect("must be refused").param
    }

    #[test]
    fn the_field_at_fault_is_named_by_its_path() {
        assert_eq!(param::<History<'_>>("{}").as_deref(), Some("conversation"));
        assert_eq!(param::<History<'_>>(r#"{"conversation":"c","after":"0"}"#).as_deref(), Some("after"));
        assert_eq!(
            param::<ConversationCreate<'_>>(r#"{"kind":"group","members":["a",4]}"#).as_deref(),
            Some("members[1]")
        );
        let mentions = r#"{"conversation":"c","client_msg_id":"m","kind":"json","body":1,"mentions":7}"#;
        assert_eq!(param::<Send<'_>>(mentions).as_deref(), Some("mentions"));
        for whole in ["null", r#"["c"]"#, "7", "\"c\"", "", r#"{"conversation":"c"} x"#] {
            assert_eq!(param::<History<'_>>(whole), None, "{whole}");
        }
    }

    #[test]
    fn a_misfit_is_told_in_the_words_of_json() {
        for (text, says) in [
            (r#"{"conversation":"c","after":"0"}"#, "invalid type: string \"0\", expected an integer of 64 bits"),
            (
                r#"{"conversation":"c","limit":-1}"#,
                "invalid value: integer `-1`, expected an integer from 0 to 4294967295",
            ),
            (r#"{"conversation":7}"#, "invalid type: integer `7`, expected a string"),
            (r#"{"conversation":"c"} x"#, "something follows the JSON object"),
        ] {
            assert_eq!(read::<History<'_>>(text).unwrap_err().message, says, "{text}");
        }
        let pair = read::<crate::command::Sync<'_>>(r#"{"heads":{"c":[1]}}"#).unwrap_err();
        assert_eq!(
            (&*pair.message, pair.param.as_deref()),
            ("invalid length 1, expected a list of two", Some("heads.c"))
        );
    }

    #[test]
    fn what_fits_borrows_and_unknown_fields_are_passed_over() {
        let history: History<'_> = read(r#" {"conversation":"c","newer":[1]}"#).unwrap();
        assert!(matches!(history.conversation, std::borrow::Cow::Borrowed("c")));
    }
}
