//! Checks answers against the OpenAPI document: the part of JSON Schema that the document uses.

use crate::{document, routes};
use serde_json::Value;

/// Panics where the answer is not what the document promises for that route and status.
pub(super) fn check(method: &str, path: &str, status: u16, answer: &Value) {
    let document: Value = serde_json::from_str(&document("").to_json().unwrap()).unwrap();
    let spec = routes().find(|spec| spec.verb.method().as_str() == method && matches(spec.path, path));
    let schema = match spec {
        Some(spec) => {
            let responses = &document["paths"][spec.path][method.to_lowercase()]["responses"];
            let response = &responses[status.to_string()];
            assert!(response.is_object(), "{method} {path} answered {status}, which is not documented: {answer}");
            response["content"]["application/json"]["schema"].clone()
        }
        None => serde_json::json!({"$ref": "#/components/schemas/ErrorReply"}),
    };
    if let Err(problem) = fits(&document, &schema, answer, Others::Refused) {
        panic!("{method} {path} {status}: {problem}\n{answer}");
    }
}

fn matches(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(part, real)| part.starts_with('{') || part == real)
}

/// Whether an object may have fields that its schema does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// An object that one schema describes whole.
    Refused,
    /// An object that several schemas describe together.
    Allowed,
}

fn fits(document: &Value, schema: &Value, value: &Value, others: Others) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).ok_or_else(|| format!("no {reference}"))?;
        return fits(document, target, value, others);
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let misses: Vec<_> = options.iter().filter_map(|option| fits(document, option, value, others).err()).collect();
        return if misses.len() + 1 == options.len() { Ok(()) } else { Err(format!("not exactly one of: {misses:?}")) };
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().try_for_each(|part| fits(document, part, value, Others::Allowed));
    }
    if let Some(known) = schema["enum"].as_array() {
        return if known.contains(value) { Ok(()) } else { Err(format!("{value} is not in {known:?}")) };
    }
    fits_type(&schema["type"], value)?;
    if let Some(items) = value.as_array().filter(|_| schema["items"].is_object()) {
        return items.iter().try_for_each(|item| fits(document, &schema["items"], item, Others::Refused));
    }
    match value.as_object() {
        Some(fields) => fits_fields(document, schema, fields, others),
        None => Ok(()),
    }
}

fn fits_type(wanted: &Value, value: &Value) -> Result<(), String> {
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_fit = match wanted {
        Value::String(name) => name == actual,
        Value::Array(names) => names.iter().any(|name| name == actual),
        _ => true,
    };
    if is_fit { Ok(()) } else { Err(format!("{value} is not {wanted}")) }
}

fn fits_fields(
    document: &Value,
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    others: Others,
) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap_or_default()) {
            return Err(format!("{name} is missing"));
        }
    }
    let Some(known) = schema["properties"].as_object() else { return Ok(()) };
    for (name, value) in fields {
        match known.get(name) {
            Some(field) => {
                fits(document, field, value, Others::Refused).map_err(|problem| format!("{name}: {problem}"))?;
            }
            None if others == Others::Refused => return Err(format!("{name} is not documented")),
            None => {}
        }
    }
    Ok(())
}
