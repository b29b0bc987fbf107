//! Every role by every action by every target's role, through real sockets.

use crate::support::{Client, TestServer};
use serde_json::{Value, json};

/// Who acts: the app's server, each role, and somebody who is no member.
const ACTORS: [&str; 6] = ["server", "owner", "admin", "member", "guest", "stranger"];

/// Whom it is done to, by an actor of each kind: `y` done, `f` forbidden, `n` not found. Targets are others than the actor, but
/// for an owner, of whom there is one.
const TABLE: [(&str, &str, &str); 35] = [
    ("remove", "owner", "yffffn"),
    ("remove", "admin", "yyfffn"),
    ("remove", "member", "yyyffn"),
    ("remove", "guest", "yyyffn"),
    ("remove", "nobody", "yyyffn"),
    ("mute", "owner", "yffffn"),
    ("mute", "admin", "yyfffn"),
    ("mute", "member", "yyyffn"),
    ("mute", "guest", "yyyffn"),
    ("mute", "nobody", "nnnffn"),
    ("ban", "owner", "yffffn"),
    ("ban", "admin", "yyfffn"),
    ("ban", "member", "yyyffn"),
    ("ban", "guest", "yyyffn"),
    ("ban", "nobody", "yyyffn"),
    ("owner", "owner", "yffffn"),
    ("owner", "admin", "yyfffn"),
    ("owner", "member", "yyfffn"),
    ("owner", "guest", "yyfffn"),
    ("owner", "nobody", "nnnnnn"),
    ("admin", "owner", "yffffn"),
    ("admin", "admin", "yyfffn"),
    ("admin", "member", "yyfffn"),
    ("admin", "guest", "yyfffn"),
    ("admin", "nobody", "nnnnnn"),
    ("member", "owner", "yffffn"),
    ("member", "admin", "yyfffn"),
    ("member", "member", "yyyffn"),
    ("member", "guest", "yyyffn"),
    ("member", "nobody", "nnnnnn"),
    ("guest", "owner", "yffffn"),
    ("guest", "admin", "yyfffn"),
    ("guest", "member", "yyyffn"),
    ("guest", "guest", "yyyffn"),
    ("guest", "nobody", "nnnnnn"),
];

/// A connection of each who acts, and a group of two of each role.
struct Cast {
    server: TestServer,
    clients: Vec<Client>,
    groups: usize,
}

impl Cast {
    async fn new() -> Cast {
        let server = TestServer::spawn().await;
        let mut clients = Vec::new();
        for actor in &ACTORS[1..] {
            clients.push(server.connect(actor).await);
        }
        Cast { server, clients, groups: 0 }
    }

    fn client(&mut self, actor: &str) -> &mut Client {
        let at = ACTORS.iter().position(|known| *known == actor).unwrap() - 1;
        &mut self.clients[at]
    }

    /// A new group of the owner, admins `admin` and `admin2`, and so on.
    async fn group(&mut self) -> String {
        self.groups += 1;
        let id = format!("g{}", self.groups);
        let owner = self.client("owner");
        let members = ["admin", "admin2", "member", "member2", "guest", "guest2"];
        owner.ok("conversation.create", json!({"kind": "group", "id": id, "members": members})).await;
        for (user, role) in [("admin", "admin"), ("admin2", "admin"), ("guest", "guest"), ("guest2", "guest")] {
            owner.ok("conversation.role", json!({"conversation": id, "user": user, "role": role})).await;
        }
        id
    }

    /// What an actor hears: a letter of the table.
    async fn hears(&mut self, actor: &str, id: &str, action: &str, target: &str) -> char {
        let user = match target {
            "owner" | "nobody" => target.to_owned(),
            role => format!("{role}2"),
        };
        if actor == "server" {
            let base = format!("/v1/conversations/{id}");
            let rest = self.server.rest();
            let put = async |path: String, body: Value| {
                crate::support::rest::answer(rest.request(reqwest::Method::PUT, &path).json(&body)).await
            };
            let answer = match action {
                "remove" => rest.delete(&format!("{base}/members/{user}")).await,
                "mute" => put(format!("{base}/members/{user}/mute"), json!({"for_s": 60})).await,
                "ban" => put(format!("{base}/bans/{user}"), json!({})).await,
                role => put(format!("{base}/members/{user}/role"), json!({"role": role})).await,
            };
            let said = answer.json();
            return letter(said.get("error").map(|error| &error["code"]));
        }
        let client = self.client(actor);
        let (command, fields) = match action {
            "remove" => ("conversation.remove", json!({"conversation": id, "members": [user]})),
            "mute" => ("conversation.mute", json!({"conversation": id, "user": user, "for_s": 60})),
            "ban" => ("conversation.ban", json!({"conversation": id, "user": user})),
            role => ("conversation.role", json!({"conversation": id, "user": user, "role": role})),
        };
        let id = client.start(command, fields).await;
        let reply = client.reply(id).await;
        letter(reply.get("error").map(|error| &error["code"]))
    }
}

fn letter(code: Option<&Value>) -> char {
    match code.map(|code| code.as_str().unwrap()) {
        None => 'y',
        Some("forbidden") => 'f',
        Some("not_found") => 'n',
        Some(other) => panic!("{other}"),
    }
}

/// The members and their roles, as the server sees them.
async fn members(server: &TestServer, id: &str) -> Value {
    server.rest().get(&format!("/v1/conversations/{id}/members")).await.ok()["items"].take()
}

#[tokio::test]
async fn nobody_acts_on_an_equal_or_higher_rank() {
    let mut cast = Cast::new().await;
    for (action, target, expected) in TABLE {
        let mut heard = String::new();
        for actor in ACTORS {
            let id = cast.group().await;
            let before = members(&cast.server, &id).await;
            let letter = cast.hears(actor, &id, action, target).await;
            if letter != 'y' {
                assert_eq!(members(&cast.server, &id).await, before, "{actor} {action} {target}: refused, and changed");
            }
            heard.push(letter);
        }
        assert_eq!(heard, expected, "{action} {target}");
    }
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let mut cast = Cast::new().await;
    // A column for owner, admin, member, guest, stranger.
    for (command, more, expected) in [
        ("send", json!({"client_msg_id": "m", "kind": "text", "body": {"text": "x"}}), "yyyfn"),
        ("history", json!({}), "yyyyn"),
        ("read", json!({"seq": 1}), "yyyyn"),
        ("conversation.members", json!({}), "yyyyn"),
        ("conversation.update", json!({"name": "x"}), "yyffn"),
        ("conversation.update", json!({}), "yyffn"),
        ("conversation.add", json!({"members": ["new"]}), "yyffn"),
        ("conversation.requests", json!({}), "yyffn"),
        ("conversation.bans", json!({}), "yyffn"),
        ("conversation.decline", json!({"members": ["new"]}), "yyffn"),
        ("conversation.unban", json!({"user": "new"}), "yyffn"),
        ("conversation.leave", json!({}), "fyyyn"),
    ] {
        let mut heard = String::new();
        for actor in &ACTORS[1..] {
            let id = cast.group().await;
            let mut fields = more.clone();
            fields["conversation"] = json!(id);
            let client = cast.client(actor);
            let command = client.start(command, fields).await;
            heard.push(letter(client.reply(command).await.get("error").map(|error| &error["code"])));
        }
        assert_eq!(heard, expected, "{command} {more}");
    }
}

#[tokio::test]
async fn members_add_where_the_rule_lets_them_and_guests_never() {
    let mut cast = Cast::new().await;
    let id = cast.group().await;
    cast.client("admin").ok("conversation.update", json!({"conversation": id, "add": "members"})).await;
    let mut heard = String::new();
    for (at, actor) in ACTORS[1..].iter().enumerate() {
        let client = cast.client(actor);
        let fields = json!({"conversation": id, "members": [format!("new{at}")]});
        let command = client.start("conversation.add", fields).await;
        heard.push(letter(client.reply(command).await.get("error").map(|error| &error["code"])));
    }
    assert_eq!(heard, "yyyfn");
}

#[tokio::test]
async fn a_token_narrows_what_a_role_may() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let caps = json!({"g": ["read", "send"]});
    let token = crate::support::token::with_claims(&server.founded, "alice", json!({"caps": caps}));
    let mut alice = Client::connect(&server, &token).await;
    for (command, fields) in [
        ("conversation.update", json!({"conversation": "g", "name": "x"})),
        ("conversation.role", json!({"conversation": "g", "user": "bob", "role": "guest"})),
        ("conversation.mute", json!({"conversation": "g", "user": "bob", "for_s": 60})),
        ("conversation.ban", json!({"conversation": "g", "user": "bob"})),
        ("conversation.unban", json!({"conversation": "g", "user": "bob"})),
        ("conversation.bans", json!({"conversation": "g"})),
        ("conversation.requests", json!({"conversation": "g"})),
        ("conversation.decline", json!({"conversation": "g", "members": ["carol"]})),
        ("conversation.join", json!({"conversation": "g"})),
        ("conversation.leave", json!({"conversation": "g"})),
    ] {
        assert_eq!(alice.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    assert_eq!(server.rest().get("/v1/conversations/g").await.ok()["last_seq"], 1);
}
