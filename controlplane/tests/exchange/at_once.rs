//! Many lines and keys at once, as a switch that begins anew reports them and asks about them.

use futures_util::future::join_all;
use landline_controlplane::auth::lookup::lookup_key;
use landline_link::{Credential, LookupAnswer, Report};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde_json::json;
use sqlx::Row;
use uuid::Uuid;

use crate::world::{Bot, START_MS, Switch, World, down, on_both, up, up_with};

/// Agents of each half.
const AGENTS: usize = 24;
/// Sessions of each half; the other half's come after them.
const SESSIONS: u8 = 120;

async fn register(world: &World, half: &str) -> Vec<Bot> {
    let mut bots = Vec::new();
    for n in 0..AGENTS {
        bots.push(world.register(&format!("{half}-{n}")).await);
    }
    // One with another key since, one that is blocked, one that is gone.
    world.post(&format!("/v1/agents/{}/rotate-key", bots[0].id), Some(&bots[0].key), json!({})).await.ok(200);
    let block = format!("/v1/admin/agents/{}/block", bots[1].id);
    world.post(&block, Some(&world.admin()), json!({"reason": "spam"})).await.ok(200);
    let path = format!("/connect/v1/agents/{}", bots[2].id);
    world.send(http::Method::DELETE, &path, Some(&bots[2].key), None).await.ok(204);
    bots
}

/// What a switch reports: the line of an agent that comes or goes, or a listing's edge.
#[derive(Clone, Copy)]
enum Said {
    Up { agent: usize, session: u8, by_token: bool },
    Down { agent: usize, session: u8 },
    Begin,
    End,
}

/// Reports without a pattern, the same each time: long runs of lines that come or go, some of them again.
fn script() -> Vec<Said> {
    let mut state = 0x9e37_79b9_u32;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut said = Vec::new();
    while said.len() < 600 {
        let (kind, length) = (draw(10), draw(40));
        match kind {
            0 => said.push(Said::Begin),
            1 => said.push(Said::End),
            _ => said.extend((0..length).map(|_| {
                let (agent, session) = (draw(AGENTS), draw(SESSIONS as usize) as u8);
                match kind {
                    2..=6 => Said::Up { agent, session, by_token: draw(3) == 0 },
                    _ => Said::Down { agent, session },
                }
            })),
        }
    }
    said
}

fn report(said: Said, bots: &[Bot], first: u8) -> Report {
    match said {
        Said::Up { agent, session, by_token: false } => up(&bots[agent], first + session),
        Said::Up { agent, session, by_token: true } => {
            let credential = Credential::Token { jti: Uuid::from_u128(u128::from(session)), token_gen: 1 };
            up_with(&bots[agent], first + session, credential)
        }
        Said::Down { agent, session } => down(&bots[agent], first + session, START_MS + i64::from(session)),
        Said::Begin => Report::SessionsBegin,
        Said::End => Report::SessionsEnd,
    }
}

/// What is stored of the half's lines: session, agent, which switch, and since when it is gone.
async fn lines(world: &World, bots: &[Bot], switches: &[Switch; 2], first: u8) -> Vec<Line> {
    let rows = sqlx::query("SELECT id, agent, node, ended_at FROM sessions").fetch_all(world.exchange.db.read());
    let mut lines = Vec::new();
    for row in rows.await.unwrap() {
        let text = |column: &str| row.get::<String, _>(column);
        let agent: AgentId = text("agent").parse().unwrap();
        if let Some(agent) = bots.iter().position(|bot| bot.id == agent) {
            let session: SessionId = text("id").parse().unwrap();
            let switch = switches.iter().position(|switch| switch.node.to_string() == text("node"));
            lines.push((session.as_bytes()[15] - first, agent, switch, row.get::<Option<i64>, _>("ended_at")));
        }
    }
    lines.sort_unstable();
    lines
}

type Line = (u8, usize, Option<usize>, Option<i64>);

/// Kicks, by which of the two switches and which session of the script.
fn named(kicks: &[(NodeId, SessionId, u16)], switches: &[Switch; 2], first: u8) -> Vec<(Option<usize>, u8, u16)> {
    let at = |node| switches.iter().position(|switch| switch.node == node);
    let mut named: Vec<_> =
        kicks.iter().map(|(node, session, code)| (at(*node), session.as_bytes()[15] - first, *code)).collect();
    named.sort_unstable();
    named
}

on_both! {
    async fn lines_that_are_reported_together_stand_as_if_each_were_reported_alone(world) {
        let (together, alone) = (register(&world, "together").await, register(&world, "alone").await);
        // Each half has switches of its own: a listing speaks of all lines of its switch.
        let mut switches = [world.switch(1).await, world.switch(2).await];
        let mut others = [world.switch(3).await, world.switch(4).await];
        let mut seen = Vec::new();
        for (turn, some) in script().chunks(90).enumerate() {
            let at = turn % 2;
            let reports = some.iter().map(|said| report(*said, &together, 0)).collect();
            let kicks = world.report(&mut switches[at], reports).await;
            let mut kicks_alone = Vec::new();
            for said in some {
                kicks_alone.extend(world.report(&mut others[at], vec![report(*said, &alone, SESSIONS)]).await);
            }
            let kicks = named(&kicks, &switches, 0);
            assert_eq!(kicks, named(&kicks_alone, &others, SESSIONS), "kicks of turn {turn}");
            let now = lines(&world, &together, &switches, 0).await;
            assert_eq!(now, lines(&world, &alone, &others, SESSIONS).await, "after turn {turn}");
            seen.push((now.iter().filter(|(.., ended)| ended.is_none()).count(), kicks.len()));
        }
        assert!(seen.iter().any(|(up, _)| *up > 3) && seen.iter().any(|(_, kicks)| *kicks > 3), "{seen:?}");
    }

    async fn keys_that_are_asked_about_at_once_have_each_its_answer(world) {
        let mut bots = Vec::new();
        for n in 0..40 {
            bots.push(world.register(&format!("bot-{n}")).await);
        }
        let block = format!("/v1/admin/agents/{}/block", bots[7].id);
        world.post(&block, Some(&world.admin()), json!({"reason": "spam"})).await.ok(200);
        for _ in 0..3 {
            let unknown = format!("ll_{}", "x".repeat(43));
            let questions = bots.iter().flat_map(|bot| [bot.key.as_str(), unknown.as_str(), "no key"]);
            let answers = join_all(questions.map(|key| lookup_key(&world.exchange, key))).await;
            for (bot, answers) in bots.iter().zip(answers.chunks(3)) {
                let known = LookupAnswer::Key { agent: bot.id, key_gen: 1, blocked: bot.id == bots[7].id };
                assert_eq!(answers, [known, LookupAnswer::KeyUnknown, LookupAnswer::KeyUnknown]);
            }
        }
    }
}
