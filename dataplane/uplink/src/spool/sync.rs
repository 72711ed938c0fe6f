//! Makes files durable, beside the writer: a slow disk must not delay the records that come.

use std::fs::File;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::folder::Folder;

/// A thread that syncs what it is given, one lot at a time.
#[derive(Debug)]
pub(super) struct Syncer(Sender<Vec<Arc<File>>>);

impl Syncer {
    /// Starts the thread. It ends with this.
    pub(super) fn start(folder: Folder) -> std::io::Result<Self> {
        let (give, take) = bounded::<Vec<Arc<File>>>(1);
        std::thread::Builder::new().name("spool-sync".into()).spawn(move || {
            for files in take {
                let outcome = files.iter().try_for_each(|file| file.sync_data()).and_then(|()| folder.sync());
                if let Err(error) = outcome {
                    tracing::error!(%error, "the spool could not be made durable: a power cut would lose records");
                }
            }
        })?;
        Ok(Self(give))
    }

    /// Is it free for more?
    pub(super) fn is_free(&self) -> bool {
        self.0.is_empty()
    }

    /// Syncs these, unless it is still busy with earlier ones.
    pub(super) fn sync(&self, files: Vec<Arc<File>>) {
        if !files.is_empty() {
            let _ = self.0.try_send(files);
        }
    }
}
