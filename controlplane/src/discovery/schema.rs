//! What of an agent is in the index, and how much each of its texts counts.
//!
//! The texts of an agent are one field, `body`, in which the telling ones are repeated. That is BM25F in its simplest
//! form: term frequencies are weighted before they saturate, so a word of the name that is in the description too does
//! not count as two finds, and a query costs one list of postings per word however many texts there are.

use landline_api::agents::Skill;
use landline_wire::ids::AgentId;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions};
use tantivy::{TantivyDocument, Term};

use super::text;
use crate::agents::Listed;

/// The form of the index and of what is in it. Raise it when a field, the folding or a weight below changes: an index
/// of another version is built anew.
pub(super) const VERSION: u32 = 2;

/// A name is chosen to be found by.
const NAME: usize = 3;
/// What a skill is called is what callers ask for.
const SKILL_NAME: usize = 3;
/// Tags are telling too, but there are many of them and nobody reads them.
const TAGS: usize = 2;
/// A line that its owner would put on a list.
const TAGLINE: usize = 2;
/// Descriptions hold most words, and most of those are about nothing in particular.
const DESCRIPTION: usize = 1;

/// Characters of a tag, category or provider that can be filtered by.
pub(crate) const LABEL_CHARS: usize = 200;

/// The fields of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// The agent's id as text: by this a document is replaced.
    pub(super) id: Field,
    /// The upper half of the id, as a column.
    pub(super) high: Field,
    /// The lower half, of random bits: by this a hit is told to be online.
    pub(super) low: Field,
    /// When the row last changed, unix milliseconds: what is newer in the database is indexed again.
    pub(super) version: Field,
    /// The whole name, as its folded words.
    pub(super) name_key: Field,
    /// Stems of the name.
    pub(super) name: Field,
    /// Stems of all texts, weighted by repetition.
    pub(super) body: Field,
    /// The folded words of all texts: what a beginning or a mistyped word is completed from.
    pub(super) words: Field,
    /// The folded words of skills' names and ids.
    pub(super) skill: Field,
    /// Tags in lower case.
    pub(super) tag: Field,
    /// The category.
    pub(super) category: Field,
    /// The provider as the card spells it.
    pub(super) provider: Field,
    /// The provider in lower case.
    pub(super) provider_key: Field,
    /// The service class.
    pub(super) service_class: Field,
    /// What else an entry can be narrowed by and counted over, in the order of [`Label::ALL`].
    pub(super) labels: [Field; Label::ALL.len()],
}

/// A part of an agent's catalogue entry by which entries can be narrowed and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Label {
    Tag,
    Capability,
    PublisherDomain,
    PublisherName,
    Version,
    Category,
    ServiceClass,
    Source,
    Streaming,
}

impl Label {
    /// Every label.
    pub(crate) const ALL: [Label; 9] = [
        Label::Tag,
        Label::Capability,
        Label::PublisherDomain,
        Label::PublisherName,
        Label::Version,
        Label::Category,
        Label::ServiceClass,
        Label::Source,
        Label::Streaming,
    ];

    /// The name of its column.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Tag => "entry_tag",
            Self::Capability => "entry_capability",
            Self::PublisherDomain => "entry_publisher_domain",
            Self::PublisherName => "entry_publisher_name",
            Self::Version => "entry_version",
            Self::Category => "entry_category",
            Self::ServiceClass => "entry_service_class",
            Self::Source => "entry_source",
            Self::Streaming => "entry_streaming",
        }
    }

    /// An agent's values.
    pub(crate) fn of(self, entry: &Listed) -> Vec<String> {
        match self {
            Self::Tag => entry.tags(),
            Self::Capability => entry.capabilities(),
            Self::PublisherDomain => entry.publisher().into_iter().map(|(domain, _)| domain).collect(),
            Self::PublisherName => entry.publisher().into_iter().map(|(_, name)| name).collect(),
            Self::Version => entry.card_version.iter().cloned().collect(),
            Self::Category => entry.category.iter().cloned().collect(),
            Self::ServiceClass => entry.service_class.iter().cloned().collect(),
            Self::Source => vec![entry.source.clone()],
            Self::Streaming => vec![entry.streams.to_string()],
        }
    }
}

/// The names of the columns that facets and hits are read from.
pub(super) mod column {
    pub(in crate::discovery) const HIGH: &str = "high";
    pub(in crate::discovery) const LOW: &str = "low";
    pub(in crate::discovery) const VERSION: &str = "version";
    pub(in crate::discovery) const TAG: &str = "tag";
    pub(in crate::discovery) const CATEGORY: &str = "category";
    pub(in crate::discovery) const PROVIDER: &str = "provider";
    pub(in crate::discovery) const SERVICE_CLASS: &str = "service_class";
}

/// The schema and its fields. Texts come in folded, so the index has only to part them at their spaces.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexed = |record| {
        let indexing = TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(record);
        TextOptions::default().set_indexing_options(indexing)
    };
    let ranked = indexed(IndexRecordOption::WithFreqs);
    let plain = indexed(IndexRecordOption::Basic);
    let label = STRING | TextOptions::default().set_fast("raw");
    let fields = Fields {
        id: schema.add_text_field("id", STRING),
        high: schema.add_u64_field(column::HIGH, FAST),
        low: schema.add_u64_field(column::LOW, FAST),
        version: schema.add_i64_field(column::VERSION, FAST | INDEXED),
        name_key: schema.add_text_field("name_key", STRING),
        name: schema.add_text_field("name", ranked.clone()),
        body: schema.add_text_field("body", ranked),
        words: schema.add_text_field("words", plain.clone()),
        skill: schema.add_text_field("skill", plain),
        tag: schema.add_text_field(column::TAG, label.clone()),
        category: schema.add_text_field(column::CATEGORY, label.clone()),
        provider: schema.add_text_field(column::PROVIDER, label.clone()),
        provider_key: schema.add_text_field("provider_key", STRING),
        service_class: schema.add_text_field(column::SERVICE_CLASS, label.clone()),
        labels: Label::ALL.map(|kind| schema.add_text_field(kind.column(), label.clone())),
    };
    (schema.build(), fields)
}

/// The two halves of an id.
pub(super) fn halves(id: AgentId) -> (u64, u64) {
    id.0.as_u64_pair()
}

/// A label as it is compared: trimmed, in lower case. `None`: empty, or too long to be one.
pub(super) fn label(text: &str) -> Option<String> {
    let label = text.trim().to_lowercase();
    (!label.is_empty() && label.chars().count() <= LABEL_CHARS).then_some(label)
}

/// The folded words of a skill's name and id.
fn skill_words(skill: &Skill) -> Vec<String> {
    [&skill.name, &skill.id].into_iter().flatten().flat_map(|text| text::identifier_words(text)).collect()
}

/// Gathers the words of an agent's texts.
#[derive(Default)]
struct Texts {
    body: String,
    words: String,
}

impl Texts {
    fn add(&mut self, words: &[String], weight: usize) {
        for word in words {
            push(&mut self.words, word);
            let stem = text::stem(word);
            (0..weight).for_each(|_| push(&mut self.body, &stem));
        }
    }

    fn add_text(&mut self, text: &str, weight: usize) {
        let words: Vec<String> = text::words(text).into_iter().map(|word| word.folded).collect();
        self.add(&words, weight);
    }
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

impl Fields {
    /// The term by which an agent's document is found and replaced.
    pub(super) fn id_term(&self, id: AgentId) -> Term {
        Term::from_field_text(self.id, &id.to_string())
    }

    /// The document of an agent.
    pub(super) fn document(&self, entry: &Listed) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        let (high, low) = halves(entry.id);
        document.add_text(self.id, entry.id.to_string());
        document.add_u64(self.high, high);
        document.add_u64(self.low, low);
        document.add_i64(self.version, entry.version);
        document.add_text(self.name_key, text::phrase(&entry.name));
        let names = text::identifier_words(&entry.name);
        let stems: Vec<String> = names.iter().map(|word| text::stem(word)).collect();
        document.add_text(self.name, stems.join(" "));

        let mut texts = Texts::default();
        texts.add(&names, NAME);
        texts.add_text(entry.tagline.as_deref().unwrap_or_default(), TAGLINE);
        texts.add_text(&entry.description, DESCRIPTION);
        for skill in &entry.skills {
            let words = skill_words(skill);
            document.add_text(self.skill, words.join(" "));
            texts.add(&words, SKILL_NAME);
            texts.add_text(skill.description.as_deref().unwrap_or_default(), DESCRIPTION);
            skill.tags.iter().for_each(|tag| texts.add_text(tag, TAGS));
        }
        document.add_text(self.body, texts.body);
        document.add_text(self.words, texts.words);
        self.add_labels(&mut document, entry);
        document
    }

    fn add_labels(&self, document: &mut TantivyDocument, entry: &Listed) {
        let mut tags: Vec<String> =
            entry.skills.iter().flat_map(|skill| &skill.tags).filter_map(|tag| label(tag)).collect();
        tags.sort_unstable();
        tags.dedup();
        tags.iter().for_each(|tag| document.add_text(self.tag, tag));
        if let Some(category) = &entry.category {
            document.add_text(self.category, category);
        }
        if let Some((provider, key)) = entry.organization().and_then(|name| Some((name, label(name)?))) {
            document.add_text(self.provider, provider);
            document.add_text(self.provider_key, key);
        }
        if let Some(class) = &entry.service_class {
            document.add_text(self.service_class, class);
        }
        for (field, kind) in self.labels.iter().zip(Label::ALL) {
            let short = |value: &String| value.chars().count() <= LABEL_CHARS;
            kind.of(entry).iter().filter(|value| short(value)).for_each(|value| document.add_text(*field, value));
        }
    }

    /// The field of a label.
    pub(super) fn label(&self, label: Label) -> Field {
        self.labels[label as usize]
    }
}
