//! Documents that must say what the code does.

mod protocol;
mod served;

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

/// The types of pushes: what the writers of the protocol put behind `"type":`, and the types of amendments.
fn pushes() -> Vec<String> {
    let (event, amended) = (read("protocol/src/event.rs"), read("domain/src/log/amend.rs"));
    let written = [read("protocol/src/reply.rs"), read("protocol/src/live.rs")].concat();
    let opened = event.split("open(out, \"").skip(1);
    let written = written.split("\"type\":\"").skip(1);
    let (_, of_acts) = amended.split_once("fn event_type(").unwrap();
    let acts = of_acts.split_once("\n    }\n").unwrap().0.split("=> \"").skip(1);
    let mut types: Vec<_> =
        opened.chain(written).chain(acts).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    types.sort();
    types.dedup();
    assert_eq!(
        types,
        [
            "conversation",
            "deleted",
            "drain",
            "edited",
            "ended",
            "ephemeral",
            "head",
            "join_request",
            "member",
            "message",
            "notice",
            "ping",
            "pinned",
            "presence",
            "reaction",
            "receipt",
            "resync",
            "stream",
            "typing"
        ],
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

/// The words in backticks of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_form_of_the_console_has_its_call_or_is_a_persons_own() {
    let manual = read("docs/MANAGE.md");
    let (_, section) = manual.split_once("## 12. The console in calls").unwrap();
    let (section, _) = section.split_once("## 13.").unwrap();
    let (table, own) = section.split_once("A person's own").unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ").filter(|row| row.starts_with('`'))?.split_once(" | "))
        .collect();
    assert!(rows.len() > 30, "the reading of docs/MANAGE.md is out of date");
    let pages: Vec<_> = rows.iter().flat_map(|(pages, _)| words(pages)).collect();
    let calls: Vec<_> = tokenim_api::routes().map(|spec| format!("{} {}", spec.verb.method(), spec.path)).collect();
    for call in rows.iter().flat_map(|(_, calls)| words(calls)) {
        assert!(calls.iter().any(|known| known == call), "docs/MANAGE.md names `{call}`, which is no call");
    }
    let paths: Vec<_> = tokenim_dashboard::routes().map(|spec| spec.path).collect();
    for page in pages.iter().copied().chain(words(own).filter(|word| !word.ends_with('…'))) {
        assert!(paths.contains(&page), "docs/MANAGE.md names `{page}`, which is no page or form");
    }
    let is_own = |path: &str| {
        words(own).any(|word| word.strip_suffix('…').map_or(path == word, |start| path.starts_with(start)))
    };
    for spec in tokenim_dashboard::routes().filter(|spec| spec.verb == tokenim_dashboard::Verb::Post) {
        let has_call = pages.contains(&spec.path);
        assert!(
            has_call != is_own(spec.path),
            "{} stands in neither list of docs/MANAGE.md §12, or in both",
            spec.path
        );
    }
}
