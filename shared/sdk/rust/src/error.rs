//! What can go wrong, with the server's own words where it gave some.

use landline_api::problem::ProblemDocument;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base URL is none of ours.
    #[error("{0:?} is no base URL: expected http:// or https:// and a host")]
    BadUrl(String),
    /// A file of authorities is none.
    #[error("no certificates to trust: {0}")]
    BadCa(String),
    /// The server refused, and said why.
    #[error("{} ({}): {}", .0.code, .0.status, .0.detail)]
    Problem(Box<ProblemDocument>),
    /// Something in between refused, without a problem document.
    #[error("the server answered with HTTP {0}")]
    Status(u16),
    /// The server could not be reached, or broke off.
    #[error("{}", describe(.0))]
    Transport(reqwest::Error),
    /// The answer is not what the API promises.
    #[error("the server's answer is not understood: {0}")]
    Answer(String),
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

impl Error {
    /// The problem document, if there is one.
    pub fn problem(&self) -> Option<&ProblemDocument> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Could the server not be reached at all?
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_connect() || error.is_timeout())
    }
}

/// The whole chain of causes: the outermost alone says only that sending failed.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
