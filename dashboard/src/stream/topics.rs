//! Which parts of a page a stream moves.

/// Every topic, as the first page of hours subscribes.
pub(crate) const ALL: &str = "figures,chart,rows";
/// Every topic but the table of hours, for its later pages.
pub(crate) const WITHOUT_ROWS: &str = "figures,chart";

/// The topics of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    /// Total, connections, completeness, apps.
    pub(crate) figures: bool,
    /// The chart and its table.
    pub(crate) chart: bool,
    /// The table of hours.
    pub(crate) rows: bool,
}

impl Topics {
    /// Reads a comma-separated list; none for an unknown or empty one.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut topics = Self::default();
        for name in list.split(',') {
            match name {
                "figures" => topics.figures = true,
                "chart" => topics.chart = true,
                "rows" => topics.rows = true,
                _ => return None,
            }
        }
        Some(topics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_topics_are_refused() {
        assert_eq!(Topics::parse(ALL), Some(Topics { figures: true, chart: true, rows: true }));
        assert_eq!(Topics::parse(WITHOUT_ROWS), Some(Topics { figures: true, chart: true, rows: false }));
        for list in ["", "figures,", "other", "figures, rows"] {
            assert_eq!(Topics::parse(list), None, "{list}");
        }
    }
}
