//! The front door's certificate: read, watched, or made for development.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use landline_dataplane::Tls;
use tokio::signal::unix::{SignalKind, signal};

use super::self_signed;
use crate::config::{Server, TlsSource};

/// How often the files are looked at. What changed is read once it stayed the same from one look to the next, so that a
/// pair which is being written is not taken for a broken one.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How the front door speaks.
#[derive(Debug, Default)]
pub struct FrontDoor {
    /// For the switch; `None`: plain.
    pub tls: Option<Tls>,
    /// What clients must be told to trust, if no authority signed the certificate.
    pub ca: Option<PathBuf>,
}

/// A pair as its files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// Reads or makes the certificate, and keeps an eye on files of the operator's.
///
/// # Errors
/// It cannot be read, made or served; says which file.
pub fn open(settings: &Server, listen: SocketAddr, public_url: &str) -> Result<FrontDoor> {
    match &settings.tls {
        None => Ok(FrontDoor::default()),
        Some(TlsSource::SelfSigned) => {
            let made = self_signed::open(&settings.data, listen, public_url)?;
            let tls = Tls::new(made.certificate.as_bytes(), made.key.as_bytes())?;
            Ok(FrontDoor { tls: Some(tls), ca: Some(made.path) })
        }
        Some(TlsSource::Files { cert, key }) => {
            let files = Files { cert: cert.clone(), key: key.clone() };
            let pair = files.read()?;
            let tls = Tls::new(&pair.chain, &pair.key).with_context(|| files.to_string())?;
            tokio::spawn(watch(files, pair, tls.clone()));
            Ok(FrontDoor { tls: Some(tls), ca: None })
        }
    }
}

/// Where the operator keeps the pair.
#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl std::fmt::Display for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} and {}", self.cert.display(), self.key.display())
    }
}

impl Files {
    fn read(&self) -> Result<Pair> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        Ok(Pair { chain: read(&self.cert)?, key: read(&self.key)? })
    }
}

/// What the last looks saw.
struct Watched {
    /// What was last served, or refused.
    settled: Result<Pair, String>,
    /// What the last look saw, if that is something else.
    seen: Option<Pair>,
}

/// What a look decides.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing to do.
    Wait,
    /// Serve this pair.
    Try(Pair),
    /// Say that the files cannot be read.
    Complain(String),
}

impl Watched {
    /// Judges a look at the files. `at_once`: the operator says that they are complete.
    fn look(&mut self, found: Result<Pair, String>, at_once: bool) -> Verdict {
        if self.settled == found && !at_once {
            self.seen = None;
            return Verdict::Wait;
        }
        let pair = match found {
            Ok(pair) => pair,
            Err(why) => {
                self.seen = None;
                self.settled = Err(why.clone());
                return Verdict::Complain(why);
            }
        };
        if !at_once && self.seen.as_ref() != Some(&pair) {
            self.seen = Some(pair);
            return Verdict::Wait;
        }
        self.seen = None;
        self.settled = Ok(pair.clone());
        Verdict::Try(pair)
    }
}

/// Replaces the pair whenever the files change, and when the process gets SIGHUP.
async fn watch(files: Files, first: Pair, tls: Tls) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return tracing::error!("SIGHUP cannot be caught; the certificate is not watched");
    };
    let mut watched = Watched { settled: Ok(first), seen: None };
    loop {
        let at_once = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            signal = hangup.recv() => signal.is_some(),
        };
        let found = files.read().map_err(|why| format!("{why:#}"));
        match watched.look(found, at_once) {
            Verdict::Wait => {}
            Verdict::Try(pair) => match tls.replace(&pair.chain, &pair.key) {
                Ok(()) => tracing::info!(%files, "a new certificate is served"),
                Err(why) => tracing::error!(%files, %why, "the old certificate goes on being served"),
            },
            Verdict::Complain(why) => tracing::error!(why, "the old certificate goes on being served"),
        }
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(chain: &str, key: &str) -> Pair {
        Pair { chain: chain.into(), key: key.into() }
    }

    #[test]
    fn a_pair_that_is_being_written_is_waited_for() {
        let mut watched = Watched { settled: Ok(pair("a", "a")), seen: None };
        assert_eq!(watched.look(Ok(pair("a", "a")), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("b", "a")), false), Verdict::Wait, "the key is still to come");
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Try(pair("b", "b")));
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("c", "b")), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Wait, "it was taken back");
        assert_eq!(watched.look(Ok(pair("b", "b")), true), Verdict::Try(pair("b", "b")), "on demand, whatever was");
    }

    #[test]
    fn files_that_cannot_be_read_are_complained_of_once() {
        let mut watched = Watched { settled: Ok(pair("a", "a")), seen: None };
        let gone = || Err("gone".to_owned());
        assert_eq!(watched.look(gone(), false), Verdict::Complain("gone".into()));
        assert_eq!(watched.look(gone(), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Wait);
        assert_eq!(watched.look(Ok(pair("b", "b")), false), Verdict::Try(pair("b", "b")));
    }
}
