//! Callers and callees, as all scenarios with calls use them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`script`] | what is asked of whom, and whether an answer is right |
//! | [`slots`] | calls that are open, and when waiting ones were meant to begin |
//! | [`caller`] | a caller that keeps its slots full, whatever carries its calls |
//! | [`ws`], [`http`] | the two ways into a relay |
//! | [`callee`], [`parts`] | the agent that answers, in parts if they are asked for |
//! | [`pacer`] | calls at a rate |

pub mod callee;
pub mod caller;
pub mod http;
pub mod pacer;
pub mod parts;
pub mod script;
pub mod slots;
pub mod ws;

use crate::measure::Recorder;

/// Runs a loop that should not end before the run does; its end is an error of the run.
pub(crate) fn watch(recorder: &Recorder, who: &'static str, task: impl Future<Output = anyhow::Result<()>> + 'static) {
    let recorder = recorder.clone();
    monoio::spawn(async move {
        recorder.lines(1);
        if let Err(error) = task.await {
            recorder.failed_with(who, &error);
        }
        recorder.lines(-1);
    });
}
