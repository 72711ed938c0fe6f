//! `landline backup`: one consistent copy of a data directory, also while a server runs on it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use landline_controlplane::{Exchange, db};
use serde::{Deserialize, Serialize};

use super::{block_on, node};
use crate::args::BackupArgs;
use crate::files;

/// The database's name in a backup and in a restored data directory.
pub(super) const DATABASE: &str = "exchange.db";
/// The list of what a backup holds; written last, so that a backup without it is no backup.
pub(super) const MANIFEST: &str = "manifest.json";
/// The manifest's form.
pub(super) const FORMAT: u32 = 1;

/// Names of the data directory that are not copied as they are: the process's own, the database, which is copied by the
/// database, records of calls on their way there, which the running switch goes on to deliver, and the search index,
/// which an exchange makes from the database.
const LEFT_OUT: [&str; 7] =
    ["lock", "run.json", "exchange.db", "exchange.db-wal", "exchange.db-shm", "spool", "search"];
/// Files change rarely (a renewed certificate): if one did while we copied, all is copied again, so often at most.
const TRIES: usize = 3;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// The version of the program that made it.
    pub(super) version: String,
    /// The files.
    pub(super) files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the backup's directory.
    pub(super) path: String,
    /// Bytes.
    pub(super) bytes: u64,
    /// Of its content, in hex.
    pub(super) sha256: String,
}

/// Copies.
pub(super) fn run(args: &BackupArgs) -> Result<()> {
    if !files::is_vacant(&args.dir).with_context(|| args.dir.display().to_string())? {
        bail!("{} is not empty: a backup never overwrites", args.dir.display());
    }
    block_on(async {
        let exchange = node::open(&args.settings.flags).await?;
        files::make_private_dir(&args.dir)?;
        let count = copy(&exchange, &args.dir).await?;
        eprintln!("landline: {count} files are in {}; they hold secrets", args.dir.display());
        Ok(())
    })
}

/// Copies an exchange's data into an empty directory and gives the number of files.
async fn copy(exchange: &Exchange, dest: &Path) -> Result<usize> {
    let data = &exchange.config.data_dir;
    for _ in 0..TRIES {
        let copied = copy_files(data, dest)?;
        let database = dest.join(DATABASE);
        db::backup(exchange, &database).await?;
        fs::File::open(&database)?.sync_all()?;
        restrict(&database)?;
        if copied != list(data)? {
            // Something was renewed meanwhile: what was copied may not belong together.
            clear(dest)?;
            continue;
        }
        let mut entries = copied;
        entries.push(entry(dest, Path::new(DATABASE))?);
        let count = entries.len();
        let manifest = Manifest { format: FORMAT, version: env!("CARGO_PKG_VERSION").into(), files: entries };
        files::write_new(&dest.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
        return Ok(count);
    }
    bail!("the data directory kept changing while it was copied: try again")
}

fn copy_files(data: &Path, dest: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in walk(data)? {
        let bytes = fs::read(data.join(&path)).with_context(|| path.display().to_string())?;
        let target = dest.join(&path);
        if let Some(folder) = target.parent() {
            files::make_private_dir(folder)?;
        }
        files::write_new(&target, &bytes).with_context(|| target.display().to_string())?;
        entries.push(of_bytes(&path, &bytes)?);
    }
    Ok(entries)
}

fn list(data: &Path) -> Result<Vec<Entry>> {
    walk(data)?.iter().map(|path| entry(data, path)).collect()
}

/// The entry of a file.
///
/// # Errors
/// It cannot be read.
pub(super) fn entry(base: &Path, path: &Path) -> Result<Entry> {
    let bytes = fs::read(base.join(path)).with_context(|| path.display().to_string())?;
    of_bytes(path, &bytes)
}

fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Entry> {
    let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned();
    let sha256 = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Entry { path, bytes: bytes.len() as u64, sha256 })
}

/// The files that are copied as they are, relative, in a fixed order.
fn walk(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let place = data.join(&folder);
        for item in fs::read_dir(&place).with_context(|| place.display().to_string())? {
            let item = item?;
            let path = folder.join(item.file_name());
            let kind = item.file_type()?;
            let left_out = folder.as_os_str().is_empty() && LEFT_OUT.iter().any(|name| item.file_name() == *name);
            let draft = path.extension().is_some_and(|extension| extension == "new");
            if left_out {
                continue;
            } else if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !draft {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Empties a directory that we filled.
fn clear(dest: &Path) -> Result<()> {
    fs::remove_dir_all(dest).with_context(|| dest.display().to_string())?;
    files::make_private_dir(dest)
}

/// The database made the file with its own mode; it holds the keys' HMACs and who called whom.
fn restrict(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_process_s_own_files_and_drafts_are_copied() {
        let data = tempfile::tempdir().unwrap();
        for path in [
            "lock",
            "run.json",
            "exchange.db",
            "exchange.db-wal",
            "search/v1/meta.json",
            "admin-token",
            "secrets/a",
            "node/lock",
            "ca/b.0f.new",
        ] {
            let path = data.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let dest = tempfile::tempdir().unwrap();
        let entries = copy_files(data.path(), dest.path()).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(names, ["admin-token", "node/lock", "secrets/a"]);
        assert_eq!(entries, list(dest.path()).unwrap());
        fs::write(dest.path().join("secrets/a"), "y").unwrap();
        assert_ne!(entries, list(dest.path()).unwrap());
    }
}
