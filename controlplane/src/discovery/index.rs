//! The index on disk or in memory: one writer, one reader that is moved on after each commit, readers that never wait.
//!
//! It holds nothing that is not in the database. So whatever is wrong with it (another version, a damaged file, a folder
//! that somebody emptied) has one cure: it is removed and built anew.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use landline_wire::ids::AgentId;
use tantivy::directory::{MmapDirectory, RamDirectory};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{DocAddress, Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TantivyError};
use uuid::Uuid;

use super::schema::{self, Fields, VERSION, column};
use crate::agents::Listed;

/// Bytes that the writer holds before it writes a segment. One thread writes: the smallest heap that the library takes
/// is 15 MB, and with twice that 100,000 agents are a handful of segments.
const WRITER_BYTES: usize = 32 << 20;
/// Segments of a size that are merged into one: fewer keep a search fast, more keep merging rare.
const MERGED_SEGMENTS: usize = 6;
/// Segments below so many documents count as equally small.
const SMALL_SEGMENT: u32 = 5_000;

/// What the index library said.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index itself.
    #[error("search index: {0}")]
    Index(#[from] TantivyError),
    /// Its folder.
    #[error("search index in {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A thread of ours ended early.
    #[error("search index: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// The index of all visible agents.
pub(super) struct SearchIndex {
    pub(super) fields: Fields,
    pub(super) index: Index,
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
}

impl SearchIndex {
    /// Opens the index in `folder` (nothing else may be kept there), or one in memory. What is there of another version,
    /// or damaged, is removed. Blocks.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, IndexError> {
        let Some(folder) = folder else { return Self::start(RamDirectory::create()) };
        let place = folder.join(format!("v{VERSION}"));
        let keep = place.file_name();
        for other in list(folder)?.iter().filter(|path| path.file_name() != keep) {
            remove(other)?;
        }
        match Self::open_folder(&place) {
            Ok(index) => Ok(index),
            Err(error) => {
                tracing::warn!(%error, "the search index cannot be read: it is built anew");
                remove(&place)?;
                Self::open_folder(&place)
            }
        }
    }

    fn open_folder(place: &Path) -> Result<Self, IndexError> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(place);
        made.map_err(|source| folder_error(place, source))?;
        let opened = Self::start(MmapDirectory::open(place).map_err(TantivyError::from)?)?;
        let damaged = opened.index.validate_checksum()?;
        match damaged.iter().next() {
            None => Ok(opened),
            Some(file) => {
                let source = std::io::Error::other(format!("{} is damaged", file.display()));
                Err(folder_error(place, source))
            }
        }
    }

    fn start(directory: impl Into<Box<dyn tantivy::Directory>>) -> Result<Self, IndexError> {
        let (schema, fields) = schema::schema();
        let settings = IndexSettings::default();
        let index = Index::builder().schema(schema).settings(settings).open_or_create(directory)?;
        let options = IndexWriterOptions::builder().memory_budget_per_thread(WRITER_BYTES).num_merge_threads(1).build();
        let writer: IndexWriter = index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_min_num_segments(MERGED_SEGMENTS);
        merging.set_min_layer_size(SMALL_SEGMENT);
        writer.set_merge_policy(Box::new(merging));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { fields, index, reader, writer: Mutex::new(writer) })
    }

    /// Brings agents in (in place of what was there of them, if anything was) and takes others out. Searches see it
    /// when this returns. Blocks.
    pub(super) fn apply(&self, entries: &[Listed], gone: &[AgentId]) -> Result<(), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for id in gone.iter().copied().chain(entries.iter().map(|entry| entry.id)) {
            writer.delete_term(self.fields.id_term(id));
        }
        for entry in entries {
            writer.add_document(self.fields.document(entry))?;
        }
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// A view of the index as it is now, which stays.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Every agent in the index with the version that is there. Blocks.
    pub(super) fn versions(&self) -> Result<HashMap<AgentId, i64>, IndexError> {
        let searcher = self.searcher();
        let mut versions = HashMap::with_capacity(searcher.num_docs() as usize);
        for segment in searcher.segment_readers() {
            let columns = segment.fast_fields();
            let (high, low) = (columns.u64(column::HIGH)?, columns.u64(column::LOW)?);
            let version = columns.i64(column::VERSION)?;
            for doc in segment.doc_ids_alive() {
                if let (Some(high), Some(low), Some(version)) = (high.first(doc), low.first(doc), version.first(doc)) {
                    versions.insert(AgentId(Uuid::from_u64_pair(high, low)), version);
                }
            }
        }
        Ok(versions)
    }
}

/// Whose document this is.
pub(super) fn agent_of(searcher: &Searcher, address: DocAddress) -> Result<Option<AgentId>, IndexError> {
    let columns = searcher.segment_reader(address.segment_ord).fast_fields();
    let high = columns.u64(column::HIGH)?.first(address.doc_id);
    let low = columns.u64(column::LOW)?.first(address.doc_id);
    Ok(high.zip(low).map(|(high, low)| AgentId(Uuid::from_u64_pair(high, low))))
}

fn folder_error(path: &Path, source: std::io::Error) -> IndexError {
    IndexError::Folder { path: path.display().to_string(), source }
}

/// What is in the folder; nothing, if it is not there.
fn list(folder: &Path) -> Result<Vec<PathBuf>, IndexError> {
    match std::fs::read_dir(folder) {
        Ok(items) => {
            let paths: std::io::Result<Vec<PathBuf>> = items.map(|item| Ok(item?.path())).collect();
            paths.map_err(|source| folder_error(folder, source))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(folder_error(folder, source)),
    }
}

fn remove(path: &Path) -> Result<(), IndexError> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(|source| folder_error(path, source))
}
