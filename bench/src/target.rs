//! The server that is loaded, and what a run makes there: users, their tokens, conversations, connections.

use crate::failure::Failure;
use crate::http::Rest;
use crate::meter::Watched;
use crate::report::LeftBehind;
use crate::stream::Address;
use crate::tasks::Tasks;
use crate::websocket::Connection;
use serde::Deserialize;
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;

/// Calls, or connects, that are under way at a time while a run is prepared.
const CONCURRENCY: usize = 16;
/// Members that one call may name (docs/PROTOCOL.md §4).
const MEMBERS_A_CALL: usize = 1_000;

/// The server that is loaded.
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// The app's server key.
    pub key: String,
    /// Its process, if that is on this machine.
    pub watched: Option<Watched>,
    /// What the ids of the run's users and conversations begin with.
    pub prefix: String,
    users: Cell<usize>,
    conversations: Cell<usize>,
}

/// A user of the run.
#[derive(Debug, Clone)]
pub struct User {
    /// Its number, over all users of the run.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// Its token.
    pub token: String,
}

/// A conversation of the run, as it was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The incarnation of its log.
    pub epoch: i64,
    /// Where its log stands.
    pub seq: i64,
}

#[derive(Deserialize)]
struct Minted {
    token: String,
}

#[derive(Deserialize)]
struct Created {
    epoch: i64,
    last_seq: i64,
}

impl Target {
    /// A server, and a prefix that no other run has.
    #[must_use]
    pub fn new(address: Address, key: String, watched: Option<Watched>, prefix: String) -> Self {
        Target { address, key, watched, prefix, users: Cell::new(0), conversations: Cell::new(0) }
    }

    /// What the run has made so far.
    #[must_use]
    pub fn left_behind(&self) -> LeftBehind {
        let (prefix, users, conversations) = (self.prefix.clone(), self.users.get(), self.conversations.get());
        LeftBehind { prefix, users, conversations }
    }

    /// So many users with their tokens. Errors: the key is refused, or may not mint.
    pub async fn users(&self, count: usize) -> Result<Vec<User>, Failure> {
        let first = self.users.replace(self.users.get() + count);
        let ids: Vec<_> = (first..first + count).map(|number| format!("{}-u{number}", self.prefix)).collect();
        let calls = ids.iter().map(|id| ("/v1/tokens".to_owned(), json!({"user": id, "ttl_s": 21_600}).to_string()));
        let minted = self.post_all(calls.collect()).await?;
        let users = (first..).zip(ids).zip(minted).map(|((number, id), answer)| {
            let Minted { token } = serde_json::from_str(&answer)?;
            Ok(User { number, id, token })
        });
        users.collect()
    }

    /// A conversation for each of these lists of users, whose first owns it.
    pub async fn conversations(&self, kind: &str, lists: Vec<Vec<String>>) -> Result<Vec<Made>, Failure> {
        let first = self.conversations.replace(self.conversations.get() + lists.len());
        let ids: Vec<_> = (first..first + lists.len()).map(|number| format!("{}-c{number}", self.prefix)).collect();
        let (mut new, mut more) = (Vec::new(), Vec::new());
        for (id, members) in ids.iter().zip(&lists) {
            let mut parts = members.chunks(MEMBERS_A_CALL);
            let first = json!({"kind": kind, "id": id, "members": parts.next()});
            new.push(("/v1/conversations".to_owned(), first.to_string()));
            let added = |part| (format!("/v1/conversations/{id}/members"), json!({"members": part}).to_string());
            more.extend(parts.map(added));
        }
        let created = self.post_all(new).await?;
        self.post_all(more).await?;
        let made = ids.into_iter().zip(lists).zip(created).map(|((id, members), answer)| {
            let Created { epoch, last_seq } = serde_json::from_str(&answer)?;
            let added = members.len().div_ceil(MEMBERS_A_CALL).saturating_sub(1) as i64;
            Ok(Made { id, epoch, seq: last_seq + added })
        });
        made.collect()
    }

    /// Posts everything, a few calls at a time; the answers, in their order.
    pub async fn post_all(&self, posts: Vec<(String, String)>) -> Result<Vec<String>, Failure> {
        let (count, posts, next) = (posts.len(), Rc::new(posts), Rc::new(Cell::new(0)));
        let mut workers = Tasks::default();
        for _ in 0..CONCURRENCY.min(count) {
            let (posts, next) = (posts.clone(), next.clone());
            let mut rest = Rest::connect(&self.address, &self.key).await?;
            workers.start(async move {
                let mut answers = Vec::new();
                loop {
                    let at = next.replace(next.get() + 1);
                    let Some((path, json)) = posts.get(at) else { return Ok(answers) };
                    answers.push((at, rest.post(path, json).await.map_err(explained)?));
                }
            });
        }
        let mut answers: Vec<_> = workers.all().await?.into_iter().flatten().collect();
        answers.sort_unstable_by_key(|(at, _)| *at);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Connects these users, a few at a time, in their order.
    pub async fn connect(&self, users: &[User]) -> Result<Vec<Connection>, Failure> {
        let (count, users, next) = (users.len(), Rc::new(users.to_vec()), Rc::new(Cell::new(0)));
        let mut workers = Tasks::default();
        for _ in 0..CONCURRENCY.min(count) {
            let (users, next, address) = (users.clone(), next.clone(), self.address.clone());
            workers.start(async move {
                let mut opened = Vec::new();
                loop {
                    let at = next.replace(next.get() + 1);
                    let Some(user) = users.get(at) else { return Ok(opened) };
                    opened.push((at, Connection::open(&address.for_connection(user.number), &user.token, "").await?));
                }
            });
        }
        let mut opened: Vec<_> = workers.all().await?.into_iter().flatten().collect();
        opened.sort_unstable_by_key(|(at, _)| *at);
        Ok(opened.into_iter().map(|(_, connection)| connection).collect())
    }
}

/// What the person who started it can do about a refusal of the key.
fn explained(failure: Failure) -> Failure {
    let hint = match failure.refusal.as_ref().map(|refusal| refusal.code.as_str()) {
        Some("unauthenticated" | "key_malformed" | "key_unknown" | "key_revoked" | "key_expired" | "key_rotated") => {
            "the key is refused: it must be a server key (tim_…_sk_…) of an app on this very server"
        }
        Some("scope_missing") => "the key's scopes are too narrow: the run mints tokens, makes conversations and sends",
        Some("org_suspended" | "app_suspended") => "the app may not be used",
        Some(_) => return failure,
        None => "that is no answer of tokenim; is the URL right?",
    };
    Failure::refused(format!("{hint} ({failure})"), failure.refusal)
}
