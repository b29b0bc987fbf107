//! The languages of the console and how one is chosen for a visitor.
use fluent_templates::{LanguageIdentifier, fluent_bundle::FluentValue, langid};

static EN: LanguageIdentifier = langid!("en");
static ZH_CN: LanguageIdentifier = langid!("zh-CN");

/// A language the console speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Language {
    /// Every language, in the order menus show them.
    pub const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// The BCP 47 tag, as in `<html lang>`, `?lang=` and the cookie.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// The language's name in itself, as menus show it.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::ZhCn => "简体中文",
        }
    }

    /// Reads a tag we wrote ourselves (`?lang=`, cookie, account); anything else is none.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag))
    }

    /// Chooses by `Accept-Language` (RFC 9110 §12.5.4); English when nothing we speak is named.
    #[must_use]
    pub fn from_accept(header: &str) -> Self {
        let mut best = (0_u16, Self::En);
        for item in header.split(',').take(ACCEPT_ITEMS_MAX) {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            let primary = tag.split('-').next().unwrap_or_default();
            let language = match primary.to_ascii_lowercase().as_str() {
                "zh" => Self::ZhCn,
                "en" => Self::En,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    pub(crate) fn identifier(self) -> &'static LanguageIdentifier {
        match self {
            Self::En => &EN,
            Self::ZhCn => &ZH_CN,
        }
    }
}

/// Items of `Accept-Language` that are read; browsers send fewer than ten.
const ACCEPT_ITEMS_MAX: usize = 20;

fn thousandths(quality: &str) -> u16 {
    let value: f32 = quality.trim().parse().unwrap_or(0.0);
    if (0.0..=1.0).contains(&value) { (value * 1000.0) as u16 } else { 0 }
}

pub(crate) type Value<'a> = FluentValue<'a>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language_is_weighed() {
        for (header, expected) in [
            ("", Language::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::ZhCn),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::En),
            ("fr, zh-TW;q=0.4, en;q=0.3", Language::ZhCn),
            ("en;q=0, zh;q=0.1", Language::ZhCn),
            ("de;q=1, *;q=0.5", Language::En),
            ("zh;q=NaN", Language::En),
        ] {
            assert_eq!(Language::from_accept(header), expected, "{header}");
        }
    }

    #[test]
    fn tags_read_back() {
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
        assert_eq!(Language::from_tag("fr"), None);
    }
}
