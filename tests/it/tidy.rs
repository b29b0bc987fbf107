//! Rules of the house that no compiler checks: borders between packages, first lines, names, and what is banned outright.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Packages that may link actix, and files that may name it where that is not the whole package.
const ACTIX: &[(&str, &[&str])] = &[
    ("gateway", &["gateway/src/transport.rs", "gateway/src/transport/"]),
    ("api", &["api/"]),
    ("dashboard", &["dashboard/"]),
];

/// Packages that may link SeaORM, and files that may name it.
const SEA_ORM: &[(&str, &[&str])] =
    &[("store", &["store/"]), ("migrations", &["migrations/"]), ("domain", &["domain/src/id.rs"])];

/// What starts a task or a queue that nobody owns or bounds.
const BANNED: &[&str] = &[
    "unbounded_channel",
    "UnboundedSender",
    "tokio::spawn(",
    "task::spawn(",
    "spawn_local(",
    "thread::spawn(",
    "actix_rt::spawn(",
    "rt::spawn(",
    "thread::sleep(",
];

/// Where one of them is right: a connection's task ends with its socket, and the registry counts it for the drain.
/// The load generator's tasks are a set's, on its one thread.
const BANNED_BUT: &[(&str, &str)] = &[
    ("gateway/src/transport.rs", "actix_rt::spawn("),
    ("gateway/src/transport/worker.rs", "actix_rt::spawn(coop::unconstrained(answer("),
    ("bench/src/tasks.rs", "spawn_local("),
    ("api/src/api.rs", "self.tasks.spawn_local("),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Every Rust file of the repository, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules", "data"].contains(&name.as_str()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.insert(relative, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 100, "{} files", found.len());
    found
}

/// Files that are compiled for tests only: those of `tests/`, and modules declared behind `#[cfg(test)]`.
fn test_files(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = vec!["tests/".to_owned()];
    for (path, text) in sources {
        let (folder, file) = path.rsplit_once('/').unwrap();
        let is_crate = file == "lib.rs" || file == "main.rs";
        let inside = if is_crate { folder } else { path.trim_end_matches(".rs") };
        for declared in text.split("#[cfg(test)]\nmod ").skip(1) {
            let name = declared.split([';', ' ']).next().unwrap();
            found.extend([format!("{inside}/{name}.rs"), format!("{inside}/{name}/")]);
        }
    }
    found
}

/// Every Rust file of the product.
fn product() -> BTreeMap<String, String> {
    let all = sources();
    let tests = test_files(&all);
    all.into_iter().filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test))).collect()
}

/// The product's own lines of a file: neither comments nor its inline tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    (1..).zip(product.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn manifest(folder: &str) -> Table {
    let file = root().join(folder).join("Cargo.toml");
    fs::read_to_string(&file).unwrap().parse().unwrap()
}

/// Packages that a folder's product links.
fn dependencies(folder: &str) -> Vec<String> {
    manifest(folder)
        .get("dependencies")
        .and_then(Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

/// Member folders of the workspace, without the root.
fn members() -> Vec<String> {
    let workspace = manifest(".")["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    workspace.into_iter().filter(|member| member != ".").collect()
}

fn fail_if_any(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// What each folder may use of ours: the table of ARCHITECTURE.md. Folders of one row may use each other.
fn may_use() -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, table) = page.split_once("| folder = package | owns | may use |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let mut found = BTreeMap::new();
    for cells in rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>()) {
        let folders = cells[0].split('`').filter_map(|part| part.strip_suffix('/')).map(str::to_owned);
        let folders: Vec<_> = folders.collect();
        let allowed = cells[2].split(", ").map(str::to_owned).chain(folders.clone()).collect::<Vec<_>>();
        found.extend(folders.into_iter().map(|folder| (folder, allowed.clone())));
    }
    found
}

/// The root composes, and nothing uses the root: it has no name here that could be allowed.
#[test]
fn packages_use_only_what_the_architecture_allows() {
    let known = may_use();
    let mut broken = Vec::new();
    for member in members() {
        let Some(allowed) = known.get(member.split('/').next().unwrap()) else {
            broken.push(format!("{member} has no row in the table"));
            continue;
        };
        for dependency in dependencies(&member).iter().filter(|name| name.starts_with("tokenim")) {
            if !allowed.iter().any(|one| *dependency == format!("tokenim-{one}")) {
                broken.push(format!("{member} uses {dependency}"));
            }
        }
    }
    fail_if_any("a border of ARCHITECTURE.md is crossed", broken);
}

/// Checks that a family of crates is linked and named only where the table says.
fn assert_kept_to(rule: &str, names: &[&str], table: &[(&str, &[&str])]) {
    let is_one = |name: &str| names.iter().any(|prefix| name.starts_with(prefix));
    let mut broken = Vec::new();
    for member in members() {
        let linked = dependencies(&member).into_iter().find(|dependency| is_one(&dependency.replace('-', "_")));
        if let Some(linked) = linked.filter(|_| !table.iter().any(|(package, _)| *package == member)) {
            broken.push(format!("{member} links {linked}"));
        }
    }
    for (path, text) in sources() {
        let may = !members().iter().any(|member| path.starts_with(&format!("{member}/")))
            || table.iter().flat_map(|(_, files)| *files).any(|file| path.starts_with(file));
        if !may
            && let Some((line, _)) = code(&text).find(|(_, line)| {
                names.iter().any(|name| line.contains(&format!("{name}::")) || line.contains(&format!("use {name}")))
            })
        {
            broken.push(format!("{path}:{line}"));
        }
    }
    fail_if_any(rule, broken);
}

#[test]
fn actix_stays_at_the_rim() {
    assert_kept_to(
        "actix outside gateway's transport, api, dashboard and the root",
        &["actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_codec", "actix"],
        ACTIX,
    );
}

#[test]
fn sea_orm_stays_in_the_store() {
    assert_kept_to("SeaORM outside store, migrations and domain's ids", &["sea_orm", "sea_query", "sqlx"], SEA_ORM);
    let broken = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("src/") && text.contains("sea_orm"))
        .map(|(path, _)| path)
        .collect();
    fail_if_any("the root names SeaORM", broken);
}

#[test]
fn every_file_begins_with_a_sentence_that_says_what_lives_there() {
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let broken = sources()
        .into_iter()
        .map(|(path, text)| (path, first(&text)))
        .filter(|(_, line)| !line.starts_with("//! ") || line.len() < 12)
        .map(|(path, line)| format!("{path}: {line:?}"))
        .collect();
    fail_if_any("the first line is not `//! …`", broken);
}

#[test]
fn no_file_is_a_mod_rs_or_has_a_name_that_says_nothing() {
    let says_nothing = |part: &str| {
        ["utils", "util", "helpers", "helper", "common", "manager", "misc", "mod"]
            .contains(&part.trim_end_matches(".rs"))
    };
    let broken = sources().into_keys().filter(|path| path.split('/').any(says_nothing)).collect();
    fail_if_any("a name says nothing", broken);
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut broken = Vec::new();
    for (path, text) in product() {
        broken.extend(
            code(&text)
                .filter(|(_, line)| line.contains(".unwrap()") || line.contains(".unwrap_err()"))
                .map(|(line, _)| format!("{path}:{line}")),
        );
    }
    fail_if_any("`expect` states the invariant; `unwrap` is for tests", broken);
}

#[test]
fn no_task_is_bare_and_no_queue_unbounded() {
    let mut broken = Vec::new();
    for (path, text) in product() {
        for (line, code) in code(&text) {
            let hit = BANNED.iter().find(|banned| {
                code.contains(**banned) && !BANNED_BUT.iter().any(|(file, but)| *file == path && code.contains(but))
            });
            broken.extend(hit.map(|banned| format!("{path}:{line}: {banned}")));
        }
    }
    fail_if_any("a detached task belongs to a tracker, and every queue has a maximum", broken);
}

#[test]
fn every_package_takes_its_lints_and_version_from_the_workspace() {
    let mut broken = Vec::new();
    for member in members().into_iter().chain([".".to_owned()]) {
        let manifest = manifest(&member);
        let inherits = |table: &str, key: &str| {
            manifest
                .get(table)
                .and_then(|table| table.get(key))
                .map(|value| value.get("workspace").unwrap_or(value) == &Value::Boolean(true))
                == Some(true)
        };
        if !inherits("lints", "workspace") || !inherits("package", "edition") {
            broken.push(format!("{member}/Cargo.toml"));
        }
        if member != "."
            && manifest["package"]["name"].as_str() != Some(&format!("tokenim-{}", member.rsplit('/').next().unwrap()))
        {
            broken.push(format!("{member} is not the package tokenim-{member}"));
        }
    }
    fail_if_any("a manifest goes its own way", broken);
}
