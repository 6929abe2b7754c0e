//! Medians with their spread.

use std::fmt;

/// Some values, of which the median and the spread are shown.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The one in the middle; of two, the lower.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
}

impl Spread {
    /// Of one or more values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self {
            median: at(values.len().saturating_sub(1) / 2),
            lowest: at(0),
            highest: at(values.len().saturating_sub(1)),
        }
    }
}

/// With as many decimals as the format says, 2 by default: `0.93 (0.90 to 1.01)`; a spread of nothing is not
/// shown.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            lowest,
            highest,
        } = self;
        let decimals = f.precision().unwrap_or(2);
        if lowest == highest {
            return write!(f, "{median:.decimals$}");
        }
        write!(
            f,
            "{median:.decimals$} ({lowest:.decimals$} to {highest:.decimals$})"
        )
    }
}
