//! Server-sent events as bytes (HTML standard §9.2): named ones for `console.js`, unnamed ones with fragments for htmx.

/// The session ended or lost its org.
pub(crate) const GONE: &str = "gone";
/// The session has too many streams; a newer one took this one's place.
pub(crate) const ELSEWHERE: &str = "elsewhere";
/// The store cannot be read; what is shown grows old.
pub(crate) const STALE: &str = "stale";
/// New numbers of the chart, as JSON.
pub(crate) const CHART: &str = "chart";

/// An event that `console.js` hears.
pub(crate) fn named(at_ms: i64, name: &str, data: &str) -> String {
    format!("id: {at_ms}\nevent: {name}\n{}\n", lines(data))
}

/// An event whose fragments htmx swaps in.
pub(crate) fn fragments(at_ms: i64, html: &str) -> String {
    format!("id: {at_ms}\n{}\n", lines(html))
}

/// A fragment for the element with that id: it is morphed, so focus, selection and open parts survive.
pub(crate) fn fragment(id: &str, html: &str) -> String {
    format!("<hx-partial hx-target=\"#{id}\" hx-swap=\"outerMorph\">{}</hx-partial>", html.trim())
}

fn lines(data: &str) -> String {
    data.lines().map(|line| format!("data: {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn data_of_many_lines_stays_one_event() {
        assert_eq!(super::named(7, "chart", "a\nb"), "id: 7\nevent: chart\ndata: a\ndata: b\n\n");
        assert_eq!(super::fragments(7, "<p>\r\n</p>"), "id: 7\ndata: <p>\ndata: </p>\n\n");
    }
}
