//! The first org of an installation, or another one: account, org, app and keys in one step.

use crate::check;
use crate::password;
use crate::sign_in::normal;
use tokenim_domain::key::random_base62;
use tokenim_domain::role::Mode;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{FoundedOrg, NewOrg, Store};

/// Characters of a password that we make: 119 bits.
const PASSWORD_CHARS: usize = 20;
/// The plan without quotas.
const PLAN: &str = "operator";

/// What to make.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The operator's address.
    pub email: String,
    /// Name of the org.
    pub org: String,
    /// Name of its first app.
    pub app: String,
    /// The operator's password; `None` = one is made.
    pub password: Option<Secret>,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Bootstrapped {
    /// Account, app and keys.
    pub org: FoundedOrg,
    /// The password, where one was made; shown once.
    pub password: Option<Secret>,
}

/// Makes an org with its operator, a live app and the app's first keys. An account that exists keeps its password.
///
/// Errors: `invalid_field` for an address, name or password that is none; `conflict` where a password is given for an
/// account that has one; `email_unverified` where the account never verified its address; the store's.
pub async fn bootstrap(store: &Store, wanted: Bootstrap) -> Result<Bootstrapped> {
    let email = normal(&wanted.email);
    check::email(&email)?;
    for (param, name) in [("org", &wanted.org), ("app", &wanted.app)] {
        check::name(name).map_err(|error| error.at(param))?;
    }
    let exists = store.find_account_by_email(&email).await?.is_some();
    if exists && wanted.password.is_some() {
        return Err(
            Error::new(Code::Conflict).says("this account exists and keeps its password; leave the password out")
        );
    }
    let made =
        (!exists && wanted.password.is_none()).then(|| Secret::new(random_base62(PASSWORD_CHARS, &**store.rng())));
    let password_hash = match wanted.password.as_ref().or(made.as_ref()) {
        Some(secret) => password::hash(secret, &**store.rng()).await?,
        None => String::new(),
    };
    let new = NewOrg {
        email,
        password_hash,
        org: wanted.org,
        app: wanted.app,
        mode: Mode::Live,
        plan: PLAN,
        is_verified: true,
        is_operator: true,
        language: None,
    };
    Ok(Bootstrapped { org: store.found_org(&new).await?, password: made })
}
