//! Pages of the provisioning API's lists: keyset pages by id, the oldest first where a list does not say otherwise.

use crate::fault::Fault;
use crate::query::Query;
use actix_web::HttpRequest;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use tokenim_domain::Error;
use tokenim_store::OrgScope;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// Items of a page when the call names no `limit`.
const DEFAULT: u32 = 50;
/// Items of a page at most.
const MAX: u32 = 200;
const CURSOR_PREFIX: &str = "cur_";

/// What every list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes in the OpenAPI document what `Ask::read` reads")]
pub(crate) struct Paging {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items of the page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of a list, by id.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// For `cursor`; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// By hand: the derived schema of a generic type holds its items' schema again instead of naming it.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let text_or_null = SchemaType::from_iter([Type::String, Type::Null]);
        let cursor = ObjectBuilder::new().schema_type(text_or_null).description(Some("For `cursor`; null at the end."));
        let page = ObjectBuilder::new().description(Some("A page of a list, by id."));
        page.property("items", items).required("items").property("next_cursor", cursor).into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T> Page<T> {
    /// The page as it is shown.
    pub(crate) fn map<V>(self, view: impl Fn(T) -> V) -> Page<V> {
        Page { items: self.items.into_iter().map(view).collect(), next_cursor: self.next_cursor }
    }

    /// The same with the name beside the id of who made each item, where the org may see one.
    ///
    /// Errors: the store's.
    pub(crate) async fn named<V>(
        self,
        org: OrgScope<'_>,
        maker: impl Fn(&T) -> Option<&str>,
        view: impl Fn(T, Option<String>) -> V,
    ) -> Result<Page<V>, Error> {
        let names = org.actor_names(self.items.iter().filter_map(&maker)).await?;
        Ok(self.map(|item| {
            let name = maker(&item).and_then(|id| names.get(id)).cloned();
            view(item, name)
        }))
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct Ask<I> {
    /// The last item of the page before.
    pub(crate) after: Option<I>,
    limit: u32,
}

impl<I: FromStr + Display> Ask<I> {
    /// Reads `cursor` and `limit`, beside `org` and what else the list knows.
    ///
    /// Errors: `invalid_request`, `invalid_field`.
    pub(crate) fn read(request: &HttpRequest, more: &[&str]) -> Result<(Self, Query), Fault> {
        let query = Query::read(request, &[&["org", "cursor", "limit"], more].concat())?;
        let after = query.text("cursor").map(read_cursor).transpose()?;
        Ok((Ask { after, limit: query.limit(DEFAULT, MAX)? }, query))
    }

    /// How many rows to read: one more than the page holds tells whether there is another page.
    pub(crate) fn rows(&self) -> u64 {
        u64::from(self.limit) + 1
    }

    /// The page of these rows, whose cursor is the id of its last one.
    pub(crate) fn page<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> I) -> Page<T> {
        let limit = self.limit as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| has_more).map(|last| format!("{CURSOR_PREFIX}{}", id(last)));
        Page { items, next_cursor }
    }
}

fn read_cursor<I: FromStr>(text: &str) -> Result<I, Fault> {
    let id = text.strip_prefix(CURSOR_PREFIX).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::invalid("cursor", "`cursor` must be the `next_cursor` of a page of this list").into())
}
