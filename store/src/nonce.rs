//! Forms that were sent: the nonce of each works once per console session.

use crate::{Store, fault, sql};
use tokenim_domain::Result;
use tokenim_domain::id::SessionId;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;
/// How long a nonce is remembered, in milliseconds: a day, longer than any console session lives.
const KEPT_MS: i64 = 24 * 3_600_000;
/// Expired nonces that a form forgets on its way: more than it adds, so that what piled up is worked off.
const FORGOTTEN_MAX: i64 = 16;

const FORGET: &str = "
DELETE FROM form_nonce WHERE (session_hash, nonce) IN
    (SELECT session_hash, nonce FROM form_nonce WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)";
const USE: &str = "
INSERT INTO form_nonce (session_hash, nonce, created_ms) VALUES ($1, $2, $3)
ON CONFLICT (session_hash, nonce) DO NOTHING";
const GIVE_BACK: &str = "DELETE FROM form_nonce WHERE session_hash = $1 AND nonce = $2";

impl Store {
    /// Uses a nonce; whether it was unused.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn use_nonce(&self, session: SessionId, nonce: [u8; NONCE_BYTES]) -> Result<bool> {
        let now = self.clock.now_ms();
        sql::run(&self.writer, FORGET, [(now - KEPT_MS).into(), FORGOTTEN_MAX.into()]).await.map_err(fault::query)?;
        let values = [key(session).into(), nonce.to_vec().into(), now.into()];
        Ok(sql::run(&self.writer, USE, values).await.map_err(fault::query)? == 1)
    }

    /// Gives a nonce back, because its form failed for a fault of ours and may be sent again.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn give_nonce_back(&self, session: SessionId, nonce: [u8; NONCE_BYTES]) -> Result<()> {
        let values = [key(session).into(), nonce.to_vec().into()];
        sql::run(&self.writer, GIVE_BACK, values).await.map(drop).map_err(fault::query)
    }
}

/// A session is named by the id that it keeps when its cookie changes.
fn key(session: SessionId) -> Vec<u8> {
    tokenim_domain::secret::sha256(session.to_string().as_bytes()).to_vec()
}
