//! The folder of the segments, and the space it has.

use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Ending of a segment's file.
const ENDING: &str = "records";
/// Ending of a file that is no segment and was set aside for a person to look at.
const SET_ASIDE: &str = "damaged";

/// `spool/` of a data directory.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("spool"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it if it is not there; only its owner may look in.
    pub(super) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// The file of a segment's number.
    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:016x}.{ENDING}"))
    }

    /// The numbers of the segments that are there, in order.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .filter(|_| path.extension().is_some_and(|ending| ending == ENDING));
            numbers.extend(name.and_then(|name| u64::from_str_radix(name, 16).ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Keeps a file that cannot be read out of the way.
    pub(super) fn set_aside(&self, number: u64) {
        let path = self.file(number);
        if let Err(error) = std::fs::rename(&path, path.with_extension(SET_ASIDE)) {
            tracing::error!(path = %path.display(), %error, "a damaged file of the spool could not be set aside");
        }
    }

    /// Makes the names of new files durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Bytes that the file system would give us.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let path = CString::new(self.0.as_os_str().as_bytes())?;
        // SAFETY: a plain value that the call fills; the path is a terminated string that lives longer than the call.
        let (outcome, stat) = unsafe {
            let mut stat: libc::statvfs = std::mem::zeroed();
            (libc::statvfs(path.as_ptr(), &raw mut stat), stat)
        };
        if outcome != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
