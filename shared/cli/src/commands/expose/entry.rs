//! The entry in the directory: made at the first start, brought up to date at later ones.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use landline_api::agents::{Access, Agent, Register};
use landline_client::{Client, Method};
use landline_wire::ids::AgentId;
use serde_json::{Value, json};

use super::super::ask::{self, Place};
use super::super::membership;
use crate::args::ExposeArgs;
use crate::carry::base::Base;
use crate::carry::card::{self, Card};
use crate::carry::http::{Carrier, describe};
use crate::files::Identity;

/// Where servers keep their cards: since v0.3, and before.
const CARDS: [&str; 2] = ["/.well-known/agent-card.json", "/.well-known/agent.json"];
const CARD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a card that are read; the directory takes no larger ones.
const MAX_CARD_BYTES: usize = 256 << 10;
/// Characters of a name, with room for a suffix, and of a description, as the directory has them.
const NAME_CHARS: usize = 90;
const DESCRIPTION_CHARS: usize = 2_000;
const SHORTEST_DESCRIPTION: usize = 10;

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Own {
    /// Its card.
    Card(Card),
    /// It has none.
    None,
    /// It does not answer, and why.
    Away(String),
}

impl Own {
    fn card(&self) -> Option<&Card> {
        match self {
            Self::Card(card) => Some(card),
            Self::None | Self::Away(_) => None,
        }
    }
}

/// The agent's entry, to be kept true.
pub(super) struct Entry {
    client: Client,
    id: AgentId,
    relay_url: String,
    given_name: Option<String>,
    base: Base,
    carrier: Carrier,
}

impl Entry {
    /// The server's own card, if it has one and answers now.
    pub(super) async fn fetch(&self) -> Own {
        fetch(&self.carrier, &self.base).await
    }

    /// Brings the entry's card up to date.
    pub(super) async fn set_card(&self, own: &Card) -> Result<()> {
        let agent = self.client.agent(self.id).await.map_err(ask::describe)?;
        let wanted = name(self.given_name.as_deref(), Some(own), &self.base);
        set_card(&self.client, &agent, own, &wanted, &self.base, &self.relay_url).await
    }
}

/// Finds or makes the identity, and sees to it that the directory says what is true now.
pub(super) async fn settle(
    place: &Place,
    args: &ExposeArgs,
    base: &Base,
    carrier: &Carrier,
    path: &Path,
) -> Result<(Identity, Entry, Own)> {
    let own = fetch(carrier, base).await;
    match &own {
        Own::Card(_) => {}
        Own::None => tracing::info!("the server has no agent card"),
        Own::Away(why) => tracing::warn!(why, "the server does not answer; calls will be carried once it does"),
    }
    let wanted = name(args.name.as_deref(), own.card(), base);
    let access = access(args);
    let (identity, agent) = match Identity::load(path)? {
        Some(identity) => {
            let agent = known(place, &identity, path).await?;
            (identity, agent)
        }
        None => {
            let token = membership::registration_token(place, &args.ask, args.registration_token.as_deref());
            // The interfaces need the id, which is not known yet: the card without them comes first.
            let entry = |name: &str| Register {
                card: directory_card(own.card(), name, base, None),
                access: Some(access),
                allow: Some(args.allow.clone()),
                ..Register::default()
            };
            membership::enter(place, token.as_deref(), (&wanted, true), path, entry).await?
        }
    };
    let client = place.client()?.with_credential(&identity.api_key);
    set_access(&client, &agent, access, &args.allow).await.with_context(|| refused(path))?;
    let entry = Entry {
        client,
        id: agent.id,
        relay_url: format!("{}{}/relay/{}", place.url, place.prefix, agent.id),
        given_name: args.name.clone(),
        base: base.clone(),
        carrier: carrier.clone(),
    };
    if let Some(card) = own.card() {
        set_card(&entry.client, &agent, card, &wanted, base, &entry.relay_url).await.with_context(|| refused(path))?;
    }
    Ok((identity, entry, own))
}

fn refused(path: &Path) -> String {
    format!("cannot bring the entry of {} up to date", path.display())
}

/// The server's own card, if it has one and answers now.
async fn fetch(carrier: &Carrier, base: &Base) -> Own {
    let mut places: Vec<Base> = vec![base.clone()];
    if !base.path().is_empty() {
        places.push(base.root());
    }
    for place in &places {
        for path in CARDS {
            match tokio::time::timeout(CARD_TIMEOUT, fetch_one(carrier, place, path)).await {
                Ok(Ok(Some(card))) => return Own::Card(card),
                Ok(Ok(None)) => {}
                Ok(Err(why)) => return Own::Away(why),
                Err(_) => return Own::Away("it gives no card in time".into()),
            }
        }
    }
    Own::None
}

async fn fetch_one(carrier: &Carrier, base: &Base, path: &str) -> Result<Option<Card>, String> {
    let uri = base.join(path).map_err(|why| why.to_string())?;
    let request = http::Request::get(uri).header(http::header::ACCEPT, "application/json");
    let request = request.body(Body::empty()).map_err(|why| why.to_string())?;
    let answer = carrier.request(request).await.map_err(|error| describe(&error))?;
    if answer.status() != http::StatusCode::OK {
        return Ok(None);
    }
    let body = Limited::new(answer.into_body(), MAX_CARD_BYTES).collect().await;
    Ok(body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok()))
}

/// The name to ask for.
fn name(given: Option<&str>, own: Option<&Card>, base: &Base) -> String {
    let of_card = own.and_then(|card| card.get("name")).and_then(Value::as_str);
    let clean = |name: &str| -> String {
        let text: String = name.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
        text.trim().to_owned()
    };
    match given.or(of_card).map(clean).filter(|name| !name.is_empty()) {
        Some(name) if name.chars().count() < 3 => format!("{name}-agent"),
        Some(name) => name,
        None => format!("exposed-{}", base.authority().replace(['.', ':', '[', ']'], "-")),
    }
}

fn access(args: &ExposeArgs) -> Access {
    match (args.public, args.allow.is_empty()) {
        (true, _) => Access::Public,
        (false, false) => Access::Listed,
        (false, true) => Access::Agents,
    }
}

/// The card for the directory: the server's own, under its name there, with interfaces at the relay.
fn directory_card(own: Option<&Card>, name: &str, base: &Base, relay_url: Option<&str>) -> Value {
    let mut card = own.cloned().unwrap_or_default();
    card.insert("name".into(), name.into());
    let said = card.get("description").and_then(Value::as_str).unwrap_or_default().trim();
    let description = match said.chars().count() {
        0 => "A server that is reached through this relay.".to_owned(),
        count if count < SHORTEST_DESCRIPTION => format!("{said} (reached through this relay)"),
        _ => said.chars().take(DESCRIPTION_CHARS).collect(),
    };
    card.insert("description".into(), description.into());
    card.entry("version").or_insert_with(|| "0.0.0".into());
    card::point(&mut card, |url| Some(format!("{}{}", relay_url?, card::path_below(url, base.path())?)));
    card.into()
}

/// The entry of an identity that was kept.
async fn known(place: &Place, identity: &Identity, path: &Path) -> Result<Agent> {
    let Ok(id) = identity.id.parse::<AgentId>() else {
        bail!("{}: {:?} is no agent's id", path.display(), identity.id);
    };
    match place.client()?.with_credential(&identity.api_key).agent(id).await {
        Ok(agent) => Ok(agent),
        Err(error) if error.problem().is_some() => Err(ask::describe(error)).with_context(|| {
            let (file, url) = (path.display(), &place.url);
            format!("{file} names an agent that {url} does not know; give another --identity, or remove it")
        }),
        Err(error) => Err(ask::describe(error)),
    }
}

/// Sets who may call, if it is not so already. Whom the list names is not public, so a list is always sent.
async fn set_access(client: &Client, agent: &Agent, access: Access, allow: &[AgentId]) -> Result<()> {
    if agent.access == access && access != Access::Listed {
        return Ok(());
    }
    let change = json!({ "access": access, "allow": allow });
    client.send(Method::PATCH, &format!("/v1/agents/{}", agent.id), &change).await.map_err(ask::describe)?;
    Ok(())
}

/// Replaces the card, if it is not so already.
async fn set_card(
    client: &Client,
    agent: &Agent,
    own: &Card,
    wanted: &str,
    base: &Base,
    relay_url: &str,
) -> Result<()> {
    let path = format!("/v1/agents/{}/card", agent.id);
    let there: Value = client.get(&format!("{path}?original=1")).await.map_err(ask::describe)?;
    let name = if membership::is_form_of(&agent.name, wanted) { agent.name.as_str() } else { wanted };
    if there == directory_card(Some(own), name, base, Some(relay_url)) {
        return Ok(());
    }
    membership::under_a_free_name(name, true, async |name: &str| {
        let card = directory_card(Some(own), name, base, Some(relay_url));
        client.send(Method::PUT, &path, &card).await
    })
    .await?;
    tracing::info!(name, "the directory has the server's card");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(value: Value) -> Card {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn the_entry_says_what_the_server_says_of_itself() {
        let base = Base::parse("http://127.0.0.1:9999/a2a").unwrap();
        let own = card(json!({
            "name": "Weather", "description": "Says how it will be.", "version": "2.1.0", "x": 1,
            "supportedInterfaces": [{"url": "http://h/a2a/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
            "capabilities": {"streaming": true}, "skills": [{"id": "w"}],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        }));
        let made = directory_card(Some(&own), "Weather-1", &base, Some("http://r/relay/x"));
        let mut expected = own.clone();
        expected.remove("signatures");
        expected["name"] = "Weather-1".into();
        expected["supportedInterfaces"][0]["url"] = "http://r/relay/x/rpc".into();
        assert_eq!(made, Value::from(expected));
        assert!(directory_card(Some(&own), "Weather", &base, None).get("supportedInterfaces").is_none());
    }

    #[test]
    fn a_server_without_a_card_gets_a_passable_entry() {
        let base = Base::parse("http://127.0.0.1:9999").unwrap();
        assert_eq!(name(None, None, &base), "exposed-127-0-0-1-9999");
        assert_eq!(name(Some(" x "), None, &base), "x-agent");
        assert_eq!(name(None, Some(&card(json!({"name": "We\nather"}))), &base), "Weather");
        let made = directory_card(None, "x", &base, None);
        assert!(made["description"].as_str().unwrap().len() >= SHORTEST_DESCRIPTION);
        let terse = card(json!({"description": "Adds."}));
        let made = directory_card(Some(&terse), "x", &base, None);
        assert!(made["description"].as_str().unwrap().chars().count() >= SHORTEST_DESCRIPTION);
    }
}
