//! Lists of agents: their orders, and the places from which they are read on. Pure but for the parameters' type.
//!
//! A cursor holds the place of the last row that was given: the value by which the list is ordered, and the agent's id.
//! What is added or removed before that place moves nothing after it, which an offset cannot say of itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::extract::{DEFAULT_LIMIT, MAX_LIMIT, Params};

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By registration, newest first.
    #[serde(rename = "n")]
    Newest,
    /// By how much it is called of late, most first.
    #[serde(rename = "t")]
    Trending,
    /// Those that can be called now, by name.
    #[serde(rename = "o")]
    Online,
    /// Those that the operator features, the latest first.
    #[serde(rename = "f")]
    Featured,
}

/// What a list is ordered by, of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
}

/// A place in a list: after this row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place(pub(crate) Order, pub(crate) Key, pub(crate) String);

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// At most so many items.
    pub(crate) limit: u32,
    /// After so many, from the place on.
    pub(crate) offset: u32,
    /// Where it begins.
    pub(crate) after: Place,
}

impl Order {
    /// The place before the first row. Numbers fall along a list and names rise.
    fn start(self) -> Place {
        let key = match self {
            Self::Newest | Self::Trending | Self::Featured => Key::Number(i64::MAX),
            Self::Online => Key::Text(String::new()),
        };
        Place(self, key, String::new())
    }
}

/// Bytes of a cursor: more than any of ours has, with a name of 100 characters.
const MAX_CURSOR_BYTES: usize = 2_048;

impl Place {
    /// The place as callers see it: opaque.
    pub(crate) fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a cursor of a list of this order.
    fn parse(text: &str, order: Order) -> Option<Self> {
        if text.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let place: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let same_kind = std::mem::discriminant(&place.1) == std::mem::discriminant(&order.start().1);
        let no_nul = !matches!(&place.1, Key::Text(name) if name.contains('\0'));
        (place.0 == order && same_kind && no_nul && place.2.parse::<AgentId>().is_ok()).then_some(place)
    }
}

impl Piece {
    /// The first rows of a list.
    pub(crate) fn first(order: Order, limit: u32) -> Self {
        Self { limit, offset: 0, after: order.start() }
    }

    /// Reads `limit`, and `offset` or `cursor`.
    pub(crate) fn parse(params: &Params, order: Order) -> Result<Self> {
        let window = params.window()?;
        let Some(cursor) = params.given("cursor") else {
            return Ok(Self { limit: window.limit, offset: window.offset, after: order.start() });
        };
        if params.given("offset").is_some() {
            return Err(Error::invalid("cursor", "Give `cursor` or `offset`, not both."));
        }
        let after = Place::parse(cursor, order).ok_or_else(|| {
            Error::invalid("cursor", "`cursor` must be the `next_cursor` of an earlier answer of this very list.")
        })?;
        Ok(Self { limit: params.number("limit", DEFAULT_LIMIT, MAX_LIMIT, 1)?, offset: 0, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::from_pairs(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_in_its_own_list() {
        let id = AgentId::from_parts(7, [7; 10]).to_string();
        for place in [
            Place(Order::Newest, Key::Number(1_700_000_000_000), id.clone()),
            Place(Order::Trending, Key::Number(0), id.clone()),
            Place(Order::Online, Key::Text("ä bot".repeat(20)), id.clone()),
            Place(Order::Featured, Key::Number(-1), id.clone()),
        ] {
            let (order, cursor) = (place.0, place.cursor());
            let piece = Piece::parse(&params(&[("cursor", &cursor), ("limit", "7")]), order).unwrap();
            assert_eq!(piece, Piece { limit: 7, offset: 0, after: place });
            for other in [Order::Newest, Order::Trending, Order::Online, Order::Featured] {
                assert_eq!(Piece::parse(&params(&[("cursor", &cursor)]), other).is_ok(), other == order);
            }
        }
    }

    #[test]
    fn what_is_no_cursor_is_named() {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let id = AgentId::from_parts(7, [7; 10]);
        for bad in [
            "nonsense".to_owned(),
            "*".into(),
            encode("[]"),
            encode("[\"n\",1,\"x\"]"),
            encode(&format!("[\"n\",\"text\",\"{id}\"]")),
            encode(&format!("[\"q\",1,\"{id}\"]")),
            encode(&format!("[\"n\",1.5,\"{id}\"]")),
            "A".repeat(MAX_CURSOR_BYTES + 1),
        ] {
            let problem = Piece::parse(&params(&[("cursor", &bad)]), Order::Newest).unwrap_err().into_problem();
            assert_eq!((problem.code.as_str(), problem.field.as_deref()), ("invalid_query", Some("cursor")), "{bad}");
        }
        let good = Place(Order::Newest, Key::Number(1), id.to_string()).cursor();
        assert!(Piece::parse(&params(&[("cursor", &good), ("offset", "1")]), Order::Newest).is_err());
        let nul = Place(Order::Online, Key::Text("a\0".into()), id.to_string()).cursor();
        assert!(Piece::parse(&params(&[("cursor", &nul)]), Order::Online).is_err(), "Postgres takes no U+0000");
    }
}
