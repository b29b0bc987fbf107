//! What the address of the usage page asks for, and the addresses it leads to.
use serde::Deserialize;
use tokenim_domain::id::AppId;
use tokenim_templates::{
    language::Language,
    page::usage::filter::{Meter, Span},
};

use super::range::Range;
use crate::{fault::Fault, form::push_field};

use actix_web::web;

/// App, range, page of hours and language; the whole state of the page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Query {
    pub(crate) app: Option<AppId>,
    pub(crate) meter: Meter,
    pub(crate) range: Range,
    pub(crate) after: Option<Cursor>,
    pub(crate) language: Option<Language>,
}

/// The last row of the page before: hours are listed newest first, then by app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    pub(crate) at_ms: i64,
    pub(crate) app: AppId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    app: Option<String>,
    meter: Option<String>,
    range: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    lang: Option<String>,
    topics: Option<String>,
}

impl Query {
    /// Reads a query string; also returns `topics`, which only the stream has.
    ///
    /// Errors: `Filter` for anything this page does not write.
    pub(crate) fn parse(encoded: &str) -> Result<(Self, Option<String>), Fault> {
        let fields = web::Query::<Fields>::from_query(encoded).map_err(|_| Fault::Filter)?.into_inner();
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let app = text(&fields.app).map(|id| id.parse().map_err(|()| Fault::Filter)).transpose()?;
        let meter = fields.meter.as_deref().map(|name| Meter::from_name(name).ok_or(Fault::Filter)).transpose()?;
        let after = text(&fields.after).map(|cursor| Cursor::parse(&cursor).ok_or(Fault::Filter)).transpose()?;
        let range =
            Range::parse(fields.range.as_deref(), fields.from.as_deref(), fields.to.as_deref()).ok_or(Fault::Filter)?;
        let language = fields.lang.as_deref().and_then(Language::from_tag);
        Ok((Self { app, meter: meter.unwrap_or_default(), range, after, language }, fields.topics))
    }

    /// An address with this state.
    pub(crate) fn address(&self, path: &str) -> String {
        let mut address = self.address_without_range(path);
        for (name, value) in self.range.fields() {
            push_field(&mut address, name, &value);
        }
        if let Some(after) = self.after {
            push_field(&mut address, "after", &after.text());
        }
        address
    }

    /// The same, for a range that is appended in the browser.
    pub(crate) fn address_without_range(&self, path: &str) -> String {
        let mut address = path.to_owned();
        if let Some(app) = self.app {
            push_field(&mut address, "app", &app.to_string());
        }
        if let Some((name, meter)) = self.meter_field() {
            push_field(&mut address, name, meter);
        }
        if let Some(language) = self.language {
            push_field(&mut address, "lang", language.tag());
        }
        address
    }

    /// The field that names the meter; the usual one needs none.
    pub(crate) fn meter_field(&self) -> Option<(&'static str, &'static str)> {
        (self.meter != Meter::default()).then(|| ("meter", self.meter.name()))
    }

    /// The same state with another meter, from its first page on.
    pub(crate) fn with_meter(&self, meter: Meter) -> Self {
        Self { meter, after: None, ..self.clone() }
    }

    /// The same state with another range, from its first page on.
    pub(crate) fn with_span(&self, span: Span) -> Self {
        Self { range: Range::Last(span), after: None, ..self.clone() }
    }

    /// The same state at another page of hours.
    pub(crate) fn at(&self, after: Option<Cursor>) -> Self {
        Self { after, ..self.clone() }
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (at_ms, app) = text.split_once('.')?;
        Some(Self { at_ms: at_ms.parse().ok()?, app: app.parse().ok()? })
    }

    fn text(&self) -> String {
        format!("{}.{}", self.at_ms, self.app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        let app: AppId = "app_00000000000000000000000001".parse().unwrap();
        let query = Query {
            app: Some(app),
            meter: Meter::Delivered,
            range: Range::Custom { from_ms: 1_795_600_800_000, to_ms: 1_795_615_200_000 },
            after: Some(Cursor { at_ms: 1_795_600_800_000, app }),
            language: Some(Language::ZhCn),
        };
        let address = query.address("/console/usage");
        let (_, encoded) = address.split_once('?').unwrap();
        assert_eq!(Query::parse(encoded).unwrap(), (query, None), "{address}");
    }

    #[test]
    fn what_the_page_never_writes_is_refused() {
        for encoded in [
            "app=x",
            "app=org_00000000000000000000000001",
            "after=1",
            "after=x.y",
            "range=",
            "meter=mau",
            "range=2d",
            "page=2",
            "range=24h&range=7d",
        ] {
            assert!(Query::parse(encoded).is_err(), "{encoded}");
        }
        assert!(Query::parse("app=&range=7d").is_ok(), "an app form without a choice");
    }
}
