//! The labelled set, read from its two files. A line that cannot be read fails the test: nothing is left out silently.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What became of an agent since it registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A line, and calls that succeed at once.
    Good,
    /// A line, and no calls yet.
    New,
    /// A line, and calls that take seconds.
    Slow,
    /// A line, and calls of which most fail.
    Failing,
    /// No line.
    Offline,
}

/// An agent of the set.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) key: String,
    pub(crate) state: State,
    name: String,
    description: String,
    /// Names, descriptions and tags.
    skills: Vec<(String, String, Vec<String>)>,
}

/// A task of the set.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) text: String,
    /// Keys of agents with their grades, 1 to 3.
    pub(crate) grades: BTreeMap<String, u32>,
}

/// The set.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) agents: Vec<Agent>,
    pub(crate) tasks: Vec<Task>,
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl Set {
    pub(crate) fn load() -> Self {
        let agents: Vec<Agent> = lines(include_str!("agents.txt")).map(Agent::read).collect();
        let tasks: Vec<Task> = lines(include_str!("tasks.txt")).map(Task::read).collect();
        let keys: BTreeSet<&String> = agents.iter().map(|agent| &agent.key).collect();
        assert_eq!(keys.len(), agents.len(), "each agent has a key of its own");
        for task in &tasks {
            let unknown = task.grades.keys().find(|key| !keys.contains(key));
            assert_eq!(unknown, None, "{}", task.text);
        }
        Self { agents, tasks }
    }
}

impl Agent {
    /// `key state Name | description | skill: what it does #tag #tag | …`
    fn read(line: &str) -> Self {
        let mut parts = line.split('|').map(str::trim);
        let mut head = parts.next().expect("a head").splitn(3, ' ');
        let mut next = || head.next().unwrap_or_else(|| panic!("{line}"));
        let key = next().to_owned();
        let state = match next() {
            "good" => State::Good,
            "new" => State::New,
            "slow" => State::Slow,
            "failing" => State::Failing,
            "offline" => State::Offline,
            other => panic!("{other} is no state: {line}"),
        };
        let name = next().to_owned();
        let description = parts.next().unwrap_or_else(|| panic!("{line}")).to_owned();
        let skills = parts.map(|part| {
            let (skill, rest) = part.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            let mut rest = rest.split('#').map(str::trim);
            let does = rest.next().unwrap_or_default().to_owned();
            (skill.to_owned(), does, rest.map(str::to_owned).collect())
        });
        Self { key, state, name, description, skills: skills.collect() }
    }

    /// The body that registers it.
    pub(crate) fn registration(&self) -> Value {
        let skills = self.skills.iter().map(
            |(name, does, tags)| json!({"id": name, "name": name.replace('-', " "), "description": does, "tags": tags}),
        );
        json!({"card": {"name": self.name, "description": self.description, "version": "1.0.0",
            "skills": skills.collect::<Vec<_>>()}})
    }

    /// All its texts in one, as they are registered.
    pub(crate) fn text(&self) -> String {
        let skills = self.skills.iter().map(|(name, does, tags)| format!("{name} {does} {}", tags.join(" ")));
        format!("{} {} {}", self.name, self.description, skills.collect::<Vec<_>>().join(" "))
    }
}

impl Task {
    /// `task => key:grade key:grade …`
    fn read(line: &str) -> Self {
        let (text, grades) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}"));
        let grade = |part: &str| {
            let (key, grade) = part.split_once(':').unwrap_or_else(|| panic!("{line}"));
            let grade: u32 = grade.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!((1..=3).contains(&grade), "{line}");
            (key.to_owned(), grade)
        };
        Self { text: text.to_owned(), grades: grades.split_whitespace().map(grade).collect() }
    }
}
