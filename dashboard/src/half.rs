//! A sign-in between its two steps: the password was right, the code is still to come. Sealed in a cookie for a few minutes.
use tokenim_domain::{Error, secret::sha256};
use tokenim_store::Account;

use crate::{
    cookie::{self, Cookie},
    visit::Visit,
};

/// Milliseconds between the two steps at most: 5 min.
const HALF_MS: i64 = 5 * 60_000;
const SEAL_PURPOSE: &str = "half sign-in";

/// Notes that the password was right.
pub(crate) fn begin(visit: &mut Visit<'_>, account: &Account) -> Result<(), Error> {
    let text = format!("{} {} {}", account.id, visit.now_ms + HALF_MS, password_mark(account));
    let sealed = visit.console.store.master().seal(SEAL_PURPOSE, text.as_bytes(), visit.console.rng())?;
    visit.cookies.push(Cookie::Half.set(&cookie::encode(&sealed), &visit.console.site));
    Ok(())
}

/// Whose password was right; none where it was too long ago, or the password is another one now.
pub(crate) async fn find(visit: &Visit<'_>) -> Result<Option<Account>, Error> {
    let Some((id, mark)) = read(visit) else { return Ok(None) };
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(visit.console.store.find_account(id).await?.filter(|account| password_mark(account) == mark))
}

/// The sign-in is over, one way or the other.
pub(crate) fn end(visit: &mut Visit<'_>) {
    visit.cookies.push(Cookie::Half.remove(&visit.console.site));
}

/// The account's id and the mark of its password, while the time is not over.
fn read(visit: &Visit<'_>) -> Option<(String, String)> {
    let sealed = cookie::decode_all(Cookie::Half.read(visit.request, &visit.console.site)?)?;
    let text = String::from_utf8(visit.console.store.master().open(SEAL_PURPOSE, &sealed).ok()?).ok()?;
    let mut words = text.split(' ');
    let (id, end_ms, mark) = (words.next()?, words.next()?.parse::<i64>().ok()?, words.next()?);
    (visit.now_ms < end_ms).then(|| (id.to_owned(), mark.to_owned()))
}

/// Tells one password of an account from another.
fn password_mark(account: &Account) -> String {
    cookie::encode(&sha256(account.password_hash.as_bytes())[..8])
}
