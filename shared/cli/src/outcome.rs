//! How a command ends. The exit codes are part of the interface: scripts rely on them.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | it failed; stderr says why |
//! | 2 | the command line or a setting is wrong |
//! | 3 | no server could be reached |
//! | 130 | ended by a second signal, without finishing |

use std::process::ExitCode;

use landline_client::Error as ClientError;

use crate::config::Mistakes;

/// Ended by a second SIGINT or SIGTERM.
pub const ENDED_BY_SIGNAL: u8 = 130;

/// How a command ended.
#[derive(Debug)]
pub enum Outcome {
    /// 0.
    Done,
    /// 1, everything was said already.
    Failed,
    /// 1 or, if no server could be reached, 3; the text goes to stderr.
    Error(anyhow::Error),
    /// 2.
    Mistakes(Mistakes),
    /// 2, or 0 for `--help` and `--version`.
    Usage(clap::Error),
}

impl Outcome {
    /// Says the last words on stderr and gives the exit code.
    pub fn end(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Error(error) => {
                eprintln!("landline: {error:#}");
                let unreachable = error.chain().any(|cause| {
                    cause.downcast_ref::<ClientError>().is_some_and(ClientError::is_unreachable)
                        || cause.downcast_ref::<NoServer>().is_some()
                });
                ExitCode::from(if unreachable { 3 } else { 1 })
            }
            Self::Mistakes(mistakes) => {
                eprintln!("landline: {mistakes}");
                ExitCode::from(2)
            }
            Self::Usage(usage) => {
                // Help goes to stdout, mistakes to stderr; a closed pipe changes nothing.
                let _ = usage.print();
                ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
            }
        }
    }
}

impl From<anyhow::Result<()>> for Outcome {
    fn from(result: anyhow::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => match error.downcast::<Mistakes>() {
                Ok(mistakes) => Self::Mistakes(mistakes),
                Err(error) => Self::Error(error),
            },
        }
    }
}

/// There is no server to ask.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoServer(pub String);
