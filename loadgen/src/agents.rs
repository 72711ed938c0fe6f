//! Agents to make load with: registered over HTTP, or taken from a file that an earlier run kept; deleted at the end
//! unless somebody wants them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use landline_api::agents::Access;
use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::args::Target;
use crate::http::{Blocking, Origin, refusal, request};
use crate::progress::Progress;
use crate::{interrupt, random};

/// Connections that register, or delete, at the same time.
const REGISTRARS: usize = 4;

/// What to do about a limit.
const WITHOUT_LIMIT: &str = "start it with `--rate-limits off`, or give --admin-token-file DATA/admin-token";

/// Every registrar meets the limit; one says it.
static WARN: Once = Once::new();

/// One agent of ours.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its API key.
    pub api_key: String,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key never shows.
        f.debug_struct("Agent").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What of the answer to a registration is needed.
#[derive(Deserialize)]
struct Registered {
    id: AgentId,
    api_key: String,
}

/// Gives `work` as many agents as it needs: those that the agents file holds, the rest registered now. What was
/// registered is deleted afterwards, however the work ended, unless it is to be kept.
///
/// # Errors
/// The file cannot be read or written, a registration is refused, or the work failed.
pub fn with_agents<T>(
    origin: &Origin,
    target: &Target,
    count: usize,
    work: impl FnOnce(&[Agent]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut agents = match &target.agents_file {
        Some(path) => load(path)?,
        None => Vec::new(),
    };
    agents.truncate(count);
    let known = agents.len();
    let registered = match count - known {
        0 => Ok(()),
        missing => Registration::begin(origin, target)?.register(missing, &mut agents),
    };
    let result = registered.and_then(|()| {
        if let Some(path) = &target.agents_file {
            keep(path, &agents[known..])?;
        }
        work(&agents)
    });
    delete_unless_kept(origin, target, &agents[known..]);
    result
}

/// Deletes agents that were registered for this run, unless they are to be kept.
pub(crate) fn delete_unless_kept(origin: &Origin, target: &Target, agents: &[Agent]) {
    if !target.keep && target.agents_file.is_none() {
        delete(origin, target, agents);
    }
}

/// The agents that a file holds.
///
/// # Errors
/// It is there and cannot be read.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<Agent>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("{}", path.display()))).collect()
}

/// Adds agents to a file.
///
/// # Errors
/// It cannot be written.
pub(crate) fn keep(path: &Path, agents: &[Agent]) -> anyhow::Result<()> {
    let mut text = String::new();
    for agent in agents {
        text.push_str(&serde_json::to_string(agent)?);
        text.push('\n');
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// One run's registrations.
pub(crate) struct Registration<'a> {
    origin: &'a Origin,
    target: &'a Target,
    admin: Option<String>,
    /// In the names of its agents, so that no two runs want the same.
    run: String,
    deadline: Instant,
}

impl<'a> Registration<'a> {
    /// Begins now: the time that registration may take counts from here.
    ///
    /// # Errors
    /// The admin token cannot be read.
    pub(crate) fn begin(origin: &'a Origin, target: &'a Target) -> anyhow::Result<Self> {
        let admin = match &target.admin_token_file {
            Some(path) => {
                let token = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                Some(token.trim().to_owned())
            }
            None => None,
        };
        let run = random::secret::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let deadline = Instant::now() + Duration::from_secs_f64(target.register_timeout);
        Ok(Self { origin, target, admin, run, deadline })
    }

    /// Appends the new agents, also those that were registered before another was refused.
    fn register(&self, count: usize, agents: &mut Vec<Agent>) -> anyhow::Result<()> {
        let (next, stop, made) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
        let registrar = || -> anyhow::Result<()> {
            let mut connection = Blocking::connect(self.origin)?;
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count || stop.load(Relaxed) || interrupt::is_interrupted() {
                    return Ok(());
                }
                let agent = self.register_one(&mut connection, number).inspect_err(|_| stop.store(true, Relaxed))?;
                made.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
            }
        };
        let result: anyhow::Result<()> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..REGISTRARS.min(count)).map(|_| scope.spawn(registrar)).collect();
            let mut progress = Progress::default();
            while !workers.iter().all(|worker| worker.is_finished()) {
                let done = || made.lock().unwrap_or_else(PoisonError::into_inner).len();
                progress.show(|| format!("{} of {count} agents registered", done()));
                std::thread::sleep(Duration::from_millis(2));
            }
            let mut result = Ok(());
            for worker in workers {
                let ended = worker.join().unwrap_or_else(|_| bail!("a registration panicked"));
                result = result.and(ended);
            }
            result
        });
        let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = count - made.len();
        agents.extend(made);
        result.and_then(|()| if missing == 0 { Ok(()) } else { bail!("ended before all agents were registered") })
    }

    /// Registers the agent with this number.
    ///
    /// # Errors
    /// It was refused, or limits would keep it waiting for too long.
    pub(crate) fn register_one(&self, connection: &mut Blocking, number: usize) -> anyhow::Result<Agent> {
        let body = json!({
            "card": {
                "name": format!("load-{}-{number}", self.run),
                "description": "An agent that a load test made.",
                "version": "1.0.0",
                "capabilities": {},
                "skills": [],
            },
            "access": Access::Agents,
        });
        self.register_body(connection, &body)
    }

    /// Registers an agent with this body.
    ///
    /// # Errors
    /// It was refused, or limits would keep it waiting for too long.
    pub(crate) fn register_body(&self, connection: &mut Blocking, body: &serde_json::Value) -> anyhow::Result<Agent> {
        let path = format!("{}/v1/agents", self.target.prefix);
        let body = serde_json::to_vec(body)?;
        let request = request("POST", &self.origin.host, &path, self.admin.as_deref(), "application/json", &body);
        loop {
            let (head, body) = connection.exchange(&request)?;
            match head.status {
                201 => {
                    let Registered { id, api_key } =
                        serde_json::from_slice(&body).context("the answer to a registration")?;
                    return Ok(Agent { id, api_key });
                }
                429 => {
                    WARN.call_once(|| eprintln!("the server limits registrations: waiting; {WITHOUT_LIMIT}"));
                    let seconds = head.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(1);
                    let again = Instant::now() + Duration::from_secs(seconds);
                    if again > self.deadline {
                        bail!(
                            "the server limits registrations, and the agents would not be complete within {} s: \
                             {WITHOUT_LIMIT}, or give a longer --register-timeout",
                            self.target.register_timeout
                        );
                    }
                    while Instant::now() < again && !interrupt::is_interrupted() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    if interrupt::is_interrupted() {
                        bail!("ended while it waited for the rate limit of registrations");
                    }
                }
                status => bail!(
                    "registration was answered with {status} {}: {}",
                    refusal(status, &body),
                    String::from_utf8_lossy(&body)
                ),
            }
        }
    }
}

/// Deletes agents. What cannot be deleted is told and left: the measurement is done and counts.
fn delete(origin: &Origin, target: &Target, agents: &[Agent]) {
    let (next, left) = (AtomicUsize::new(0), Mutex::new(None));
    let deleter = || {
        let mut connection = Blocking::connect(origin)?;
        while let Some(agent) = agents.get(next.fetch_add(1, Relaxed)) {
            let path = format!("{}/v1/agents/{}", target.prefix, agent.id);
            let request = request("DELETE", &origin.host, &path, Some(&agent.api_key), "application/json", &[]);
            let (head, body) = connection.exchange(&request)?;
            if !matches!(head.status, 204 | 404 | 410) {
                bail!("{}", refusal(head.status, &body));
            }
        }
        anyhow::Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..REGISTRARS.min(agents.len()) {
            scope.spawn(|| {
                if let Err(error) = deleter() {
                    left.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    if let Some(error) = left.into_inner().unwrap_or_else(PoisonError::into_inner) {
        eprintln!("not all of the {} agents of this run could be deleted: {error:#}", agents.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_agents_are_found_again_and_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("landline-loadgen-{}.jsonl", std::process::id()));
        let agents: Vec<_> =
            (1..4).map(|n| Agent { id: AgentId::from_parts(n, [7; 10]), api_key: format!("ll_{n}") }).collect();
        keep(&path, &agents[..1]).unwrap();
        keep(&path, &agents[1..]).unwrap();
        assert_eq!(load(&path).unwrap(), agents);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(load(&path).unwrap(), []);
        assert!(!format!("{agents:?}").contains("ll_"));
    }
}
