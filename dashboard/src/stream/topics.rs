//! Which parts of a page a stream moves.

/// Every topic, as the first page of hours subscribes.
pub(crate) const ALL: &str = "figures,chart,rows";
/// Every topic but the table of hours, for its later pages.
pub(crate) const WITHOUT_ROWS: &str = "figures,chart";
/// What the overview shows.
pub(crate) const OVERVIEW: &str = "figures,chart,pulse";

/// The topics of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    /// Total, connections, completeness, apps.
    pub(crate) figures: bool,
    /// The chart and its table.
    pub(crate) chart: bool,
    /// The table of hours.
    pub(crate) rows: bool,
    /// Health, messages a second, refusals.
    pub(crate) pulse: bool,
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
                "pulse" => topics.pulse = true,
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
        assert_eq!(Topics::parse(ALL), Some(Topics { figures: true, chart: true, rows: true, pulse: false }));
        let without_rows = Topics { figures: true, chart: true, ..Topics::default() };
        assert_eq!(Topics::parse(WITHOUT_ROWS), Some(without_rows));
        assert_eq!(Topics::parse(OVERVIEW), Some(Topics { pulse: true, ..without_rows }));
        for list in ["", "figures,", "other", "figures, rows"] {
            assert_eq!(Topics::parse(list), None, "{list}");
        }
    }
}
