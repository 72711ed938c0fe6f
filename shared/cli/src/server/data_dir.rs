//! The data directory: one process at a time, and `run.json` for those who look for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::files;

/// A data directory that is ours until it is dropped. The lock is the kernel's: it goes with the process, however that
/// ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// What a running server tells about itself, in `DATA/run.json`. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// `up`, `exchange` or `switch`.
    pub command: String,
    /// Where this machine reaches it, such as `http://127.0.0.1:7300`; null for an exchange without a listener.
    pub url: Option<String>,
    /// The certificate that its clients have to be told to trust; null if there is none, or an authority signed it.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Base of the URLs that it gives out.
    pub public_url: String,
    /// API prefix.
    pub prefix: String,
    /// Address of the front door, or of the exchange's own listener; null if there is none.
    pub listen: Option<SocketAddr>,
    /// Address of health and metrics.
    pub admin: SocketAddr,
    /// Address for switches; null for a switch.
    pub link: Option<SocketAddr>,
}

impl DataDir {
    /// Makes the directory if it is missing (0700), and locks it.
    ///
    /// # Errors
    /// Another process has it; says which and what to do.
    pub fn open(path: &Path) -> Result<Self> {
        files::make_private_dir(path)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| format!("cannot open {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner);
                let owner = owner.trim();
                let process = if owner.is_empty() { "another process".into() } else { format!("process {owner}") };
                bail!(
                    "the data directory {} is in use by {process}: stop it, or choose another with --data",
                    path.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock_path.display()));
            }
        }
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        // What a killed process left behind is not true any more.
        let _ = std::fs::remove_file(path.join(RUN_FILE));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says where the server is to be found; taken back when this is dropped.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&self, run: &Run) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(run)?;
        text.push(b'\n');
        let path = self.path.join(RUN_FILE);
        files::replace(&path, &text).with_context(|| path.display().to_string())
    }
}

/// `run.json` is removed, then the lock is let go.
impl Drop for DataDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join(RUN_FILE));
    }
}

const RUN_FILE: &str = "run.json";

impl Run {
    /// What the server on a data directory says; `None` if none runs there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(data: &Path) -> Result<Option<Self>> {
        let path = data.join(RUN_FILE);
        match std::fs::read(&path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_used_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::open(&path).unwrap();
        let message = format!("{:#}", DataDir::open(&path).unwrap_err());
        assert!(message.contains(&std::process::id().to_string()) && message.contains("--data"), "{message}");
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn run_json_lives_as_long_as_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        assert_eq!(Run::load(dir.path()).unwrap(), None);
        let run = Run {
            pid: 1,
            version: "0".into(),
            command: "up".into(),
            url: None,
            ca: None,
            public_url: "http://x".into(),
            prefix: "/connect".into(),
            listen: None,
            admin: "127.0.0.1:1".parse().unwrap(),
            link: None,
        };
        data.announce(&run).unwrap();
        assert_eq!(Run::load(dir.path()).unwrap(), Some(run));
        drop(data);
        assert_eq!(Run::load(dir.path()).unwrap(), None);
    }
}
