//! What an edition says of itself: its summary, what each word means, and how it was counted. Pure.

use landline_api::report::{Definition, Figures, Share};

/// One sentence of what was found.
pub(super) fn summary(figures: &Figures) -> String {
    let (directory, reach) = (&figures.directory, &figures.reach);
    let count = |share: &Share| share.count.unwrap_or_default();
    let found = match (directory.with_url.count, reach.discoverable.count) {
        (None | Some(0), _) => "none has a URL of its own".to_owned(),
        (Some(with_url), None) => format!("{with_url} have a URL of their own, and none was asked there"),
        (Some(with_url), Some(found)) => format!(
            "{found} of the {with_url} with a URL of their own were discoverable, {} of the {} that were asked responsive",
            count(&reach.responsive),
            reach.responsive.of,
        ),
    };
    let listed = match directory.listed {
        1 => "1 agent is listed".to_owned(),
        listed => format!("{listed} agents are listed"),
    };
    format!(
        "{listed}, {} of them self-registered; {found}; {} were online.",
        count(&directory.self_registered),
        count(&reach.online)
    )
}

/// The words of an edition, in the order in which they occur.
const DEFINITIONS: &[(&str, &str)] = &[
    ("listed", "Agents of the directory that are neither removed nor blocked, at the moment of the cross-section."),
    ("self-registered", "The agent registered itself, or somebody did who holds its key."),
    (
        "federated",
        "The agent's card was found at its own host, from a URL that was submitted or that a catalogue named; nobody \
         registered it.",
    ),
    (
        "probed",
        "The agent's card names a URL, and the directory asked there within the 24 hours before: for the card first, then \
         by an A2A call for a task that does not exist, which changes nothing.",
    ),
    (
        "discoverable",
        "Within the 24 hours before, the host of the agent's URL served the agent's own present card at a well-known place: \
         /.well-known/agent-card.json of the host or below the URL's path, or /.well-known/agent.json. It must have the \
         agent's name and name its interfaces. An agent without a URL has no such place; it is found in the directory \
         only.",
    ),
    (
        "responsive",
        "The last probe was within the 24 hours before, and its A2A call was answered as A2A has it (verdict callable). \
         This is about the protocol, not about the quality of the agent's work.",
    ),
    ("attached", "The agent held a line to the relay at that moment, so it could be called without a URL."),
    (
        "online",
        "The agent could be called at that moment: it was attached, or its last verdict was callable, not older than twice \
         the interval between probes, and its host stands behind its card.",
    ),
    (
        "verdict",
        "What the last probe of an agent with a URL found, whenever that was: callable, auth_required, protocol_error, \
         timeout, unreachable, or unknown if it was not probed yet or nothing was found out.",
    ),
    (
        "card fetch, probe call",
        "Times from the request to the end of the answer, including the look-up of the name and the connection, as seen from \
         the directory. Only successful ones count: the agent's own card, an answer as A2A has it. A well-behaved agent \
         is asked more often than one that fails.",
    ),
    ("signed", "The card carries at least one signature. Whether it verifies is not checked and not claimed."),
    (
        "service class",
        "What an agent's silence means: utility (meant to be there at any time), principal (there when its owner is), \
         ephemeral (there for one task). Declared: by the extension in its card. Inferred: the agent is federated, \
         declares none, and its tags suggest exactly one: utility by 24/7, 24x7, always-on, high-availability, uptime or \
         utility; principal by assistant, on-behalf-of, personal, personal-agent, personal-assistant or principal; \
         ephemeral by ephemeral, one-off, one-shot, short-lived, task-scoped or temporary. Unknown: all others.",
    ),
    (
        "protocol version, binding",
        "What the interfaces of the card declare; a card that leaves them out is read as A2A says (JSONRPC; 0.3 for a card \
         in the old form, else 1.0). An agent with several counts in each. Streaming and push notifications are what the \
         card's capabilities declare; nobody tried them.",
    ),
    (
        "quality",
        "What a good entry has: an endpoint, being reachable at that moment, skills, a text for each, a semantic version, \
         and the members that A2A requires. A verified signature is named as missing and is no condition.",
    ),
    (
        "tier",
        "How far an agent has got by the directory's published rules: dormant, new (less than a day), basic, listed or \
         proven.",
    ),
    ("tags", "Words of the agent's skills in lower case, each counted once per agent."),
    (
        "calls",
        "Calls through the relay that were recorded in the window, whatever became of them; probes are none. Answered: it \
         reached the agent and its status is below 500. Statuses, routes and latencies are of the newest million calls \
         at most; latencies are on the relay's side, of calls with a status below 500.",
    ),
    (
        "submissions",
        "URLs that were submitted or that a catalogue named, by what became of them: queued, indexed (the card is listed), \
         catalog (it names others), known (its agent is registered), failed, gone. What came to nothing is forgotten in \
         time.",
    ),
];

/// The definitions.
pub(super) fn definitions() -> Vec<Definition> {
    let definition = |(term, text): &(&str, &str)| Definition { term: (*term).into(), text: (*text).into() };
    DEFINITIONS.iter().map(definition).collect()
}

/// The method, in paragraphs.
const METHOD: &[&str] = &[
    "A cross-section: all figures are read from the directory's database in one transaction that sees one state of it, so \
     they belong together. Shares are of all agents of their denominator, not of a sample of them. What is said of \
     other moments (probes of 24 hours, calls of the window) is what the directory still had at that moment: of each \
     agent the last 64 probes, of calls at most 30 days.",
    "Every share has its numerator and denominator. Where the denominator is below 1,000 there is a 95 % Wilson score \
     interval: how far the share may be from that of the agents at large, if these were a random sample of them. They \
     are not: they are those that this directory knows.",
    "Percentiles are by nearest rank. Times are rounded down: to 10 µs below 10 ms, to 1 ms below one second, to 10 ms \
     above. What is not known is null, with the reason beside it, and never 0.",
    "What is not seen: agents that block the directory's address or ask every stranger for a credential count as not \
     discoverable or not responsive, which they may be for others. Calls that agents make among each other without the \
     relay leave no trace here. An operator who switches probes or records off has none.",
    "To repeat it: `landline report --data DIR` counts again, on the database itself or on a copy of it; what depends on the \
     moment is then of the later one. The program is the one that runs the directory.",
];

/// The method.
pub(super) fn method() -> Vec<String> {
    METHOD.iter().map(|text| (*text).to_owned()).collect()
}
