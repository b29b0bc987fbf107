//! Rules that templates and message files keep, checked on their sources: what the CSP would break silently, bare text, missing keys.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Words that are the same in every language.
const PRODUCT_NOUNS: [&str; 1] = ["TokenIM"];
/// Attributes whose value a person reads or hears.
const SPOKEN: [&str; 6] = ["alt", "title", "placeholder", "aria-label", "aria-description", "data-sentence"];

fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("folder of this package") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                let content = fs::read_to_string(&path).expect("utf-8");
                found.push((path, content));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), extension, &mut found);
    assert!(!found.is_empty(), "{folder} holds no .{extension}");
    found
}

/// Replaces every `{{ }}`, `{% %}` and `{# #}` by nothing.
fn without_expressions(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
        out.push_str(&rest[..start]);
        let close = match &rest[start..start + 2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = rest[start..].find(close).expect("every expression ends");
        rest = &rest[start + end + 2..];
    }
    out.push_str(rest);
    out
}

/// Splits markup into its tags and the text between them.
fn tags_and_text(markup: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut tags, mut text) = (Vec::new(), Vec::new());
    for piece in markup.split('<') {
        match piece.split_once('>') {
            Some((tag, after)) => {
                tags.push(tag);
                text.push(after);
            }
            None => text.push(piece),
        }
    }
    (tags, text)
}

/// Every template with markup, and whether it is a mail: mail readers know no style sheet, so there styles stand in the tags.
fn markup() -> impl Iterator<Item = (PathBuf, String, bool)> {
    let of = |folder, is_mail| files(folder, "html").into_iter().map(move |(path, text)| (path, text, is_mail));
    of("pages", false).chain(of("mail", true))
}

#[test]
fn no_template_holds_what_the_content_security_policy_blocks() {
    for (path, template, is_mail) in markup() {
        let (tags, _) = tags_and_text(&template);
        for tag in tags {
            let lower = tag.to_ascii_lowercase();
            let refused = [" style=", " on", " hx-on", " hx-live", "js:", "javascript:"]
                .into_iter()
                .filter(|mark| !(is_mail && *mark == " style="))
                .find(|mark| lower.contains(mark));
            assert!(
                refused.is_none_or(|mark| mark == " on" && !has_event_attribute(&lower)),
                "{}: {refused:?} in <{tag}>",
                path.display()
            );
            assert!(!lower.starts_with("style"), "{}: inline style", path.display());
            assert!(!lower.starts_with("script") || lower.contains(" src="), "{}: inline script", path.display());
            assert!(
                !(lower.contains("hx-trigger=") && lower.contains('[')),
                "{}: a trigger filter needs eval",
                path.display()
            );
        }
        assert!(!template.contains("|safe") && !template.contains("| safe"), "{}: unescaped output", path.display());
    }
}

fn has_event_attribute(tag: &str) -> bool {
    tag.split_whitespace().any(|word| word.starts_with("on") && word.contains('='))
}

#[test]
fn no_template_holds_bare_text() {
    let is_bare = |text: &str| {
        let rest = PRODUCT_NOUNS.iter().fold(text.to_owned(), |rest, noun| rest.replace(noun, ""));
        rest.chars().any(char::is_alphabetic)
    };
    let letters = files("mail", "txt").into_iter();
    for (path, template) in markup().map(|(path, template, _)| (path, template)).chain(letters) {
        let markup = without_expressions(&template);
        let (tags, text) = tags_and_text(&markup);
        for text in text {
            assert!(!is_bare(text), "{}: bare text {:?}", path.display(), text.trim());
        }
        for tag in tags {
            for name in SPOKEN {
                let Some((_, value)) = tag.split_once(&format!(" {name}=\"")) else { continue };
                let value = value.split('"').next().unwrap_or_default();
                assert!(!is_bare(value), "{}: bare text {value:?} in {name}", path.display());
            }
        }
    }
}

/// Each message's key with the placeables it uses.
fn messages(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for (_, source) in files(&format!("locales/{language}"), "ftl") {
        let mut key = String::new();
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" =").filter(|(name, _)| !name.starts_with([' ', '}'])) {
                key = name.to_owned();
                assert!(found.insert(key.clone(), BTreeSet::new()).is_none(), "{language}: {key} twice");
            }
            for placeable in line.split('$').skip(1) {
                let name: String =
                    placeable.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                found.get_mut(&key).expect("a placeable belongs to a message").insert(name);
            }
        }
    }
    found
}

#[test]
fn languages_have_the_same_messages_with_the_same_placeables() {
    let (english, chinese) = (messages("en"), messages("zh-CN"));
    for (key, placeables) in &english {
        assert_eq!(Some(placeables), chinese.get(key), "{key} in zh-CN");
    }
    assert_eq!(english.len(), chinese.len(), "zh-CN has messages that en lacks");
}

/// Whatever may use a message.
fn sources() -> Vec<(PathBuf, String)> {
    [("pages", "html"), ("mail", "html"), ("mail", "txt"), ("src", "rs")]
        .into_iter()
        .flat_map(|(folder, extension)| files(folder, extension))
        .collect()
}

/// Keys by their shape: a lower-case literal that starts with the name of a message file.
fn keys_used() -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let stem = |path: &Path| path.file_stem().map(|stem| format!("{}-", stem.to_string_lossy())).unwrap_or_default();
    let names: Vec<String> = files("locales/en", "ftl").iter().map(|(path, _)| stem(path)).collect();
    for (path, source) in sources() {
        if path.ends_with("lint.rs") {
            continue;
        }
        for literal in source.split('"') {
            let is_key = names.iter().any(|name| literal.starts_with(name.as_str()));
            if is_key
                && literal.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
            {
                used.insert(literal.to_owned());
            }
        }
    }
    used
}

/// Messages that explain a code: named by the code, and compared with the codes in the dashboard's tests.
const OF_CODES: &str = "refusal-";

#[test]
fn every_message_is_used_and_every_used_message_exists() {
    let messages = messages("en");
    let used = keys_used();
    let called: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, source)| {
            ["get(\"", "with(\"", "with_two(\"", "count(\"", "fill(\""].map(|call| (call, source.clone()))
        })
        .flat_map(|(call, source)| {
            source
                .split(call)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|key| key.contains('-') && !key.contains(['/', '.', ' ', '{']))
        .collect();
    for key in called {
        assert!(messages.contains_key(&key), "{key} has no message");
    }
    for key in messages.keys().filter(|key| !key.starts_with(OF_CODES)) {
        assert!(used.contains(key), "{key} is used nowhere");
    }
}

/// Names of the classes that a style sheet selects by.
fn classes(sheet: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let uncommented = sheet.split("*/").filter_map(|part| part.split("/*").next());
    // What precedes a brace is a selector, or a media query without any class; what precedes a `;` or `}` is not.
    let selectors = uncommented.flat_map(|part| part.split(['}', ';'])).filter_map(|rule| rule.rsplit_once('{'));
    for (selector, _) in selectors {
        for rest in selector.split('.').skip(1) {
            found.insert(
                rest.split(|letter: char| !letter.is_alphanumeric() && letter != '-').next().unwrap_or_default(),
            );
        }
    }
    found
}

/// Words of the class attributes of a page, those of expressions in them too.
fn classes_worn(page: &str) -> impl Iterator<Item = &str> {
    let values = page.split(" class=\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.flat_map(|value| value.split(|letter: char| !letter.is_alphanumeric() && letter != '-'))
}

#[test]
fn every_class_of_the_style_sheet_is_worn() {
    let sheets = files("static", "css");
    let sheet = |name: &str| &sheets.iter().find(|(path, _)| path.ends_with(name)).expect("sheet").1;
    // Pages and uPlot give classes, our script gives none; the name of a mode is put behind `mode-` in pages.
    let pages = files("pages", "html");
    let mut worn: BTreeSet<&str> = pages.iter().flat_map(|(_, page)| classes_worn(page)).collect();
    worn.extend(classes(sheet("vendor/uPlot.min.css")));
    worn.extend(["mode-live", "mode-test"]);
    let ours = classes(sheet("static/console.css"));
    assert!(ours.len() > 50 && ours.contains("skip") && ours.contains("bare-head"), "{ours:?}");
    let unworn: Vec<_> = ours.difference(&worn).collect();
    assert!(unworn.is_empty(), "console.css styles what no page has: {unworn:?}");
}

#[test]
fn every_vendored_icon_is_shown() {
    let pages = files("pages", "html");
    for (path, _) in files("static/vendor/icons", "svg") {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        let include = format!("{{% include \"{name}\" %}}");
        assert!(
            pages.iter().any(|(_, page)| page.contains(&include)),
            "{name} is on no page: take it out of scripts/vendor"
        );
    }
}
