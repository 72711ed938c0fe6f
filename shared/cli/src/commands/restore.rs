//! `landline restore`: a new data directory from a backup.

use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use landline_controlplane::clock::Clock;
use landline_controlplane::config::Config;
use landline_controlplane::{Exchange, db};

use super::backup::{DATABASE, FORMAT, MANIFEST, Manifest, entry};
use super::block_on;
use crate::args::RestoreArgs;
use crate::files;

/// Verifies the whole backup, then copies it.
pub(super) fn run(args: &RestoreArgs) -> Result<()> {
    let manifest = verified(&args.dir)?;
    if !files::is_vacant(&args.data).with_context(|| args.data.display().to_string())? {
        bail!("{} is not empty: a restore never overwrites", args.data.display());
    }
    files::make_private_dir(&args.data)?;
    for file in &manifest.files {
        let target = args.data.join(&file.path);
        if let Some(folder) = target.parent() {
            files::make_private_dir(folder)?;
        }
        files::write_new(&target, &fs::read(args.dir.join(&file.path))?)
            .with_context(|| target.display().to_string())?;
    }
    block_on(async {
        let config = Config::new(&args.data, "http://localhost");
        let exchange = Exchange::open(config, Clock::system()).await?;
        db::new_epoch(&exchange).await?;
        exchange.db.close().await;
        Ok(())
    })?;
    let data = args.data.display();
    eprintln!("landline: {} files are restored; start with: landline up --data {data}", manifest.files.len());
    if args.data.join("landline.toml").exists() {
        eprintln!("landline: {data}/landline.toml came along: see whether its `data` and `database` still fit");
    }
    Ok(())
}

/// Reads the manifest and checks every file against it.
fn verified(dir: &Path) -> Result<Manifest> {
    let path = dir.join(MANIFEST);
    let text = fs::read(&path).with_context(|| format!("{} is no complete backup: {MANIFEST}", dir.display()))?;
    let manifest: Manifest = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
    if manifest.format != FORMAT {
        bail!(
            "{}: form {} is from another version of landline ({})",
            path.display(),
            manifest.format,
            manifest.version
        );
    }
    let mut faults = Vec::new();
    for file in &manifest.files {
        let relative = Path::new(&file.path);
        if relative.components().any(|part| !matches!(part, Component::Normal(_))) {
            faults.push(format!("{} is outside the backup", file.path));
            continue;
        }
        match entry(dir, relative) {
            Ok(found) if found == *file => {}
            Ok(_) => faults.push(format!("{} was changed", file.path)),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    if !manifest.files.iter().any(|file| file.path == DATABASE) {
        faults.push(format!("{DATABASE} is missing"));
    }
    if !faults.is_empty() {
        bail!("{} is damaged:\n  {}", dir.display(), faults.join("\n  "));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(dir: &Path, paths: &[&str]) {
        for path in paths {
            fs::write(dir.join(path), "x").unwrap();
        }
        let files = paths.iter().map(|path| entry(dir, Path::new(path)).unwrap()).collect();
        let manifest = Manifest { format: FORMAT, version: "0".into(), files };
        fs::write(dir.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    #[test]
    fn a_changed_missing_or_foreign_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        backup(dir.path(), &[DATABASE, "admin-token", "gone"]);
        assert_eq!(verified(dir.path()).unwrap().files.len(), 3);
        fs::write(dir.path().join("admin-token"), "y").unwrap();
        fs::remove_file(dir.path().join("gone")).unwrap();
        let message = format!("{:#}", verified(dir.path()).unwrap_err());
        assert!(message.contains("admin-token was changed") && message.contains("gone"), "{message}");
    }

    #[test]
    fn a_path_that_leaves_the_backup_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        backup(dir.path(), &[DATABASE]);
        let path = dir.path().join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap().replace("exchange.db", "../exchange.db");
        fs::write(&path, text).unwrap();
        let message = format!("{:#}", verified(dir.path()).unwrap_err());
        assert!(message.contains("outside the backup") && message.contains("missing"), "{message}");
    }

    #[test]
    fn without_a_manifest_it_is_no_backup() {
        let dir = tempfile::tempdir().unwrap();
        assert!(verified(dir.path()).is_err());
    }
}
