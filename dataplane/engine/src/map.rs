//! The hash tables of a core.

use std::collections::{HashMap, HashSet};

use foldhash::quality::RandomState;

/// A table whose keys come from outside or inside: seeded anew in each process, and cheaper than the standard one
/// (`bench/instructions`), since several are looked into for each call.
pub type Map<K, V> = HashMap<K, V, RandomState>;
/// A set, likewise.
pub type Set<K> = HashSet<K, RandomState>;
