//! Random sequences of what agents, callers, time and the exchange may do, on several cores. A failure prints its
//! operations.

use std::collections::{HashMap, HashSet};

use landline_link::Op;
use landline_wire::frame::{Call, Frame};
use proptest::prelude::*;

use super::{Node, Sent, agent};
use crate::types::{ConnKey, Origin, Reply};

#[derive(Debug, Clone)]
enum Act {
    Attach(u8),
    Lose(u8),
    Call {
        core: u8,
        from: u8,
        to: u8,
    },
    CallOverLine {
        line: u8,
        to: u8,
    },
    /// A call over HTTP whose body comes in parts.
    Upload {
        core: u8,
        from: u8,
        to: u8,
    },
    /// A part of one of them.
    Part {
        which: u8,
        more: bool,
    },
    /// A call over HTTP for a resumable stream.
    Stream {
        core: u8,
        from: u8,
        to: u8,
    },
    /// Its caller comes back.
    Resume {
        which: u8,
        core: u8,
        after: u8,
    },
    /// A line answers one of the requests that it was sent.
    Answer {
        line: u8,
        which: u8,
    },
    /// A line answers, cancels and credits an id that another line was sent.
    Meddle {
        line: u8,
        victim: u8,
        which: u8,
    },
    Leave {
        which: u8,
    },
    Pass(u16),
    Revoke(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let byte = any::<u8>;
    prop_oneof![
        3 => byte().prop_map(Act::Attach),
        1 => byte().prop_map(Act::Lose),
        6 => (byte(), byte(), byte()).prop_map(|(core, from, to)| Act::Call { core, from, to }),
        4 => (byte(), byte()).prop_map(|(line, to)| Act::CallOverLine { line, to }),
        3 => (byte(), byte(), byte()).prop_map(|(core, from, to)| Act::Upload { core, from, to }),
        5 => (byte(), any::<bool>()).prop_map(|(which, more)| Act::Part { which, more }),
        3 => (byte(), byte(), byte()).prop_map(|(core, from, to)| Act::Stream { core, from, to }),
        3 => (byte(), byte(), byte()).prop_map(|(which, core, after)| Act::Resume { which, core, after }),
        6 => (byte(), byte()).prop_map(|(line, which)| Act::Answer { line, which }),
        4 => (byte(), byte(), byte()).prop_map(|(line, victim, which)| Act::Meddle { line, victim, which }),
        1 => byte().prop_map(|which| Act::Leave { which }),
        2 => (0u16..40_000).prop_map(Act::Pass),
        1 => byte().prop_map(Act::Revoke),
    ]
}

const AGENTS: u64 = 5;

/// What the simulation knows beside the node.
#[derive(Default)]
struct World {
    /// Requests that each line was sent: id and the body that names its caller.
    requests: HashMap<usize, Vec<(u64, Vec<u8>)>>,
    /// HTTP calls, with the bodies that only their answer may have.
    calls: Vec<(u64, usize, u64)>,
    /// Calls for streams: caller, callee and the stream's id.
    streams: Vec<(u64, u64, crate::StreamId)>,
    /// Which of the calls were uploads: a line that takes parts may answer before it has the secret.
    uploads: HashSet<usize>,
    placed_over_lines: u64,
    revoked: HashMap<u64, u64>,
    resumed: u64,
}

impl World {
    fn collect(&mut self, node: &mut Node) {
        for line in 0..node.lines.len() {
            for sent in node.take(line) {
                if let Sent::Request { id, body, .. } = sent {
                    self.requests.entry(line).or_default().push((id, body));
                }
            }
        }
    }

    fn part(&mut self, node: &mut Node, which: u8, more: bool) {
        if self.calls.is_empty() {
            return;
        }
        let index = which as usize % self.calls.len();
        let (conn, core, to) = self.calls[index];
        let (home, now) = (agent(to).home_core(node.engines.len()), node.now);
        let origin = Origin::Http { core, conn: ConnKey(conn) };
        let body = if more { String::new() } else { format!("http-{index}") };
        node.engines[core].part_at(home, origin, body.into(), more, now);
        node.run();
    }

    fn stream(&mut self, node: &mut Node, core: u8, from: u64, to: u64) {
        let core = core as usize % node.engines.len();
        let mut id = [0; 16];
        id[0] = self.streams.len() as u8 + 1;
        node.resumable = Some(id);
        let secret = format!("http-{}", self.calls.len());
        let conn = node.call(core, Some(agent(from)), agent(to), secret.as_bytes());
        self.calls.push((conn, core, to));
        self.streams.push((from, to, id));
    }

    fn meddle(&mut self, node: &mut Node, line: u8, victim: u8, which: u8) {
        let some_line = |node: &Node, n: u8| (!node.lines.is_empty()).then(|| n as usize % node.lines.len());
        let (Some(line), Some(victim)) = (some_line(node, line), some_line(node, victim)) else { return };
        let ids: Vec<u64> = self.requests.get(&victim).into_iter().flatten().map(|(id, _)| *id).collect();
        if line == victim || ids.is_empty() {
            return;
        }
        let id = ids[which as usize % ids.len()];
        node.respond(line, id, b"forged");
        node.chunk(line, id, b"forged", false);
        node.send(line, &Frame::Credit { id, bytes: 1 });
        node.send(line, &Frame::Cancel { id, code: None });
    }

    fn resume(&mut self, node: &mut Node, which: u8, core: u8, after: u64) {
        if self.streams.is_empty() {
            return;
        }
        let (from, to, stream) = self.streams[which as usize % self.streams.len()];
        let core = core as usize % node.engines.len();
        let (home, now) = (agent(to).home_core(node.engines.len()), node.now);
        self.resumed += 1;
        // Numbers that no call has: what these are told is looked at in the tests of streams.
        let origin = Origin::Http { core, conn: ConnKey((1 << 40) + self.resumed) };
        let resume = crate::Resume { origin, caller: Some(agent(from)), target: agent(to), stream, after };
        node.engines[home].mail(crate::Mail::Resume(resume), now);
        node.run();
    }

    fn act(&mut self, node: &mut Node, act: Act) {
        let cores = node.engines.len();
        let some_line = |node: &Node, n: u8| (!node.lines.is_empty()).then(|| n as usize % node.lines.len());
        match act {
            Act::Attach(n) => {
                let n = u64::from(n) % AGENTS;
                let key_gen = 1 + self.revoked.get(&n).copied().unwrap_or(0);
                let credential = landline_link::Credential::Key { key_gen };
                node.parts = !node.parts;
                node.try_attach(agent(n), credential, false).expect("a fresh key attaches");
            }
            Act::Lose(n) => {
                if let Some(line) = some_line(node, n) {
                    node.lose(line);
                }
            }
            Act::Call { core, from, to } => {
                let (core, to) = (core as usize % cores, u64::from(to) % AGENTS);
                // The body is the caller's secret: only the answer to this very call echoes it.
                let secret = format!("http-{}", self.calls.len());
                let conn = node.call(core, Some(agent(100 + u64::from(from))), agent(to), secret.as_bytes());
                self.calls.push((conn, core, to));
            }
            Act::Upload { core, from, to } => {
                let (core, to) = (core as usize % cores, u64::from(to) % AGENTS);
                self.uploads.insert(self.calls.len());
                let conn = node.upload(core, Some(agent(100 + u64::from(from))), agent(to));
                self.calls.push((conn, core, to));
            }
            Act::Part { which, more } => self.part(node, which, more),
            Act::Stream { core, from, to } => self.stream(node, core, u64::from(from) + 100, u64::from(to) % AGENTS),
            Act::Resume { which, core, after } => self.resume(node, which, core, u64::from(after % 4)),
            Act::CallOverLine { line, to } => {
                if let Some(line) = some_line(node, line) {
                    let to = agent(u64::from(to) % AGENTS).to_string();
                    self.placed_over_lines += 1;
                    let id = self.placed_over_lines * 2 + 1;
                    node.send(line, &Frame::Call(Call { id, to: &to, body: b"line", ..Call::default() }));
                }
            }
            Act::Answer { line, which } => {
                let Some(line) = some_line(node, line) else { return };
                let requests = self.requests.entry(line).or_default();
                if !requests.is_empty() {
                    let (id, body) = requests.swap_remove(which as usize % requests.len());
                    node.respond(line, id, &body);
                }
            }
            Act::Meddle { line, victim, which } => self.meddle(node, line, victim, which),
            Act::Leave { which } => {
                if !self.calls.is_empty() {
                    let (conn, core, to) = self.calls[which as usize % self.calls.len()];
                    let (home, now) = (agent(to).home_core(cores), node.now);
                    node.engines[core].gone_at(home, Origin::Http { core, conn: ConnKey(conn) }, now);
                    node.run();
                }
            }
            Act::Pass(ms) => node.pass_ms(u64::from(ms)),
            Act::Revoke(n) => {
                let n = u64::from(n) % AGENTS;
                let generation = self.revoked.entry(n).or_default();
                *generation += 1;
                let key_gen = *generation + 1;
                node.apply(Op::Revoke { agent: agent(n), token_gen: key_gen, key_gen });
            }
        }
        node.answer_lookups(Some(super::known_agent()));
        self.collect(node);
    }
}

/// Does a reply end its exchange?
fn ends(reply: &Reply) -> bool {
    !matches!(reply, Reply::Credit(_) | Reply::Head { more: true, .. } | Reply::Part { more: true, .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nobody_gets_anothers_answer_and_every_call_ends_once(
        cores in 1usize..4,
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let mut node = Node::new(cores);
        let mut world = World::default();
        for act in acts {
            world.act(&mut node, act);
        }
        // Everything ends when every line is gone.
        for line in 0..node.lines.len() {
            node.lose(line);
        }
        node.pass_ms(61_000);
        node.pass_ms(31_000);
        for (index, (conn, _, _)) in world.calls.iter().enumerate() {
            let replies = node.reply(*conn);
            prop_assert!(replies.iter().filter(|reply| ends(reply)).count() <= 1, "one end at most: {replies:?}");
            let secret = format!("http-{index}");
            for reply in &replies {
                let text = match reply {
                    Reply::Head { body, more: false, .. } => {
                        let early = body.is_empty() && world.uploads.contains(&index);
                        prop_assert!(early || body.first()[..] == *secret.as_bytes(), "an answer of another call");
                        continue;
                    }
                    Reply::Part { body, .. } => std::str::from_utf8(body.first()).unwrap(),
                    _ => continue,
                };
                let own = text.contains(&format!("data: {secret}\n")) || text.contains("event: e");
                prop_assert!(own, "an event of another call: {text}");
            }
        }
        for engine in &node.engines {
            prop_assert_eq!((engine.call_count(), engine.line_count(), engine.held_bytes()), (0, 0, 0));
        }
        let ended: Vec<_> = node.records.iter().map(|record| record.request_id.clone()).collect();
        let once: HashSet<_> = ended.iter().collect();
        prop_assert_eq!(once.len(), ended.len(), "a call was audited twice");
        let placed: u64 = node.engines.iter().map(|engine| engine.stats().calls).sum();
        let over: u64 = node.engines.iter().map(|engine| engine.stats().ended).sum();
        prop_assert_eq!(placed, over, "every placed call ended");
    }
}
