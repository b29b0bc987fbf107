//! The document is whole: exactly the routes, each with its security, its errors and schemas that exist.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where the server is.
const ORIGIN: &str = "https://chat.example";

fn json() -> Value {
    serde_json::from_str(&document(ORIGIN).to_json().unwrap()).unwrap()
}

/// The content type of a success.
fn form(path: &str) -> &'static str {
    let is_file = path.starts_with("/v1/attachments/") || path.ends_with("/attachments/{attachment}");
    match path {
        "/v1/stream" => "text/event-stream",
        _ if is_file => "application/octet-stream",
        _ => "application/json",
    }
}

#[test]
fn an_envelope_names_every_command() {
    let json = json();
    let properties = json["components"]["schemas"]["Envelope"]["oneOf"][0]["properties"].as_object().unwrap();
    let commands: BTreeSet<_> = tokenim_protocol::command::Command::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(properties.keys().map(String::as_str).filter(|name| *name != "id").collect::<BTreeSet<_>>(), commands);
}

fn operations(json: &Value) -> Vec<(String, String, &Value)> {
    let paths = json["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'_ Value)| -> Vec<(String, String)> {
        item.as_object().unwrap().keys().map(|verb| (path.clone(), verb.clone())).collect()
    };
    let names: Vec<_> = paths.iter().flat_map(of_path).collect();
    names
        .into_iter()
        .map(|(path, verb)| {
            let op = &json["paths"][&path][&verb];
            (path, verb, op)
        })
        .collect()
}

#[test]
fn the_document_has_exactly_the_routes() {
    let json = json();
    assert_eq!(json["openapi"], "3.1.0");
    assert_eq!(json["externalDocs"]["url"], "https://chat.example/docs");
    let documented: BTreeSet<_> = operations(&json).into_iter().map(|(path, verb, _)| (path, verb)).collect();
    let served: BTreeSet<_> = routes()
        .chain(session_routes())
        .map(|spec| (spec.path.to_owned(), spec.verb.method().to_string().to_lowercase()))
        .collect();
    assert_eq!(documented, served);
}

#[test]
fn every_operation_has_its_name_security_errors_and_path_parameters() {
    let json = json();
    let mut names = BTreeSet::new();
    for (path, verb, operation) in operations(&json) {
        let spec = routes()
            .chain(session_routes())
            .find(|spec| spec.path == path && spec.verb.method().to_string().to_lowercase() == verb)
            .unwrap();
        assert_eq!(operation["operationId"], spec.operation);
        assert!(names.insert(spec.operation), "{} is used twice", spec.operation);
        let schemes: Vec<_> = operation["security"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|need| need.as_object().unwrap().keys())
            .collect();
        let expected: &[&str] = match spec.who {
            Who::Public => &[],
            Who::ServerKey(_) => &["server_key"],
            Who::KeyOrUser(_) => &["server_key", "user_token"],
            Who::ManagementKey(_) => &["management_key", "operator_key"],
            Who::OperatorKey => &["operator_key"],
            Who::User => &["user_token"],
        };
        assert_eq!(schemes, expected, "{path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses["200"]["content"][form(&path)]["schema"].is_object(), "{verb} {path}");
        for (_, response) in responses.iter().filter(|(status, _)| *status != "200") {
            assert_eq!(
                response["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/ErrorReply",
                "{path}"
            );
        }
        assert!(responses.contains_key("500") && (spec.who == Who::Public || responses.contains_key("401")), "{path}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: BTreeSet<_> = parameters
            .iter()
            .filter(|one| one["in"] == "path")
            .map(|one| format!("{{{}}}", one["name"].as_str().unwrap()))
            .collect();
        let placeholders: BTreeSet<_> =
            path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(in_path, placeholders);
        assert_eq!(spec.verb.has_body(), operation["requestBody"].is_object(), "{path}");
        assert_eq!(spec.is_idempotent(), parameters.iter().any(|one| one["name"] == "Idempotency-Key"), "{path}");
    }
}

#[test]
fn a_body_without_required_fields_may_be_left_out() {
    let json = json();
    let is_required = |path: &str| json["paths"][path]["post"]["requestBody"]["required"] == true;
    assert!(is_required("/v1/manage/orgs") && is_required("/v1/manage/orgs/{org}/transfer"));
    for path in ["/v1/manage/orgs/{org}/suspend", "/v1/manage/keys/{id}/rotate", "/v1/manage/dead-jobs/{job}/retry"] {
        assert!(!is_required(path), "{path}");
    }
}

#[test]
fn every_reference_leads_to_a_schema() {
    let json = json();
    let mut seen = BTreeSet::new();
    collect(&json, &mut seen);
    assert!(seen.len() > 10, "{seen:?}");
    for reference in seen {
        let place = reference.strip_prefix('#').unwrap();
        assert!(json.pointer(place).is_some(), "{reference}");
    }
}

fn collect(value: &Value, seen: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            seen.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| collect(inner, seen));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
