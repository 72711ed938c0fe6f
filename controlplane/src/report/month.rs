//! Months, as editions are named by them. Pure.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;

/// A month of a year, in UTC. Months are ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

/// The text is no month such as `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written YYYY-MM, such as 2026-11")]
pub struct NoMonth;

/// The names of the months, in English.
const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Month {
    /// The month of a time in unix milliseconds.
    pub fn of(unix_ms: i64) -> Self {
        let time = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { year: u16::try_from(time.year()).unwrap_or_default(), month: time.month().into() }
    }

    /// The month before.
    pub fn before(self) -> Self {
        match self.month {
            1 => Self { year: self.year.saturating_sub(1), month: 12 },
            month => Self { month: month - 1, ..self },
        }
    }

    /// As people write it, such as `November 2026`.
    pub fn name(self) -> String {
        format!("{} {}", NAMES[usize::from(self.month) - 1], self.year)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let is_shaped = text.len() == 7 && text.bytes().enumerate().all(|(at, b)| b.is_ascii_digit() != (at == 4));
        let (year, month) = text.split_once('-').filter(|_| is_shaped).ok_or(NoMonth)?;
        let month = month.parse().ok().filter(|month| (1..=12).contains(month)).ok_or(NoMonth)?;
        Ok(Self { year: year.parse().map_err(|_| NoMonth)?, month })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_back_and_what_is_none_is_refused() {
        for text in ["2026-11", "2026-01", "0001-12", "9999-09"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "2026/11", "26-11-01", "+026-11", "2026-١", "2026-11 "]
        {
            assert_eq!(text.parse::<Month>(), Err(NoMonth), "{text}");
        }
    }

    #[test]
    fn months_follow_each_other() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        assert_eq!(Month::of(1_752_494_400_000), month("2025-07"));
        assert_eq!(Month::of(1_767_225_599_999), month("2025-12"), "the last moment of a year");
        assert_eq!(Month::of(1_767_225_600_000), month("2026-01"));
        assert_eq!((month("2026-01").before(), month("2026-11").before()), (month("2025-12"), month("2026-10")));
        assert!(month("2025-12") < month("2026-01"));
        assert_eq!(month("2026-11").name(), "November 2026");
    }
}
