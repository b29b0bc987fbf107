//! Documents that must say what the code does.

use std::fs;
use std::path::{Path, PathBuf};
use tokenim_protocol::command::Command;

/// A file of the repository.
fn read(path: &str) -> String {
    let file = root().join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_error_table_is_the_codes() {
    let expected = tokenim_protocol::code::errors_markdown();
    assert_eq!(read("docs/ERRORS.md"), expected, "docs/ERRORS.md must hold exactly this:\n{expected}");
}

#[test]
fn the_protocol_document_names_every_command_and_push() {
    let text = read("docs/PROTOCOL.md");
    for command in Command::ALL {
        assert!(
            text.contains(&format!("`{}`", command.name())),
            "docs/PROTOCOL.md does not name the command `{}`",
            command.name()
        );
    }
    for push in pushes() {
        assert!(text.contains(&format!("`{push}`")), "docs/PROTOCOL.md does not name the push `{push}`");
    }
}

/// The types of pushes: what the writers of the protocol put behind `"type":`.
fn pushes() -> Vec<String> {
    let (event, reply) = (read("protocol/src/event.rs"), read("protocol/src/reply.rs"));
    let opened = event.split("open(out, \"").skip(1);
    let written = reply.split("\"type\":\"").skip(1);
    let mut types: Vec<_> = opened.chain(written).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    types.sort();
    types.dedup();
    assert_eq!(
        types,
        ["drain", "member", "message", "ping", "receipt", "resync"],
        "the reading of protocol/src is out of date"
    );
    types
}

#[test]
fn the_readmes_commands_exist() {
    let readme = read("README.md");
    let code: Vec<_> = readme
        .split("```")
        .skip(1)
        .step_by(2)
        .flat_map(str::lines)
        .map(|line| line.trim_start_matches("$ ").trim())
        .collect();
    let scripts: Vec<_> = code.iter().filter_map(|line| line.strip_prefix("./scripts/")).collect();
    assert!(!scripts.is_empty(), "the README names ./scripts/test");
    for script in scripts {
        let name = script.split_whitespace().next().unwrap();
        assert!(root().join("scripts").join(name).exists(), "./scripts/{name}");
    }
    assert!(code.contains(&"cargo run --release"), "the README names cargo run --release");
    let help = crate::support::template::run(crate::support::template::tokenim().arg("--help"));
    for line in code
        .iter()
        .filter_map(|line| line.strip_prefix("cargo run --release -- ").or_else(|| line.strip_prefix("tokenim ")))
    {
        let word = line.split_whitespace().next().unwrap();
        assert!(
            help.contains(&format!("  {word} ")) || help.contains(&format!("  {word}\n")),
            "`tokenim {word}` of the README is no command:\n{help}"
        );
    }
}
