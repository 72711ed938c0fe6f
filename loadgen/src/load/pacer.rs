//! Calls at a rate: each is offered to a caller when it is meant to begin, answered or not the one before.

use std::rc::Rc;
use std::time::Instant;

use crate::clock::Timer;
use crate::measure::Recorder;
use crate::pace::Schedule;

/// Calls that are offered before other tasks get a turn.
const MOST_AT_ONCE: usize = 256;

/// What takes offers.
pub type Offer = Rc<dyn Fn(Instant)>;

/// Offers calls to the callers in turn, until the run is over. How late each offer was is recorded as `late`: that is
/// the generator's own fault, and not the server's.
///
/// # Errors
/// There is no timer.
pub async fn run(mut schedule: Schedule, callers: Vec<Offer>, recorder: Recorder) -> anyhow::Result<()> {
    let (timer, began) = (Timer::new()?, Instant::now());
    let mut turn = (0..callers.len()).cycle();
    while !recorder.window().is_over() {
        timer.until(began + schedule.next()).await?;
        let now = Instant::now();
        for _ in 0..MOST_AT_ONCE {
            let due = began + schedule.next();
            if due > now {
                break;
            }
            if let Some(caller) = turn.next() {
                callers[caller](due);
            }
            recorder.record("late", now - due);
            schedule.advance();
        }
        if began + schedule.next() <= now {
            // Far behind: the answers must be read nevertheless. A task of its own, since one that wakes itself comes
            // first again.
            monoio::spawn(async {}).await;
        }
    }
    Ok(())
}
