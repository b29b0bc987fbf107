//! Roles as words of the interface.
use crate::text::Text;

/// The name of a stored role; one that is none is shown as it is.
#[must_use]
pub fn role_name(text: &Text, role: &str) -> String {
    text.get(match role {
        "owner" => "role-owner",
        "admin" => "role-admin",
        "developer" => "role-developer",
        "billing" => "role-billing",
        "viewer" => "role-viewer",
        other => return other.to_owned(),
    })
}

/// Several roles, one after the other.
#[must_use]
pub fn role_names<'a>(text: &Text, roles: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = roles.into_iter().map(|role| role_name(text, role)).collect();
    names.join(&text.get("role-and"))
}
