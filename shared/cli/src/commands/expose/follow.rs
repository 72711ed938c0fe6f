//! The directory's card follows the server's: one that starts late, or comes back as another version, is found.

use std::convert::Infallible;
use std::time::Duration;

use super::entry::{Entry, Own};

/// Until the server answers for the first time.
const SOON: Duration = Duration::from_secs(2);
/// From then on.
const EVERY: Duration = Duration::from_secs(60);

/// Runs for as long as the server is exposed.
pub(super) async fn follow(entry: Entry, mut last: Own) -> Infallible {
    loop {
        tokio::time::sleep(if matches!(last, Own::Away(_)) { SOON } else { EVERY }).await;
        let now = entry.fetch().await;
        match &now {
            // It may only be starting anew: what it said of itself before stands.
            Own::Away(_) => continue,
            Own::Card(card) if now != last => match entry.set_card(card).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!("the directory does not take the server's new card: {error:#}");
                    continue;
                }
            },
            Own::Card(_) | Own::None => {}
        }
        last = now;
    }
}
