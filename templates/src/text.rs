//! Texts of the interface: whole sentences from `locales/`, with named placeables.
use std::{borrow::Cow, collections::HashMap, fmt::Display};

use fluent_templates::Loader;

use crate::language::{Language, Value};

mod locales {
    //! The embedded message files; the macro's static is the library's only way to embed them.
    fluent_templates::static_loader! {
        pub(super) static LOCALES = {
            locales: "./locales",
            fallback_language: "en",
            customise: |bundle| bundle.set_use_isolating(false),
        };
    }
}

/// Looks texts up in one language; a key that is missing fails a test, never a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    language: Language,
}

impl Text {
    /// Texts in this language.
    #[must_use]
    pub const fn new(language: Language) -> Self {
        Self { language }
    }

    /// The language of these texts.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// A sentence without placeables.
    #[must_use]
    pub fn get(&self, key: &str) -> String {
        locales::LOCALES.lookup(self.language.identifier(), key)
    }

    /// A sentence with one placeable.
    #[must_use]
    pub fn with(&self, key: &str, name: &'static str, value: impl Display) -> String {
        self.fill(key, [(name, value.to_string())])
    }

    /// A sentence with two placeables.
    #[must_use]
    pub fn with_two(
        &self,
        key: &str,
        one: &'static str,
        first: impl Display,
        two: &'static str,
        second: impl Display,
    ) -> String {
        self.fill(key, [(one, first.to_string()), (two, second.to_string())])
    }

    /// A sentence with any placeables, already formatted.
    #[must_use]
    pub fn fill<const N: usize>(&self, key: &str, values: [(&'static str, String); N]) -> String {
        let args: HashMap<Cow<'static, str>, Value<'_>> =
            values.into_iter().map(|(name, value)| (Cow::Borrowed(name), Value::from(value))).collect();
        locales::LOCALES.lookup_with_args(self.language.identifier(), key, &args)
    }

    /// A sentence whose form depends on a number: `count` selects the form, `shown` is what is printed.
    #[must_use]
    pub fn count(&self, key: &str, count: &i64, shown: impl Display) -> String {
        let args = HashMap::from([
            (Cow::Borrowed("count"), Value::from(*count)),
            (Cow::Borrowed("shown"), Value::from(shown.to_string())),
        ]);
        locales::LOCALES.lookup_with_args(self.language.identifier(), key, &args)
    }
}
