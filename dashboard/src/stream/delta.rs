//! What one viewer has not seen yet of a sample: changed parts, changed rows, changed chart.
use std::{collections::HashMap, sync::Arc};

use super::{
    event::{self, fragment},
    sample::{Part, Sample, Table},
    topics::Topics,
};

/// What was sent to a viewer last.
pub(crate) struct Delta {
    topics: Topics,
    seen: Option<Arc<Sample>>,
    is_stale: bool,
}

impl Delta {
    pub(crate) fn new(topics: Topics) -> Self {
        Self { topics, seen: None, is_stale: false }
    }

    /// Events that bring the viewer from what was sent last to this sample; empty where nothing changed.
    pub(crate) fn changes(&mut self, sample: &Arc<Sample>) -> String {
        let seen = self.seen.replace(Arc::clone(sample));
        let was_stale = std::mem::take(&mut self.is_stale);
        let old = seen.as_deref();
        let mut html = String::new();
        if self.topics.figures {
            push_parts(&mut html, &sample.figures, old.map(|old| &old.figures));
            push_table(&mut html, &sample.apps, old.map(|old| &old.apps));
        }
        if self.topics.pulse {
            push_parts(&mut html, &sample.pulse, old.map(|old| &old.pulse));
        }
        if self.topics.rows {
            push_table(&mut html, &sample.hours, old.map(|old| &old.hours));
        }
        let mut events = String::new();
        if self.topics.chart {
            push_table(&mut html, &sample.buckets, old.map(|old| &old.buckets));
            push_if_new(&mut html, &sample.sum, old.map(|old| &old.sum));
            if old.is_none_or(|old| old.chart_json != sample.chart_json) {
                events.push_str(&event::named(sample.at_ms, event::CHART, &sample.chart_json));
            }
        }
        if !html.is_empty() || was_stale {
            events.push_str(&event::fragments(sample.at_ms, if html.is_empty() { " " } else { &html }));
        }
        events
    }

    /// Says once that the figures grow old.
    pub(crate) fn stale(&mut self) -> String {
        let at_ms = self.seen.as_ref().map_or(0, |seen| seen.at_ms);
        if std::mem::replace(&mut self.is_stale, true) {
            String::new()
        } else {
            event::named(at_ms, event::STALE, "{}")
        }
    }
}

fn push_if_new(html: &mut String, part: &Part, old: Option<&Part>) {
    if old != Some(part) {
        html.push_str(&fragment(&part.id, &part.html));
    }
}

fn push_parts(html: &mut String, parts: &[Part], old: Option<&Vec<Part>>) {
    for (place, part) in parts.iter().enumerate() {
        push_if_new(html, part, old.and_then(|old| old.get(place)));
    }
}

/// The changed rows where the same rows are there in the same order; else the whole table.
fn push_table(html: &mut String, table: &Table, old: Option<&Table>) {
    let Some(old) = old else { return push_if_new(html, &table.whole, None) };
    let same_rows =
        !table.rows.is_empty() && old.rows.iter().map(|row| &row.id).eq(table.rows.iter().map(|row| &row.id));
    if same_rows {
        let seen: HashMap<&str, &Part> = old.rows.iter().map(|row| (row.id.as_str(), row)).collect();
        for row in &table.rows {
            push_if_new(html, row, seen.get(row.id.as_str()).copied());
        }
    } else {
        push_if_new(html, &table.whole, Some(&old.whole));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::topics;

    fn part(id: &str, html: &str) -> Part {
        Part { id: id.into(), html: html.into() }
    }

    fn table(id: &str, rows: &[(&str, &str)]) -> Table {
        let rows: Vec<Part> = rows.iter().map(|(id, html)| part(id, html)).collect();
        Table { whole: part(id, &format!("{rows:?}")), rows }
    }

    fn sample(at_ms: i64, total: &str, hours: &[(&str, &str)]) -> Arc<Sample> {
        let (buckets, sum) = (table("buckets", &[("b1", total)]), part("sum", total));
        Arc::new(Sample {
            at_ms,
            figures: vec![part("total", total)],
            pulse: vec![part("pace", total)],
            apps: table("apps", &[("a1", total)]),
            buckets,
            sum,
            chart_json: format!("[{total}]"),
            hours: table("hours", hours),
        })
    }

    fn delta(list: &str) -> Delta {
        Delta::new(Topics::parse(list).unwrap())
    }

    #[test]
    fn the_first_sample_is_sent_whole_and_the_same_one_not_again() {
        let mut delta = delta(topics::ALL);
        let first = delta.changes(&sample(1, "5", &[("r1", "a")]));
        for wanted in ["id: 1", "#total", "#buckets", "#sum", "#hours", "event: chart\ndata: [5]"] {
            assert!(first.contains(wanted), "{wanted} in {first}");
        }
        assert!(!first.contains("#pace"), "only where it is asked for: {first}");
        assert_eq!(delta.changes(&sample(2, "5", &[("r1", "a")])), "");
    }

    #[test]
    fn only_changed_rows_travel_unless_the_rows_themselves_change() {
        let mut delta = delta("rows");
        delta.changes(&sample(1, "5", &[("r1", "a"), ("r2", "b")]));
        let changed = delta.changes(&sample(2, "6", &[("r1", "a"), ("r2", "c")]));
        assert!(changed.contains("#r2") && !changed.contains("#r1") && !changed.contains("#total"), "{changed}");
        let grown = delta.changes(&sample(3, "6", &[("r0", "n"), ("r1", "a"), ("r2", "c")]));
        assert!(grown.contains("#hours"), "{grown}");
    }

    #[test]
    fn a_stale_feed_is_told_once_and_its_return_shows() {
        let mut delta = delta(topics::ALL);
        delta.changes(&sample(1, "5", &[]));
        assert!(delta.stale().contains("event: stale"));
        assert_eq!(delta.stale(), "");
        assert!(delta.changes(&sample(3, "5", &[])).starts_with("id: 3\n"));
        assert_eq!(delta.changes(&sample(4, "5", &[])), "");
    }
}
