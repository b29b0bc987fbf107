//! Query strings: known names only, each given once.

use crate::fault::Fault;
use actix_web::{HttpRequest, web};
use std::str::FromStr;

/// The decoded parameters of one request.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the query of a request that knows these names.
    ///
    /// Errors: `invalid_request` for an unknown or repeated name.
    pub(crate) fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Fault> {
        Self::parse(request.query_string(), known)
    }

    fn parse(text: &str, known: &[&str]) -> Result<Self, Fault> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text);
        let pairs = pairs.map_err(|_| Fault::malformed("the query string cannot be read", None))?.into_inner();
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Fault::malformed(unknown(known), Some(name.clone())));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Fault::malformed("the parameter is given twice", Some(name.clone())));
            }
        }
        Ok(Query { pairs })
    }

    /// One parameter of a request, before anybody knows which others it may have.
    pub(crate) fn find(request: &HttpRequest, name: &str) -> Option<String> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?.into_inner();
        pairs.into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number or the like.
    ///
    /// Errors: `invalid_request` where the text is none.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        let wrong = |_| Fault::malformed(format!("`{name}` has the wrong type"), Some(name.to_owned()));
        self.text(name).map(T::from_str).transpose().map_err(wrong)
    }

    /// The parameter `limit`, 1 to `max`.
    ///
    /// Errors: `invalid_request` where it is no number, `invalid_field` where it is out of range.
    pub(crate) fn limit(&self, default: u32, max: u32) -> Result<u32, Fault> {
        let limit = self.parsed("limit")?.unwrap_or(default);
        if (1..=max).contains(&limit) {
            Ok(limit)
        } else {
            Err(tokenim_domain::Error::invalid("limit", format!("`limit` must be 1 to {max}")).into())
        }
    }
}

fn unknown(known: &[&str]) -> String {
    if known.is_empty() {
        "this call takes no query parameters".to_owned()
    } else {
        format!("unknown parameter; this call knows {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_domain::Code;

    #[test]
    fn known_names_are_read_once_and_others_refused() {
        let query = Query::parse("after=7&cursor=a%3Ab", &["after", "cursor"]).unwrap();
        assert_eq!(query.text("cursor"), Some("a:b"));
        assert_eq!(query.parsed::<i64>("after").unwrap(), Some(7));
        assert_eq!(query.limit(50, 200).unwrap(), 50);
        assert_eq!(query.parsed::<i64>("cursor").unwrap_err().code(), Code::InvalidRequest);
        for bad in ["x=1", "after=1&after=2", "after=%zz&%"] {
            assert!(Query::parse(bad, &["after"]).is_err() || bad.contains('%'), "{bad}");
        }
    }

    #[test]
    fn limits_are_refused_rather_than_cut() {
        for (text, code) in [
            ("limit=0", Code::InvalidField),
            ("limit=201", Code::InvalidField),
            ("limit=-1", Code::InvalidRequest),
            ("limit=", Code::InvalidRequest),
        ] {
            assert_eq!(Query::parse(text, &["limit"]).unwrap().limit(50, 200).unwrap_err().code(), code, "{text}");
        }
    }
}
