//! Every page × every role, from the table of roles: who may gets an answer, who may not is told which roles may.

use super::{accept, invited, location, send};
use crate::support::TestServer;
use crate::support::page::{Console, token};
use tokenim_dashboard::{RouteSpec, Verb, Who, routes};
use tokenim_domain::role::OrgRole;

/// A path of a route about things of the org.
fn path(route: &RouteSpec, server: &TestServer) -> String {
    let path = route.path.replace("{app}", &server.founded.app).replace("{account}", &server.founded.account);
    path.replace("{key}", &server.founded.signing.kid).replace("{id}", "inv_00000000000000000000000000")
}

#[tokio::test]
async fn every_cell_of_the_table_of_roles() {
    let server = TestServer::spawn().await;
    let (mut ada, mut bob) =
        (Console::sign_in(&server, &server.founded).await, Console::sign_in(&server, &server.other).await);
    let link = invited(&server, &mut ada, &server.other, "owner").await;
    accept(&mut bob, &link).await;
    let one = format!("/console/members/{}", server.other.account);
    let mut is = "owner";
    let mut cells = 0;
    for role in OrgRole::ALL {
        let change = [("from", is), ("role", role.as_str())];
        assert_eq!(location(&send(&mut ada, &one, &format!("{one}/role"), &change).await), "/console/members");
        is = role.as_str();
        let csrf = token(&bob.get("/console/orgs").await).to_owned();
        for route in routes() {
            let Who::May(action) = route.who else { continue };
            // A stream has no end to wait for; its own test asks for it.
            if route.path == "/console/stream" {
                continue;
            }
            let answer = match route.verb {
                Verb::Get => bob.get(&path(route, &server)).await,
                Verb::Post => bob.post(&path(route, &server), &[("csrf", &csrf)]).await,
            };
            let is_refused = answer.status == 403 && answer.text.contains("<code>forbidden</code>");
            assert_eq!(is_refused, !role.may(action), "{role:?} {} {}: {}", route.path, answer.status, answer.text);
            assert!(answer.status < 500, "{} {}", route.path, answer.text);
            cells += 1;
        }
    }
    assert!(cells >= 5 * OrgRole::ALL.len(), "{cells} cells");
}
