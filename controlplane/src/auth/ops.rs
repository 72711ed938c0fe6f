//! Use cases of credentials.

use std::net::IpAddr;

use http::HeaderValue;
use landline_link::{Op, Secret};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use landline_wire::limits::MAX_TOKEN_BYTES;
use sqlx::AnyConnection;

use super::model::{self, Revoke};
use super::store::{self, Account};
use crate::config::Registration;
use crate::conventions::rate_limited;
use crate::db::{DbError, outbox};
use crate::error::{Error, Result};
use crate::extract::{Authenticated, Principal, Via};
use crate::secrets::{looks_like_api_key, new_api_key, random, same_secret};
use crate::state::Exchange;

/// Characters of an API key that are shown.
const SHOWN: usize = 8;

/// Who shows this `Authorization` header? A bad credential is 401 whatever the path; only the owner of a removed agent is
/// told 410 on that agent's own paths. An address that tries many bad ones has to wait.
pub async fn authenticate(exchange: &Exchange, header: &HeaderValue, ip: IpAddr, instance: &str) -> Result<Principal> {
    let token = bearer(header).ok_or_else(|| Error::plain(Code::TokenMissing))?;
    if exchange.secrets.is_admin(token) {
        return Ok(Principal::Admin);
    }
    if let Registration::Token(ours) = &exchange.config.registration
        && same_secret(&ours.0, token)
    {
        return Ok(Principal::Registrar);
    }
    let now = exchange.clock.now_ms();
    exchange.limiter.may_try_credential(ip, now).map_err(|wait_ms| rate_limited("credentials", wait_ms))?;
    let account = match recognise(exchange, token, instance).await {
        Ok(found) => found,
        Err(error) => {
            if matches!(error, Error::Problem(_)) {
                exchange.limiter.bad_credential(ip, now);
            }
            return Err(error);
        }
    };
    let (account, via) = account;
    if account.blocked {
        return Err(Error::plain(Code::AgentBlocked));
    }
    let Account { agent, name, key_prefix, .. } = account;
    Ok(Principal::Agent(Authenticated { agent, name, key_prefix, via }))
}

/// The token of `Bearer <token>`.
fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN_BYTES).then_some(token)
}

async fn recognise(exchange: &Exchange, token: &str, instance: &str) -> Result<(Account, Via)> {
    if looks_like_api_key(token) { by_key(exchange, token, instance).await } else { by_token(exchange, token).await }
}

async fn by_key(exchange: &Exchange, key: &str, instance: &str) -> Result<(Account, Via)> {
    let hmac = exchange.secrets.api_key_hmac(key);
    let mut conn = exchange.db.read().acquire().await?;
    if let Some(account) = store::by_key(&mut conn, hmac.clone()).await? {
        let key_gen = account.key_gen;
        return Ok((account, Via::Key { key_gen }));
    }
    let removed = store::removed_by_key(&mut conn, hmac).await?;
    if removed.is_some_and(|agent| instance.contains(&agent.to_string())) {
        return Err(Error::new(Code::Gone, "The agent was deleted."));
    }
    Err(Error::plain(Code::TokenInvalid))
}

async fn by_token(exchange: &Exchange, token: &str) -> Result<(Account, Via)> {
    let refused = |why: &str| Error::new(Code::TokenInvalid, format!("The credential does not count: {why}."));
    let claims = exchange
        .verifier
        .verify(token, exchange.issuer(), exchange.clock.now_s())
        .map_err(|error| refused(&error.to_string()))?;
    let mut conn = exchange.db.read().acquire().await?;
    let account = store::by_agent(&mut conn, claims.sub).await?.ok_or_else(|| refused("the agent is gone"))?;
    if claims.token_gen < account.token_gen || store::is_revoked(&mut conn, claims.jti).await? {
        return Err(refused("the token was revoked"));
    }
    Ok((account, Via::Token { jti: claims.jti, exp: claims.exp }))
}

/// What a switch must know of credentials that knows nothing.
pub(crate) async fn snapshot(
    conn: &mut AnyConnection,
    now_s: i64,
    since_ms: i64,
) -> std::result::Result<Vec<Op>, DbError> {
    let changed = store::changed_since(conn, since_ms).await?;
    let revoked = store::revoked_live(conn, now_s).await?;
    let revoke = changed.into_iter().map(|(agent, generations)| Op::Revoke {
        agent,
        token_gen: generations.token_gen,
        key_gen: generations.key_gen,
    });
    Ok(revoke.chain(revoked.into_iter().map(|(jti, exp)| Op::RevokeToken { jti, exp })).collect())
}

/// A key before it is stored: the text for its owner, and what is kept of it.
pub(crate) struct NewKey {
    pub(crate) secret: Secret,
    pub(crate) hmac: Vec<u8>,
    pub(crate) prefix: String,
}

/// Makes a key.
pub(crate) fn make_key(exchange: &Exchange) -> Result<NewKey> {
    let secret = new_api_key().map_err(Error::Internal)?;
    let hmac = exchange.secrets.api_key_hmac(&secret.0);
    let prefix = secret.0[..SHOWN].to_owned();
    Ok(NewKey { secret, hmac, prefix })
}

/// Stores the first key of a new agent, in the transaction that makes it.
pub(crate) async fn first_key(tx: &mut AnyConnection, agent: AgentId, key: &NewKey, now_ms: i64) -> Result<()> {
    store::insert(tx, agent, key.hmac.clone(), &key.prefix, now_ms).await?;
    Ok(())
}

/// Signs a token for an agent. Gives the token and its life in seconds.
pub(crate) async fn issue_token(exchange: &Exchange, agent: AgentId) -> Result<(String, u32)> {
    let mut conn = exchange.db.read().acquire().await?;
    let account = store::by_agent(&mut conn, agent).await?.ok_or_else(|| Error::plain(Code::TokenInvalid))?;
    let bytes = random::<16>().map_err(Error::Internal)?;
    let jti = model::token_id(exchange.secrets.token_ids(), agent, bytes);
    let claims = model::claims(exchange.issuer(), agent, account.token_gen, jti, exchange.clock.now_s());
    let token = exchange.secrets.signer.sign(&claims).map_err(|error| Error::Internal(error.to_string()))?;
    Ok((token, u32::try_from(model::TOKEN_LIFE_S).unwrap_or_default()))
}

/// Replaces an agent's key. The old key and all tokens are dead when this returns; lines held with them close as soon as
/// the switches hear of it.
pub(crate) async fn rotate_key(exchange: &Exchange, agent: AgentId, key_gen: u64) -> Result<Secret> {
    let key = make_key(exchange)?;
    let now = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    let generations = store::rotate(&mut tx, agent, key_gen, key.hmac, &key.prefix, now).await?;
    let Some(store::Generations { key_gen, token_gen }) = generations else {
        return Err(Error::new(Code::TokenInvalid, "The key was rotated meanwhile."));
    };
    outbox::append(&mut tx, &Op::Revoke { agent, token_gen, key_gen }, now).await?;
    tx.commit().await?;
    exchange.ring();
    Ok(key.secret)
}

/// Revokes one token of an agent, or all.
pub(crate) async fn revoke(exchange: &Exchange, agent: AgentId, what: Revoke) -> Result<()> {
    let now = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    let op = match what {
        Revoke::One(jti) => {
            if !model::is_token_of(exchange.secrets.token_ids(), agent, jti) {
                let problem = Problem::new(Code::NotFound, "None of your tokens has this id.");
                return Err(problem.field("jti").into());
            }
            let exp = exchange.clock.now_s() + model::TOKEN_LIFE_S;
            if !store::revoke_token(&mut tx, agent, jti, exp).await? {
                return Ok(());
            }
            Op::RevokeToken { jti, exp }
        }
        Revoke::All => {
            let generations = store::raise_token_gen(&mut tx, agent, now).await?;
            let generations = generations.ok_or_else(|| Error::plain(Code::TokenInvalid))?;
            Op::Revoke { agent, token_gen: generations.token_gen, key_gen: generations.key_gen }
        }
    };
    outbox::append(&mut tx, &op, now).await?;
    tx.commit().await?;
    exchange.ring();
    Ok(())
}

/// Forgets revoked tokens that would have expired by now.
pub(crate) async fn sweep(exchange: &Exchange) -> std::result::Result<u64, DbError> {
    let mut conn = exchange.db.write().acquire().await?;
    store::forget_tokens(&mut conn, exchange.clock.now_s()).await
}
