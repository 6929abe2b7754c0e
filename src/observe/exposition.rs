//! Prometheus's text format, version 0.0.4, as it is written.

use std::fmt::{Display, Write as _};

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Metrics as text. A family is begun, and its samples follow; one without samples is left out.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    family: &'static str,
    /// What is written before the first sample of the family.
    head: Option<String>,
}

impl Exposition {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.family = name;
        self.head = Some(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.suffixed("", labels, value);
    }

    /// A sample of the family's name and a suffix, as a histogram has them.
    pub(super) fn suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text += &self.head.take().unwrap_or_default();
        self.text += self.family;
        self.text += suffix;
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            // Writing to a text can't fail.
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The value of a label: a backslash, a quote and a newline are escaped, and nothing else.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped_and_a_family_without_a_sample_is_left_out() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "One.");
        text.family("b", Kind::Gauge, "Two \\ and\nthree.");
        text.sample(&[], 1.5);
        text.sample(&[("x", "a\"b\\c\nd"), ("y", "로그")], u64::MAX);
        text.family("c", Kind::Histogram, "Four.");
        text.suffixed("_sum", &[("x", "")], 0);
        assert_eq!(
            text.finish(),
            "# HELP b Two \\\\ and\\nthree.\n# TYPE b gauge\nb 1.5\n\
             b{x=\"a\\\"b\\\\c\\nd\",y=\"로그\"} 18446744073709551615\n\
             # HELP c Four.\n# TYPE c histogram\nc_sum{x=\"\"} 0\n"
        );
    }
}
