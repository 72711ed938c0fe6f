//! Agents to make load with: registered over HTTP, or taken from a file that an earlier run kept.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use landline_api::agents::Access;
use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::args::Target;
use crate::http::{Blocking, Origin, post};

/// Connections that register at the same time.
const REGISTRARS: usize = 4;

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

/// Gives `count` agents: those that the agents file holds, the rest registered now and added to it.
///
/// # Errors
/// The file cannot be read or written, or a registration is refused.
pub fn obtain(origin: &Origin, target: &Target, count: usize) -> anyhow::Result<Vec<Agent>> {
    let mut agents = match &target.agents_file {
        Some(path) => load(path)?,
        None => Vec::new(),
    };
    if agents.len() < count {
        let fresh = register(origin, target, count - agents.len())?;
        if let Some(path) = &target.agents_file {
            keep(path, &fresh)?;
        }
        agents.extend(fresh);
    }
    agents.truncate(count);
    Ok(agents)
}

fn load(path: &Path) -> anyhow::Result<Vec<Agent>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("{}", path.display()))).collect()
}

fn keep(path: &Path, agents: &[Agent]) -> anyhow::Result<()> {
    let mut text = String::new();
    for agent in agents {
        text.push_str(&serde_json::to_string(agent)?);
        text.push('\n');
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Random bytes of the system's generator.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes)
}

fn register(origin: &Origin, target: &Target, count: usize) -> anyhow::Result<Vec<Agent>> {
    let admin = match &target.admin_token_file {
        Some(path) => Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?),
        None => None,
    };
    let admin = admin.as_deref().map(str::trim);
    let run: String = random::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = format!("{}/v1/agents", target.prefix);
    std::thread::scope(|scope| {
        let registrars: Vec<_> = (0..REGISTRARS.min(count))
            .map(|first| {
                let (run, path) = (&run, &path);
                scope.spawn(move || -> anyhow::Result<Vec<Agent>> {
                    let mut connection = Blocking::connect(origin)?;
                    (first..count)
                        .step_by(REGISTRARS)
                        .map(|n| register_one(&mut connection, origin, path, admin, &format!("load-{run}-{n}")))
                        .collect()
                })
            })
            .collect();
        let mut agents = Vec::with_capacity(count);
        for registrar in registrars {
            agents.extend(registrar.join().map_err(|_| anyhow::anyhow!("a registration panicked"))??);
        }
        Ok(agents)
    })
}

fn register_one(
    connection: &mut Blocking,
    origin: &Origin,
    path: &str,
    admin: Option<&str>,
    name: &str,
) -> anyhow::Result<Agent> {
    let body = json!({
        "card": {
            "name": name,
            "description": "An agent that a load test made.",
            "version": "1.0.0",
            "capabilities": {},
            "skills": [],
        },
        "access": Access::Agents,
    });
    let request = post(&origin.host, path, admin, "application/json", &serde_json::to_vec(&body)?);
    let (status, body) = connection.exchange(&request)?;
    match status {
        201 => {
            let Registered { id, api_key } = serde_json::from_slice(&body).context("the answer to a registration")?;
            Ok(Agent { id, api_key })
        }
        429 => {
            bail!("registration is rate-limited: give --admin-token-file, or start the server with --rate-limits off")
        }
        _ => bail!("registration was answered with {status}: {}", String::from_utf8_lossy(&body)),
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
