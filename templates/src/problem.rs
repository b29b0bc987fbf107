//! What is wrong with a form, in the visitor's language: a summary linked to the fields, and a sentence at each.
use crate::text::Text;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field's name, which is also its id in the document; empty where it is the form as a whole.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub sentence: String,
}

/// Everything that is wrong with a form; nothing for a form that was not sent yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Nothing is wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One problem, by the stable code and field of the refusal; `wait_s` where it passes by itself.
    #[must_use]
    pub fn of_code(text: Text, code: &str, field: Option<&'static str>, wait_s: i64) -> Self {
        let field = field.unwrap_or_default();
        Self(vec![Problem { field, sentence: sentence(text, code, field, wait_s) }])
    }

    /// One problem in other words.
    #[must_use]
    pub fn of_sentence(field: &'static str, sentence: String) -> Self {
        Self(vec![Problem { field, sentence }])
    }

    /// A private key stands where a public one belongs.
    #[must_use]
    pub fn of_private_key(text: Text, field: &'static str) -> Self {
        Self::of_sentence(field, text.get("problem-private-key"))
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, for the summary.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// Whether this field has one.
    #[must_use]
    pub fn at(&self, field: &str) -> bool {
        self.0.iter().any(|problem| problem.field == field)
    }
}

/// The sentence of a code at a field. A code that has none here is told as a value that is not allowed.
fn sentence(text: Text, code: &str, field: &str, wait_s: i64) -> String {
    let key = match (code, field) {
        ("rate_limited" | "overloaded", _) if wait_s > 0 => return text.count("problem-limited", &wait_s, wait_s),
        ("overloaded" | "unavailable", _) => "problem-busy",
        ("email_unverified", _) => "problem-unverified",
        ("limit_reached" | "plan_limit", _) => "problem-limit",
        ("last_owner", _) => "problem-last-owner",
        ("invitation_used" | "invitation_revoked" | "invitation_expired", _) => "problem-invitation",
        ("conflict", "email") => "problem-invited",
        ("conflict", _) => "problem-conflict",
        ("forbidden", _) => "problem-forbidden",
        (_, "email") => "problem-email",
        (_, "password") => "problem-password",
        (_, "new_password") => "problem-new-password",
        (_, "code") => "problem-code",
        (_, "typed_name") => "problem-typed-name",
        (_, "origin") => "problem-origin",
        (_, "scopes") => "problem-scopes",
        (_, "days") => "problem-days",
        (_, "public_key") => "problem-public-key",
        (_, "name" | "key_name") => "problem-name",
        (_, "requires_totp") => "problem-own-totp",
        (_, "typed") => "problem-typed",
        (_, "reason") => "problem-reason",
        (_, "title_en" | "title_zh") => "problem-title",
        (_, "text_en" | "text_zh") => "problem-text",
        (_, "starts_at") => "problem-starts",
        (_, "ends_at") => "problem-ends",
        _ => "problem-value",
    };
    text.get(key)
}
