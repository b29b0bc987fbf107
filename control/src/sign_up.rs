//! Signing up: an account, its org and a first test app in one step, and the mail that verifies the address.

use crate::check;
use crate::link::to_verify;
use crate::orgs::FIRST_PLAN;
use crate::password;
use crate::sign_in::{SignedIn, check_password, normal};
use std::net::IpAddr;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::role::Mode;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Result};
use tokenim_store::{NewOrg, SignedUpOrg, Store};

/// Milliseconds between two mails that tell an account somebody signed up with its address: 1 h.
const TAKEN_MAIL_MS: i64 = 3_600_000;

/// Who wants to sign up.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Their address.
    pub email: String,
    /// The password they chose.
    pub password: Secret,
    /// Tag of the language they read.
    pub language: String,
    /// Name of their org.
    pub org: String,
    /// Name of its first app.
    pub app: String,
    /// From where they ask.
    pub address: Option<IpAddr>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum SignedUp {
    /// The account is new, and so is its org.
    Founded(SignedUpOrg),
    /// The account was there, and the password is its own: that is a sign-in.
    Known(SignedIn),
    /// The account was there; its owner was told by mail and the visitor must not be.
    Taken,
}

/// Signs up. An address that has an account costs the same time as a new one: one hash.
///
/// Errors: `invalid_field` for an address or password that is none or too easy; `overloaded`, `unavailable`.
pub async fn sign_up(store: &Store, wanted: SignUp) -> Result<SignedUp> {
    let email = normal(&wanted.email);
    check::email(&email)?;
    password::check_new(&wanted.password, &email)?;
    if store.find_account_by_email(&email).await?.is_some() {
        return known(store, &email, &wanted).await;
    }
    let new = NewOrg {
        password_hash: password::hash(&wanted.password, &**store.rng()).await?,
        org: wanted.org.clone(),
        app: wanted.app.clone(),
        mode: Mode::Test,
        plan: FIRST_PLAN,
        is_verified: false,
        is_operator: false,
        language: Some(wanted.language.clone()),
        email: email.clone(),
    };
    let link = to_verify(&email, &wanted.language, store.clock().now_ms(), &**store.rng());
    match store.sign_up(&new, &link, wanted.address).await {
        Ok(founded) => Ok(SignedUp::Founded(founded)),
        // Somebody signed up with the address meanwhile, for instance with the same form.
        Err(error) if error.code == Code::Conflict => known(store, &email, &wanted).await,
        Err(error) => Err(error),
    }
}

async fn known(store: &Store, email: &str, wanted: &SignUp) -> Result<SignedUp> {
    if let Some(signed_in) = check_password(store, email, &wanted.password).await? {
        return Ok(SignedUp::Known(signed_in));
    }
    let Some(account) = store.find_account_by_email(email).await? else { return Ok(SignedUp::Taken) };
    let matter = Matter::AddressTaken { sign_in_path: "/sign-in".to_owned(), reset_path: "/forgot".to_owned() };
    let language = account.language.unwrap_or_else(|| wanted.language.clone());
    let mail = Mail { to: account.email, language, matter };
    let hour = store.clock().now_ms() / TAKEN_MAIL_MS;
    store.enqueue_mail(None, &format!("taken:{}:{hour}", account.id), &mail).await?;
    Ok(SignedUp::Taken)
}
