//! One metric with its samples, as the encoder wants it.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use tokenim_gateway::counters::Times;

/// A metric in the making.
pub struct Family(MetricFamily);

impl Family {
    /// A value that goes up and down.
    pub fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    /// A value that only grows until the process ends.
    pub fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    /// Times in seconds.
    pub fn histogram(name: &str, help: &str, times: &Times) -> Self {
        let mut family = Self::new(name, help, MetricType::HISTOGRAM);
        let mut metric = Metric::default();
        metric.set_histogram(histogram(times));
        family.0.mut_metric().push(metric);
        family
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Family(family)
    }

    /// Its only sample.
    pub fn value(self, value: u64) -> Self {
        self.labelled([], value)
    }

    /// One of its samples.
    pub fn labelled<const N: usize>(mut self, labels: [(&str, &str); N], value: u64) -> Self {
        let mut metric = Metric::from_label(labels.map(label).into());
        // Both, for the encoder takes the one of the family's type; 2^53 is the largest whole number a sample can be.
        let (mut counter, mut gauge) = (Counter::default(), Gauge::default());
        counter.set_value(value as f64);
        gauge.set_value(value as f64);
        metric.set_counter(counter);
        metric.set_gauge(gauge);
        self.0.mut_metric().push(metric);
        self
    }
}

impl From<Family> for MetricFamily {
    fn from(family: Family) -> Self {
        family.0
    }
}

fn label((name, value): (&str, &str)) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

/// The format wants each bucket to hold those before it.
fn histogram(times: &Times) -> Histogram {
    let mut histogram = Histogram::default();
    let mut so_far = 0;
    let buckets = times.buckets.iter().map(|(bound, count)| {
        so_far += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.as_secs_f64());
        bucket.set_cumulative_count(so_far);
        bucket
    });
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(so_far + times.longer);
    histogram.set_sample_sum(times.sum.as_secs_f64());
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;
    use std::time::Duration;

    #[test]
    fn a_histogram_is_written_with_cumulative_buckets() {
        let millis = Duration::from_millis;
        let times =
            Times { buckets: vec![(millis(1), 3), (millis(2), 0), (millis(4), 2)], longer: 1, sum: millis(5_500) };
        let family = Family::histogram("commit_seconds", "Time.", &times).into();
        let text = TextEncoder::new().encode_to_string(&[family]).unwrap();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "commit_seconds_bucket{le=\"0.001\"} 3",
                "commit_seconds_bucket{le=\"0.002\"} 3",
                "commit_seconds_bucket{le=\"0.004\"} 5",
                "commit_seconds_bucket{le=\"+Inf\"} 6",
                "commit_seconds_sum 5.5",
                "commit_seconds_count 6",
            ]
        );
    }
}
