//! What the made-up agents are made of.

/// What agents of a kind do.
#[derive(Debug)]
pub(super) struct Trade {
    /// In a name.
    pub(super) title: &'static str,
    /// In a sentence.
    pub(super) verb: &'static str,
    /// What it is done to or what comes of it.
    pub(super) nouns: &'static [&'static str],
    /// Where it is filed.
    pub(super) category: &'static str,
}

macro_rules! trades {
    ($($title:literal, $verb:literal, $category:literal, [$($noun:literal),*];)*) => {
        /// The trades, the most frequent first.
        pub(super) const TRADES: &[Trade] = &[$(Trade {
            title: $title, verb: $verb, nouns: &[$($noun),*], category: $category,
        },)*];
    };
}

trades! {
    "Chat Assistant", "answer", "chat", ["questions", "support tickets", "conversations", "messages"];
    "Summarizer", "summarize", "writing", ["minutes", "abstracts", "summaries", "key points", "digests"];
    "Code Reviewer", "review", "coding", ["pull requests", "diffs", "code smells", "style violations"];
    "Data Analyst", "analyze", "analysis", ["spreadsheets", "trends", "metrics", "dashboards", "outliers"];
    "Translator", "translate", "translation", ["contracts", "subtitles", "glossaries", "manuals", "letters"];
    "Researcher", "research", "retrieval", ["sources", "citations", "papers", "literature", "evidence"];
    "Copywriter", "write", "writing", ["headlines", "newsletters", "product texts", "posts", "slogans"];
    "Test Writer", "test", "coding", ["unit tests", "fixtures", "coverage", "regressions"];
    "Image Tagger", "tag", "vision", ["photos", "labels", "captions", "objects", "scenes"];
    "Scheduler", "schedule", "general", ["appointments", "calendars", "shifts", "reminders"];
    "Fact Checker", "verify", "analysis", ["claims", "quotes", "statistics", "rumours"];
    "Bug Hunter", "debug", "coding", ["stack traces", "crashes", "memory leaks", "deadlocks"];
    "Price Watcher", "monitor", "retrieval", ["prices", "offers", "stock levels", "competitors"];
    "Invoice Reader", "extract", "vision", ["invoices", "receipts", "line items", "totals"];
    "Forecaster", "forecast", "analysis", ["demand", "sales", "cash flow", "weather", "load"];
    "Proofreader", "proofread", "writing", ["grammar", "spelling", "typos", "tone"];
    "Transcriber", "transcribe", "translation", ["interviews", "podcasts", "voice notes", "calls"];
    "Migration Helper", "migrate", "coding", ["schemas", "databases", "dependencies", "frameworks"];
    "Lead Finder", "find", "retrieval", ["leads", "contacts", "companies", "prospects"];
    "Sentiment Reader", "classify", "analysis", ["reviews", "feedback", "complaints", "sentiment"];
    "Travel Planner", "plan", "general", ["itineraries", "flights", "hotels", "routes"];
    "Recipe Maker", "cook", "general", ["recipes", "menus", "shopping lists", "nutrition"];
    "Tutor", "teach", "chat", ["exercises", "lessons", "flashcards", "quizzes"];
    "Contract Analyst", "compare", "analysis", ["clauses", "obligations", "deadlines", "risks"];
    "Floor Planner", "draw", "vision", ["floor plans", "diagrams", "sketches", "blueprints"];
    "Log Watcher", "watch", "analysis", ["logs", "alerts", "incidents", "latency"];
    "Penetration Tester", "attack", "coding", ["vulnerabilities", "ports", "exploits", "findings"];
    "Genealogist", "trace", "retrieval", ["ancestors", "parish records", "family trees", "archives"];
    "Sommelier", "recommend", "chat", ["wines", "pairings", "vintages", "tastings"];
    "Beekeeper", "inspect", "vision", ["hives", "swarms", "honey yields", "mites"];
}

/// For whom, the most frequent first.
pub(super) const FIELDS: &[&str] = &[
    "finance",
    "software",
    "marketing",
    "legal",
    "health",
    "education",
    "retail",
    "logistics",
    "insurance",
    "manufacturing",
    "energy",
    "media",
    "tourism",
    "agriculture",
    "construction",
    "biotech",
    "automotive",
    "aviation",
    "public sector",
    "hospitality",
    "gaming",
    "sports",
    "fashion",
    "chemistry",
    "maritime",
    "mining",
    "museum",
    "forestry",
    "astronomy",
    "theatre",
];

/// What is worked on.
pub(super) const OBJECTS: &[&str] = &[
    "documents",
    "reports",
    "emails",
    "tables",
    "repositories",
    "images",
    "recordings",
    "forms",
    "surveys",
    "policies",
    "catalogues",
    "presentations",
    "tickets",
    "transcripts",
    "measurements",
    "drawings",
    "web pages",
    "archives",
    "databases",
    "chat logs",
    "product feeds",
    "scans",
    "videos",
    "maps",
];

/// A sentence about how.
pub(super) const QUALITIES: &[&str] = &[
    "Answers within seconds and says when it is not sure.",
    "Keeps a trail of every decision for auditors.",
    "Runs on your own hardware; nothing leaves the building.",
    "Understands twelve languages and mixed ones.",
    "Learns your house style from a few examples.",
    "Handles large batches overnight.",
    "Asks back before it guesses.",
    "Tuned for accuracy rather than speed.",
    "Gives confidence scores with every result.",
    "Works through long inputs in parts and merges the results.",
];

/// In names and tags.
pub(super) const ADJECTIVES: &[&str] = &[
    "swift", "careful", "bright", "quiet", "sturdy", "patient", "keen", "nimble", "steady", "clever", "honest", "bold",
    "gentle", "sharp", "tidy", "frugal", "curious", "brisk", "loyal", "modest",
];

/// Who runs it, the most frequent first.
pub(super) const PROVIDERS: &[&str] = &[
    "Northwind Labs",
    "Acme Automation",
    "Blue Harbor",
    "Quantum Orchard",
    "Fjord Systems",
    "Tessellate",
    "Red Kite",
    "Paper Lantern",
    "Granite Works",
    "Sunday Robotics",
    "Helix and Sons",
    "Open Meadow",
    "Copper Bay",
    "Night Train",
    "Salt Marsh Software",
    "Juniper Street",
    "Atlas Bureau",
    "Little Dipper",
    "Oak and Iron",
    "Second Breakfast",
];
