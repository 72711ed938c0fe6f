//! Being in the directory: to enter it under a free name, and what to do when the relay wants us no more.

use std::path::Path;

use anyhow::{Context, Result, bail};
use landline_api::agents::{Agent, Register};
use landline_wire::close;
use serde_json::Value;

use super::ask::{self, Place};
use crate::args::Ask;
use crate::files::Identity;
use crate::server::exchange::REGISTRATION_TOKEN_FILE;

/// Names that were taken by chance before we give up.
const NAME_TRIES: usize = 5;
/// Random bytes of a name's suffix.
const SUFFIX_BYTES: usize = 3;

/// A name with a random suffix.
pub(super) fn suffixed(name: &str) -> Result<String> {
    let suffix = landline_controlplane::secrets::random::<SUFFIX_BYTES>().map_err(anyhow::Error::msg)?;
    let hex: String = suffix.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{name}-{hex}"))
}

/// Is this the name, or the name with a suffix of ours?
pub(super) fn is_form_of(given: &str, name: &str) -> bool {
    let is_suffix = |rest: &str| {
        rest.strip_prefix('-')
            .is_some_and(|hex| hex.len() == 2 * SUFFIX_BYTES && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    given.strip_prefix(name).is_some_and(|rest| rest.is_empty() || is_suffix(rest))
}

/// Does something under the first of these names that is free: the name itself if `bare`, then with suffixes.
pub(super) async fn under_a_free_name<T>(
    name: &str,
    bare: bool,
    attempt: impl AsyncFn(&str) -> Result<T, landline_client::Error>,
) -> Result<T> {
    for round in 0..NAME_TRIES {
        let tried = if bare && round == 0 { name.to_owned() } else { suffixed(name)? };
        match attempt(&tried).await {
            Ok(done) => return Ok(done),
            Err(error) if error.problem().is_some_and(|problem| problem.code == "name_taken") => {}
            Err(error) => return Err(ask::describe(error)),
        }
    }
    bail!("no free name was found after {NAME_TRIES} tries: choose another with --name")
}

/// Enters the directory and keeps the identity in a file that must not exist.
pub(super) async fn enter(
    place: &Place,
    token: Option<&str>,
    (name, bare): (&str, bool),
    path: &Path,
    entry: impl Fn(&str) -> Register,
) -> Result<(Identity, Agent)> {
    let client = place.client()?;
    let made = under_a_free_name(name, bare, async |name: &str| client.register_as(&entry(name), token).await).await;
    let made = made.with_context(|| format!("cannot register at {}", place.url))?;
    let identity = Identity { id: made.id.to_string(), api_key: made.api_key };
    identity.save(path)?;
    tracing::info!(name = made.agent.name, id = identity.id, identity = %path.display(), "registered");
    Ok((identity, made.agent))
}

/// A registration of a card alone.
pub(super) fn entry(card: Value) -> Register {
    Register { card, ..Register::default() }
}

/// The token that was given, else the one of the server on this machine's data directory, if it asks for one.
pub(super) fn registration_token(place: &Place, ask: &Ask, given: Option<&str>) -> Option<String> {
    let given = given.filter(|token| !token.is_empty()).map(str::to_owned);
    given.or_else(|| {
        place.run.as_ref()?;
        let text = std::fs::read_to_string(ask.data.join(REGISTRATION_TOKEN_FILE)).ok()?;
        Some(text.trim().to_owned())
    })
}

/// What a person can do after a line was closed for good.
pub(super) fn advice(code: u16, reason: &str, path: &Path) -> String {
    let what = match code {
        close::REPLACED => "another process dialled in as this agent and took the line; stop one of the two".into(),
        close::INVALID_TOKEN => format!(
            "the relay refused the API key: the agent was deleted, its key rotated, or {0} is from another relay; \
             remove {0} to register a new agent",
            path.display()
        ),
        close::BLOCKED => "this agent was blocked; ask the relay's operator".into(),
        _ => "dialling again would be useless".into(),
    };
    format!("the line was closed with {code} ({reason}): {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_of_ours_is_recognised_and_nothing_else() {
        let made = suffixed("alice").unwrap();
        assert!(is_form_of(&made, "alice") && is_form_of("alice", "alice"));
        for other in ["alice-", "alice-12345", "alice-1234567", "alice-12345g", "alicex", "bob", "alice-bob-123456"] {
            assert!(!is_form_of(other, "alice"), "{other}");
        }
    }
}
