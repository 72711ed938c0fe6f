//! The house's arrows, read from `cargo metadata`: which crate may import which, and what a pure crate never imports.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use landline_tests::tree;
use serde_json::Value;

/// Which of our crates each of our crates may import in its product (dev-dependencies are the tests' own business).
const ARROWS: &[(&str, &[&str])] = &[
    ("landline-wire", &[]),
    ("landline-token", &["landline-wire"]),
    ("landline-link", &["landline-wire", "landline-token"]),
    ("landline-api", &["landline-wire"]),
    ("landline-engine", &["landline-wire", "landline-token", "landline-link"]),
    ("landline-uplink", &["landline-wire", "landline-token", "landline-link"]),
    (
        "landline-dataplane",
        &["landline-wire", "landline-token", "landline-link", "landline-api", "landline-engine", "landline-uplink"],
    ),
    ("landline-controlplane", &["landline-wire", "landline-token", "landline-link", "landline-api"]),
    ("landline-client", &["landline-wire", "landline-api"]),
    (
        "landline",
        &[
            "landline-wire",
            "landline-token",
            "landline-link",
            "landline-api",
            "landline-client",
            "landline-uplink",
            "landline-dataplane",
            "landline-controlplane",
        ],
    ),
    ("landline-loadgen", &["landline-wire", "landline-api"]),
    ("landline-bench", &["landline-wire", "landline-token", "landline-link", "landline-api", "landline-engine"]),
    (
        "landline-tests",
        &[
            "landline-wire",
            "landline-token",
            "landline-link",
            "landline-api",
            "landline-engine",
            "landline-client",
            "landline-uplink",
            "landline-dataplane",
            "landline-controlplane",
            "landline",
        ],
    ),
];

/// Crates that decide and never act.
const PURE: &[&str] = &["landline-wire", "landline-token", "landline-link", "landline-api", "landline-engine"];

/// What acts: runtimes, sockets, databases. None may be in the tree below a pure crate.
const SHELLS: &[&str] =
    &["tokio", "monoio", "quinn", "sqlx", "axum", "reqwest", "hyper", "mio", "async-std", "smol", "io-uring"];

/// Leaves: nothing of the product imports them.
const LEAVES: &[&str] = &["landline-bench", "landline-loadgen", "landline-tests"];

struct Graph {
    /// Package id → its id's normal and build dependencies.
    edges: BTreeMap<String, Vec<String>>,
    /// Package id → name.
    names: BTreeMap<String, String>,
    /// Our crates: name → package id.
    ours: BTreeMap<String, String>,
}

impl Graph {
    fn load() -> Self {
        // This machine's platform: what is only for others (quinn on the web has ring) is not built here.
        let rustc = Command::new("rustc").arg("-vV").output().expect("rustc");
        let version = String::from_utf8_lossy(&rustc.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--filter-platform", host])
            .current_dir(tree::root())
            .output()
            .expect("cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let list = |value: &Value| value.as_array().expect("a list").clone();
        let names: BTreeMap<String, String> =
            list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let members: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let ours = members.iter().map(|id| (names[id].clone(), id.clone())).collect();
        let product = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
        let edges = list(&metadata["resolve"]["nodes"])
            .iter()
            .map(|node| {
                let deps = list(&node["deps"]);
                (text(&node["id"]), deps.iter().filter(|dep| product(dep)).map(|dep| text(&dep["pkg"])).collect())
            })
            .collect();
        Self { edges, names, ours }
    }

    /// Names of everything below a crate.
    fn below(&self, name: &str) -> BTreeSet<&str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![self.ours[name].as_str()]);
        while let Some(id) = open.pop() {
            for dep in &self.edges[id] {
                if seen.insert(dep.as_str()) {
                    open.push(dep);
                }
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }

    /// Our crates that a crate imports itself.
    fn imports(&self, name: &str) -> BTreeSet<&str> {
        let deps = &self.edges[&self.ours[name]];
        deps.iter().map(|id| self.names[id].as_str()).filter(|dep| self.ours.contains_key(*dep)).collect()
    }
}

#[test]
fn every_crate_imports_only_what_its_arrows_allow() {
    let graph = Graph::load();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = graph.ours.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a crate is in the workspace and not in the table, or the other way");
    for (name, allowed) in ARROWS {
        for import in graph.imports(name) {
            assert!(allowed.contains(&import), "{name} imports {import}: the arrows do not allow it");
        }
    }
}

#[test]
fn the_table_itself_keeps_the_planes_apart_and_the_leaves_outside() {
    for (name, allowed) in ARROWS {
        let both = allowed.contains(&"landline-dataplane") && allowed.contains(&"landline-controlplane");
        assert!(!both || matches!(*name, "landline" | "landline-tests"), "{name} may import both planes");
        assert!(!allowed.iter().any(|import| LEAVES.contains(import)), "{name} may import a leaf");
        assert!(!PURE.contains(name) || allowed.iter().all(|import| PURE.contains(import)), "{name} is pure");
    }
    let graph = Graph::load();
    for (plane, other) in
        [("landline-dataplane", "landline-controlplane"), ("landline-controlplane", "landline-dataplane")]
    {
        assert!(!graph.below(plane).contains(other), "{plane} reaches {other}");
    }
    for plane in ["landline-dataplane", "landline-uplink"] {
        for foreign in ["sqlx", "axum", "reqwest", "maud"] {
            assert!(!graph.below(plane).contains(foreign), "{plane} has {foreign}: that is the exchange's business");
        }
    }
}

#[test]
fn pure_crates_have_no_shell_below_them() {
    let graph = Graph::load();
    for name in PURE {
        let below = graph.below(name);
        for shell in SHELLS {
            assert!(!below.contains(shell), "{name} is pure and has {shell} below it");
        }
    }
    // The control: the search finds what is there.
    assert!(graph.below("landline-dataplane").contains("monoio"));
    assert!(graph.below("landline-controlplane").contains("sqlx"));
}

#[test]
fn there_is_one_crypto_provider() {
    // `cargo tree` knows which optional dependencies are switched on; the metadata lists them all.
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "-e", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(tree::root())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let built: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("aws-lc-rs"), "the control: {built:?}");
    for other in ["ring", "openssl", "native-tls", "mbedtls"] {
        assert!(!built.contains(other), "{other} is in the tree; aws-lc-rs is its only provider");
    }
}

#[test]
fn pure_crates_ban_clocks_sockets_and_the_environment() {
    for folder in ["shared/wire", "shared/token", "shared/link", "shared/api", "dataplane/engine"] {
        let text = tree::read(format!("{folder}/clippy.toml").as_ref());
        for ban in [
            "std::time::SystemTime::now",
            "std::time::Instant::now",
            "std::env::var",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::fs::File",
            "std::thread::sleep",
        ] {
            assert!(text.contains(&format!("path = \"{ban}")), "{folder}/clippy.toml does not ban {ban}");
        }
        assert_eq!(
            text.matches("path = ").count(),
            text.matches("reason = ").count(),
            "{folder}: each ban has a reason"
        );
    }
}
