//! Theme and language, kept in cookies; the language also with the account.
use serde::Deserialize;
use tokenim_templates::{frame::Theme, language::Language};

use crate::{
    answer,
    cookie::Cookie,
    fault::Fault,
    form::Form,
    routes::{Answer, RouteSpec, Who, post},
    sign_in::safe_next,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] =
    &[post("/console/preferences", Who::SignedIn, |visit, form| Box::pin(update(visit, form)))];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preferences {
    theme: Option<String>,
    language: Option<String>,
    #[serde(default)]
    return_to: String,
}

/// Keeps what was chosen and returns to the page it was chosen on.
async fn update(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let chosen: Preferences = form.parse()?;
    let console = visit.console;
    if let Some(name) = chosen.theme {
        let theme = Theme::from_name(&name).ok_or(Fault::Form)?;
        let (kept, cookie) = match theme {
            Theme::System => (None, Cookie::Theme.remove(&console.site)),
            Theme::Light | Theme::Dark => (Some(theme.name()), Cookie::Theme.set(theme.name(), &console.site)),
        };
        console.store.update_theme(visit.signed_in()?.account, kept).await?;
        visit.cookies.push(cookie);
    }
    if let Some(tag) = chosen.language {
        let language = Language::from_tag(&tag).ok_or(Fault::Form)?;
        console.store.update_language(visit.signed_in()?.account, language.tag()).await?;
        visit.cookies.push(Cookie::Language.set(language.tag(), &console.site));
    }
    Ok(answer::see_other(&without_language(safe_next(&chosen.return_to))))
}

/// The address without `lang=`, which would win over the choice just made.
fn without_language(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("lang=")).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_language_is_not_overruled_by_the_address() {
        assert_eq!(without_language("/console/usage?lang=en&range=7d"), "/console/usage?range=7d");
        assert_eq!(without_language("/console/usage?lang=en"), "/console/usage");
        assert_eq!(without_language("/console/usage"), "/console/usage");
    }
}
