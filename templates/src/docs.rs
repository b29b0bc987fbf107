//! The documentation that the product serves: documents of this repository, rendered from Markdown once at start.
use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::{language::Language, text::Text};

/// Where the documentation begins.
pub const PATH: &str = "/docs";
/// Files that are not served, as the repository shows them.
const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");
/// The id of a page's own heading, which names what stands before the first heading of the text.
const TOP: &str = "document";

/// A document that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What goes over the wire.
    Protocol,
    /// How a backend signs tokens.
    Tokens,
    /// The table of error codes.
    Errors,
    /// The API that manages orgs.
    Manage,
    /// How to run it.
    Operations,
}

impl Subject {
    /// Every document, in the order the index shows them.
    pub const ALL: [Self; 5] = [Self::Protocol, Self::Tokens, Self::Errors, Self::Manage, Self::Operations];

    /// Its last part of the address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Tokens => "tokens",
            Self::Errors => "errors",
            Self::Manage => "manage",
            Self::Operations => "operations",
        }
    }

    /// Its address.
    #[must_use]
    pub fn path(self) -> String {
        format!("{PATH}/{}", self.name())
    }

    /// Its file in `docs`, as the documents name each other.
    const fn file(self) -> &'static str {
        match self {
            Self::Protocol => "PROTOCOL.md",
            Self::Tokens => "TOKENS.md",
            Self::Errors => "ERRORS.md",
            Self::Manage => "MANAGE.md",
            Self::Operations => "OPERATIONS.md",
        }
    }

    const fn markdown(self) -> &'static str {
        match self {
            Self::Protocol => include_str!("../../docs/PROTOCOL.md"),
            Self::Tokens => include_str!("../../docs/TOKENS.md"),
            Self::Errors => include_str!("../../docs/ERRORS.md"),
            Self::Manage => include_str!("../../docs/MANAGE.md"),
            Self::Operations => include_str!("../../docs/OPERATIONS.md"),
        }
    }

    pub(crate) fn label(self, text: &Text) -> String {
        text.get(match self {
            Self::Protocol => "docs-protocol",
            Self::Tokens => "docs-tokens",
            Self::Errors => "docs-errors",
            Self::Manage => "docs-manage",
            Self::Operations => "docs-operations",
        })
    }

    pub(crate) fn about(self, text: &Text) -> String {
        text.get(match self {
            Self::Protocol => "docs-protocol-about",
            Self::Tokens => "docs-tokens-about",
            Self::Errors => "docs-errors-about",
            Self::Manage => "docs-manage-about",
            Self::Operations => "docs-operations-about",
        })
    }
}

/// All documents that are served.
#[derive(Debug)]
pub struct Docs([Doc; Subject::ALL.len()]);

impl Docs {
    /// Renders the documents of this build.
    #[must_use]
    pub fn embedded() -> Self {
        Self(Subject::ALL.map(|subject| Renderer::default().render(subject, subject.markdown())))
    }

    /// The document of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Doc> {
        self.0.iter().find(|doc| doc.subject.name() == name)
    }
}

/// One document, rendered.
#[derive(Debug)]
pub struct Doc {
    /// Which one it is.
    pub subject: Subject,
    /// The text of its first heading, which is not in the article.
    pub title: String,
    /// Headings of the second and third level, in order.
    pub contents: Vec<Heading>,
    /// All of it below the title.
    pub article: Article,
}

/// A heading of a document.
#[derive(Debug, PartialEq, Eq)]
pub struct Heading {
    /// The id of its element: the anchor that the repository's own view gives it.
    pub id: String,
    /// Its text.
    pub title: String,
    /// Whether it is of the third level.
    pub is_deep: bool,
}

/// What the addresses of the documentation's pages end with on one of them: the language that its own address asked for, or
/// nothing. So a language holds from page to page without a cookie, and each page stays the same for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tail(pub Option<Language>);

impl fmt::Display for Tail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |language| write!(out, "?lang={}", language.tag()))
    }
}

/// HTML made here from a document of this build.
#[derive(Debug)]
pub struct Article(String);

impl Article {
    /// The same, whose links to other documents end with `tail`.
    pub(crate) fn with(&self, tail: Tail) -> Self {
        let link = |subject: Subject| format!("<a href=\"{}", subject.path());
        let extend = |html: String, subject| html.replace(&link(subject), &format!("{}{tail}", link(subject)));
        Self(Subject::ALL.into_iter().fold(self.0.clone(), extend))
    }
}

impl fmt::Display for Article {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// It comes from [`Renderer`] only, which writes no raw HTML of a document.
impl HtmlSafe for Article {}

/// Rewrites a document's events on their way from the parser to the writer of HTML.
#[derive(Default)]
struct Renderer<'a> {
    events: Vec<Event<'a>>,
    title: String,
    contents: Vec<Heading>,
    /// Where the open heading stands among the events, and its text so far.
    heading: Option<(usize, String)>,
}

impl<'a> Renderer<'a> {
    fn render(mut self, subject: Subject, markdown: &'a str) -> Doc {
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            self.take(event);
        }
        let mut article = String::with_capacity(markdown.len() * 2);
        html::push_html(&mut article, self.events.into_iter());
        Doc { subject, title: self.title, contents: self.contents, article: Article(article) }
    }

    fn take(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.heading = Some((self.events.len(), String::new()));
                self.events.push(event);
            }
            Event::End(TagEnd::Heading(level)) => self.end_heading(level),
            Event::Start(Tag::Table(_)) => {
                self.begin_scroll("<div class=\"scroll\"", ">");
                self.events.push(event);
            }
            Event::End(TagEnd::Table) => {
                self.events.push(event);
                self.write("</div>\n".into());
            }
            Event::Start(Tag::CodeBlock(_)) => self.begin_scroll("<pre", "><code>"),
            Event::End(TagEnd::CodeBlock) => self.write("</code></pre>\n".into()),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = address(&dest_url).into();
                self.events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Html(raw) | Event::InlineHtml(raw) => {
                if let Some(name) = anchor(&raw) {
                    self.write(format!("<a id=\"{name}\"></a>").into());
                }
            }
            Event::Text(ref words) | Event::Code(ref words) => {
                if let Some((_, title)) = &mut self.heading {
                    title.push_str(words);
                }
                self.events.push(event);
            }
            _ => self.events.push(event),
        }
    }

    /// Gives the heading its anchor; the first level is the page's own title.
    fn end_heading(&mut self, level: HeadingLevel) {
        let Some((at, title)) = self.heading.take() else { return };
        if level == HeadingLevel::H1 {
            self.events.truncate(at);
            self.title = title;
            return;
        }
        let id = self.anchor_of(&title);
        let start = Tag::Heading { level, id: Some(id.clone().into()), classes: Vec::new(), attrs: Vec::new() };
        self.events[at] = Event::Start(start);
        self.events.push(Event::End(TagEnd::Heading(level)));
        self.contents.push(Heading { id, title, is_deep: level > HeadingLevel::H2 });
    }

    /// Opens what scrolls by itself where it is wider than the page, and so must be reached by the keyboard.
    fn begin_scroll(&mut self, before: &str, after: &str) {
        let heading = self.contents.last().map_or(TOP, |heading| &heading.id);
        self.write(format!("{before} tabindex=\"0\" role=\"region\" aria-labelledby=\"{heading}\"{after}").into());
    }

    fn write(&mut self, html: CowStr<'a>) {
        self.events.push(Event::Html(html));
    }

    /// The heading's anchor, numbered where the document has it already.
    fn anchor_of(&self, title: &str) -> String {
        let slug = slug(title);
        let taken = |id: &str| self.contents.iter().any(|heading| heading.id == id);
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        std::iter::once(slug.clone()).chain(numbered).find(|id| !taken(id)).unwrap_or(slug)
    }
}

/// Lower case, without punctuation, hyphens for spaces: the anchors that readers of the repository know.
fn slug(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).flat_map(char::to_lowercase).collect()
}

/// The name of an anchor, the one piece of HTML that documents hold.
fn anchor(raw: &str) -> Option<&str> {
    let name = raw.strip_prefix("<a id=\"")?.strip_suffix("\">")?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(name)
}

/// Where a link of a document leads from here: to the page of a document that is served, else to the repository.
fn address(target: &str) -> String {
    if target.starts_with('#') || target.contains("://") {
        return target.to_owned();
    }
    let (file, anchor) = target.find('#').map_or((target, ""), |at| target.split_at(at));
    match Subject::ALL.into_iter().find(|subject| subject.file() == file) {
        Some(subject) => format!("{}{anchor}", subject.path()),
        None => match file.strip_prefix("../") {
            Some(above) => format!("{REPOSITORY}{above}{anchor}"),
            None => format!("{REPOSITORY}docs/{file}{anchor}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn rendered(markdown: &str) -> Doc {
        Renderer::default().render(Subject::Protocol, markdown)
    }

    #[test]
    fn no_html_of_a_document_passes() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<a id=\"x\" onclick=\"alert(1)\">y</a>",
            "<a id=\"x y\"></a>",
            "<div>\n\n*a*\n\n</div>",
        ] {
            let html = rendered(hostile).article.0;
            for tag in ["<script", "<img", "<div", "onclick=\"", "<a"] {
                assert!(!html.contains(tag), "{hostile}: {html}");
            }
        }
        assert_eq!(rendered("<a id=\"a_1\"></a>`a_1`").article.0, "<p><a id=\"a_1\"></a><code>a_1</code></p>\n");
        assert!(rendered("`<b>` & \"c\"").article.0.contains("<code>&lt;b&gt;</code> &amp;"));
    }

    #[test]
    fn headings_have_the_repositorys_anchors() {
        let doc = rendered("# The `title`\n## 9. REST\n### Limits, quotas & `x_y`\n## 9. REST\n## 9. REST");
        assert_eq!(doc.title, "The title");
        let ids: Vec<_> = doc.contents.iter().map(|heading| (heading.id.as_str(), heading.is_deep)).collect();
        assert_eq!(ids, [("9-rest", false), ("limits-quotas--x_y", true), ("9-rest-1", false), ("9-rest-2", false)]);
        assert!(doc.article.0.starts_with("<h2 id=\"9-rest\">9. REST</h2>"), "{}", doc.article);
    }

    #[test]
    fn links_lead_to_what_is_served_or_to_the_repository() {
        assert_eq!(address("#9-rest"), "#9-rest");
        assert_eq!(address("https://example.com/a.md"), "https://example.com/a.md");
        assert_eq!(address("ERRORS.md#conflict"), "/docs/errors#conflict");
        assert_eq!(address("adr/0001-x.md"), format!("{REPOSITORY}docs/adr/0001-x.md"));
        assert_eq!(address("../CHANGELOG.md#a"), format!("{REPOSITORY}CHANGELOG.md#a"));
    }

    #[test]
    fn what_is_wide_scrolls_and_takes_the_focus() {
        let html = rendered("| a |\n| --- |\n| b |\n\n## C\n\n```sh\nx > y\n```").article.0;
        assert!(html.starts_with("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"document\">"));
        assert!(html.contains("</table>\n</div>"), "{html}");
        let code = "<pre tabindex=\"0\" role=\"region\" aria-labelledby=\"c\"><code>x &gt; y\n</code></pre>";
        assert!(html.contains(code), "{html}");
    }

    #[test]
    fn documents_hold_no_pictures_and_name_files_that_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for doc in &Docs::embedded().0 {
            assert!(!doc.title.is_empty() && !doc.article.0.contains("<img"), "{:?}", doc.subject);
            for rest in doc.article.0.split(REPOSITORY).skip(1) {
                let file = rest.split(['"', '#']).next().expect("a link ends");
                assert!(root.join(file).exists(), "{:?} links to {file}", doc.subject);
            }
        }
    }
}
