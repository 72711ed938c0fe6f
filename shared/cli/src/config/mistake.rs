//! What is wrong with the settings: every mistake of every layer, so that one look repairs them all.

use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag, with its dashes.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A key in a file.
    File {
        /// The file's path as given.
        path: String,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// Set nowhere.
    Default,
}

impl Source {
    /// For sorting: layers from the highest on, lines of a file in order.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Flag(_) => (0, 0),
            Self::Variable(_) => (1, 0),
            Self::File { line, .. } => (2, *line),
            Self::Default => (3, 0),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { path, line, key } if key.is_empty() => write!(f, "{path}:{line}"),
            Self::File { path, line, key } => write!(f, "{path}:{line}: {key}"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub source: Source,
    /// The value as given; left out for secrets.
    pub value: Option<String>,
    /// What is wrong and what would be right.
    pub why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value:?}: {}", self.source, self.why),
            None => write!(f, "{}: {}", self.source, self.why),
        }
    }
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// In the order in which a person repairs them: flags, variables, the file from its first line to its last.
    pub fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.source.rank());
        Self(mistakes)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "one mistake in the settings:")?,
            count => writeln!(f, "{count} mistakes in the settings:")?,
        }
        for mistake in &self.0 {
            writeln!(f, "  {mistake}")?;
        }
        write!(f, "`landline help up` explains every setting.")
    }
}

impl std::error::Error for Mistakes {}

/// The candidate that was probably meant: at most a third of its letters differ.
pub fn did_you_mean<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (distance(&plain(given), &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
