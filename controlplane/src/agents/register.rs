//! Registration. Many agents may come at once, and on SQLite all wait for one writer: the transaction holds the rows that are
//! written and nothing else, and the answer is made from what is known of an agent that has done nothing yet.

use landline_api::agents::Registered;
use landline_link::{Op, Policy};
use landline_wire::error::Code;
use landline_wire::ids::AgentId;

use super::display::{self, Display};
use super::model::{Known, Stored};
use super::ops::{SELF_REGISTERED, Sent, explain_conflict, object, twice};
use super::reliability::Figures;
use super::{card, model, store};
use crate::auth;
use crate::config::Registration;
use crate::db::outbox;
use crate::error::{Error, Result};
use crate::events::{self, Directory};
use crate::extract::{JsonBody, Principal};
use crate::pulse::{self, Pulse};
use crate::secrets::random;
use crate::state::Exchange;

/// A registration.
const REGISTRATION: Sent = Sent { name_field: "card.name", endpoint: "POST /v1/agents" };

/// May this caller register agents?
fn may_register(exchange: &Exchange, principal: &Principal) -> Result<()> {
    match (&exchange.config.registration, principal) {
        (Registration::Open, _) | (_, Principal::Admin) | (Registration::Token(_), Principal::Registrar) => Ok(()),
        (Registration::Token(_), Principal::Anonymous) => {
            Err(Error::new(Code::TokenMissing, "Registration needs the registration token as `Authorization: Bearer`."))
        }
        (Registration::Token(_), _) => {
            Err(Error::new(Code::NotAuthorized, "Registration needs the registration token."))
        }
        (Registration::Closed, _) => Err(Error::new(Code::NotAuthorized, "Registration is closed here.")),
    }
}

/// Registers an agent.
pub(crate) async fn register(exchange: &Exchange, principal: &Principal, body: &JsonBody) -> Result<Registered> {
    may_register(exchange, principal)?;
    let members = object(&body.value)?;
    let given = members.get("card").ok_or_else(|| card::fault("card", "`card` is required."))?;
    let mut card = card::parse(given, "card", &exchange.config.public_url)?;
    card.warnings.extend(display::misspelled(members));
    let original = card::text_of(&body.text, true).ok_or_else(twice)?;
    card::one_reading(original, "card")?;
    let display = display::apply(members, Display::default())?;
    let now_ms = exchange.clock.now_ms();
    let id = AgentId::from_parts(now_ms.max(0).unsigned_abs(), random::<10>().map_err(Error::Internal)?);
    let key = auth::ops::make_key(exchange)?;

    let mut tx = exchange.db.begin().await?;
    let new = store::New { id, card: &card, original, display: &display, source: SELF_REGISTERED, now_ms };
    if let Err(error) = store::insert(&mut tx, &new).await {
        drop(tx);
        return Err(explain_conflict(exchange, error, &card, REGISTRATION, id).await);
    }
    auth::ops::first_key(&mut tx, id, &key, now_ms).await?;
    if card.url.is_some() {
        pulse::ops::enrol(&mut tx, id, now_ms).await?;
    }
    let policy = model::policy(&display);
    let restricted = policy != Policy::default();
    if restricted {
        outbox::append(&mut tx, &Op::Policy { agent: id, policy }, now_ms).await?;
    }
    tx.commit().await?;
    if restricted {
        exchange.ring();
    }
    events::publish_change(exchange, Directory::Registered, id, &card.name, now_ms);
    let agent = Stored::of_new(&new).row(&known(exchange), now_ms);
    Ok(Registered { id, api_key: key.secret.0, agent, warnings: card.warnings })
}

/// What other slices know of an agent that was registered just now: nothing.
fn known(exchange: &Exchange) -> Known<'static> {
    static NONE: Figures = Figures::NONE;
    Known {
        figures: &NONE,
        pulse: &Pulse::UNKNOWN,
        lines: 0,
        dormant_after_ms: exchange.config.probes.dormant_after_ms,
    }
}
