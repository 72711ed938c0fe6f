//! `landline report`: an edition of the state report, from the exchange's database itself, also while the exchange runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use landline_api::report::Edition;
use landline_controlplane::Exchange;
use landline_controlplane::db::{DbError, is_unique_violation};
use landline_controlplane::report::files::{self, File, Format, json_name};
use landline_controlplane::report::{Month, ops};

use super::{block_on, node};
use crate::args::{ReportArgs, ReportFormat};
use crate::config::Log;
use crate::server::data_dir::Run;
use crate::server::{self, logging};

/// Where the files go unless something else is said.
const FOLDER: &str = "./state-of-a2a";
/// Agents between two lines of progress.
const STEP: u64 = 10_000;

/// Counts, and writes what was asked for.
pub(super) fn run(args: &ReportArgs) -> Result<()> {
    be_quiet(args)?;
    let wanted = args.edition.as_deref().map(str::parse::<Month>).transpose().context("--edition")?;
    block_on(async {
        let exchange = node::open(&args.settings.flags).await?;
        let done = make(&exchange, args, wanted).await;
        exchange.db.close().await;
        done
    })
}

/// Starts the log without the driver's remarks on slow statements: whoever counts everything has some.
fn be_quiet(args: &ReportArgs) -> Result<()> {
    let log = server::settings(&args.settings.flags)?.log;
    logging::start(&Log { level: format!("sqlx::query=error,{}", log.level), ..log });
    Ok(())
}

async fn make(exchange: &Exchange, args: &ReportArgs, wanted: Option<Month>) -> Result<()> {
    let as_of = exchange.clock.now_ms();
    let month = month(wanted, Month::of(as_of))?;
    let out = match (&args.out, args.publish) {
        (Some(out), _) => Some(out.clone()),
        (None, true) => None,
        (None, false) => Some(PathBuf::from(FOLDER)),
    };
    let revision = revision(exchange, month, out.as_deref(), args).await?;
    let before = before(exchange, month, out.as_deref()).await?;
    let server = Run::load(&exchange.config.data_dir)?.map(|run| run.public_url);

    eprintln!("landline: counting the directory for {month}");
    let mut told = 0;
    let figures = ops::count(exchange, as_of, |counted| {
        if counted >= told + STEP {
            told = counted;
            eprintln!("landline: {counted} agents are counted");
        }
    })
    .await?;
    let edition = ops::edition((month, revision), as_of, server, figures, before.as_ref());
    eprintln!("landline: {}", edition.summary);
    let files = files::files(month, &edition);
    // What can be refused comes first: then nothing was written.
    if args.publish {
        publish(exchange, month, &edition, &files).await?;
        eprintln!("landline: revision {revision} of {month} is published: /state-of-a2a/{month}");
    }
    if let Some(out) = &out {
        let formats: Vec<Format> = args.format.iter().map(|format| format.meant()).collect();
        for file in files.iter().filter(|file| formats.contains(&file.format)) {
            write(&out.join(&file.name), file)?;
        }
        eprintln!("landline: revision {revision} of {month} is in {}", out.display());
    }
    Ok(())
}

/// The month that the edition is of: what a directory was in another one is not kept anywhere.
fn month(wanted: Option<Month>, now: Month) -> Result<Month> {
    match wanted.unwrap_or(now) {
        month if month == now || month == now.before() => Ok(month),
        month => bail!(
            "--edition {month}: an edition is of this month or the one before ({now} or {}), since it counts the directory \
             as it is now",
            now.before()
        ),
    }
}

/// The number of the new revision, if there may be one.
async fn revision(exchange: &Exchange, month: Month, out: Option<&Path>, args: &ReportArgs) -> Result<u32> {
    let published = if args.publish { ops::last_revision(exchange, month).await? } else { None };
    let folder = out.map(|out| out.join(json_name(month)));
    let written = folder.as_deref().map(load).transpose()?.flatten();
    if !args.force {
        if let Some(revision) = published {
            bail!("revision {revision} of {month} is published: --force publishes another revision beside it");
        }
        let any = |out: &Path| existing(out, month).context(out.display().to_string());
        if let Some(file) = out.map(any).transpose()?.flatten() {
            bail!("{} is there: --force writes another revision over it", file.display());
        }
    }
    let last = published.max(written.map(|edition| edition.revision)).unwrap_or(0);
    Ok(last.saturating_add(1))
}

/// A file of this month's edition in a folder, if there is one.
fn existing(out: &Path, month: Month) -> Result<Option<PathBuf>> {
    if !out.exists() {
        return Ok(None);
    }
    let prefix = month.to_string();
    for item in fs::read_dir(out)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        let is_ours = [".json", ".md", ".svg"].iter().any(|ending| name.ends_with(ending));
        if is_ours && name.starts_with(&prefix) {
            return Ok(Some(item.path()));
        }
    }
    Ok(None)
}

/// The edition in a file; `None`: there is none, or it has another form.
fn load(path: &Path) -> Result<Option<Edition>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(ops::read(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The last edition before this one: of the folder, else of those that were published.
async fn before(exchange: &Exchange, month: Month, out: Option<&Path>) -> Result<Option<Edition>> {
    if let Some(out) = out.filter(|out| out.is_dir()) {
        let items = fs::read_dir(out).with_context(|| out.display().to_string())?;
        let names = items.filter_map(|item| item.ok()?.file_name().into_string().ok());
        let months = names.filter_map(|name| name.strip_suffix(".json")?.parse::<Month>().ok());
        if let Some(last) = months.filter(|earlier| *earlier < month).max()
            && let Some(edition) = load(&out.join(json_name(last)))?
        {
            return Ok(Some(edition));
        }
    }
    Ok(ops::before(exchange, month).await?)
}

async fn publish(exchange: &Exchange, month: Month, edition: &Edition, files: &[File]) -> Result<()> {
    match ops::publish(exchange, month, edition, files).await {
        Err(DbError::Driver(error)) if is_unique_violation(&error) => {
            bail!("revision {} of {month} was published a moment ago by somebody else", edition.revision)
        }
        done => Ok(done?),
    }
}

/// Writes a file in one step: a reader sees the old text or the new one. It holds nothing that is private.
fn write(path: &Path, file: &File) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = || path.display().to_string();
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let draft = folder.join(format!(".{}.{}", file.name, std::process::id()));
    fs::write(&draft, &file.content).with_context(name)?;
    fs::rename(&draft, path).with_context(name)
}

impl ReportFormat {
    fn meant(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Md => Format::Markdown,
            Self::Svg => Format::Svg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_of_this_month_or_the_one_before() {
        let of = |text: &str| text.parse::<Month>().unwrap();
        let now = of("2026-01");
        assert_eq!(month(None, now).unwrap(), now);
        assert_eq!(month(Some(of("2025-12")), now).unwrap(), of("2025-12"));
        for other in ["2025-11", "2026-02", "2025-01"] {
            let message = format!("{:#}", month(Some(of(other)), now).unwrap_err());
            assert!(message.contains(other) && message.contains("2025-12"), "{message}");
        }
    }

    #[test]
    fn what_is_there_of_an_edition_is_seen_and_what_is_not_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let month: Month = "2026-11".parse().unwrap();
        assert_eq!(existing(&dir.path().join("none"), month).unwrap(), None);
        for other in ["2026-10.json", "2026-11.txt", "notes.md"] {
            fs::write(dir.path().join(other), "x").unwrap();
        }
        assert_eq!(existing(dir.path(), month).unwrap(), None);
        let plot = dir.path().join("2026-11-reach.svg");
        fs::write(&plot, "x").unwrap();
        assert_eq!(existing(dir.path(), month).unwrap(), Some(plot));
    }
}
