//! When to look: a cron expression, as the scheduler will read it.
//!
//! A firing means "look now" and nothing more; windows never come from it.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A cron expression that the scheduler accepts, in its form with six fields (seconds first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    expression: String,
}

impl Schedule {
    /// Reads an expression with five fields (minute first) or six (second first).
    ///
    /// # Errors
    /// Says which field is wrong, in words for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields = text.split_whitespace().count();
        let expression = match fields {
            5 => format!("0 {}", text.trim()),
            6 => text.trim().to_owned(),
            _ => {
                return Err(format!(
                    "a schedule has 5 fields (minute first) or 6 (second first), this one has \
                     {fields}"
                ));
            }
        };
        parse_six(&expression)?;
        Ok(Self { expression })
    }

    /// The expression, with six fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.expression
    }
}

impl Default for Schedule {
    /// Every five minutes.
    fn default() -> Self {
        Self {
            expression: "0 */5 * * * *".to_owned(),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}

/// The same parser with the same settings as tokio-cron-scheduler 0.15 uses, so that what passes
/// here can't be refused there.
fn parse_six(expression: &str) -> Result<Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(expression)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_fire_at_second_zero() {
        assert_eq!(
            Schedule::parse("*/5 * * * *").unwrap().as_str(),
            "0 */5 * * * *"
        );
        assert_eq!(
            Schedule::parse("30 */5 * * * *").unwrap().as_str(),
            "30 */5 * * * *"
        );
    }

    #[test]
    fn the_default_passes_its_own_rules() {
        let default = Schedule::default();
        assert_eq!(Schedule::parse(default.as_str()), Ok(default));
    }

    #[test]
    fn a_wrong_expression_says_what_is_wrong() {
        assert!(Schedule::parse("").unwrap_err().contains("has 0"));
        assert!(Schedule::parse("* * *").unwrap_err().contains("5 fields"));
        assert!(!Schedule::parse("0 99 * * * *").unwrap_err().is_empty());
        assert!(
            !Schedule::parse("hello every five minutes please")
                .unwrap_err()
                .is_empty()
        );
    }
}
