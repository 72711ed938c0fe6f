//! Ids: who an agent, a session or a node is, and how a call is found again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::MAX_CALLS_PER_CORE;

/// The one spelling of an id: hyphenated, in either case.
#[cfg(feature = "schema")]
const ID_PATTERN: &str = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": "uuid", "pattern": ID_PATTERN})
            }
        }

        impl $name {
            /// A new time-ordered id (UUIDv7) from a time and randomness that the caller brings.
            pub fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }

            /// The id's text, in a buffer of its length.
            pub fn text<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
                self.0.hyphenated().encode_lower(buffer)
            }

            /// The 16 bytes of the id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Accepts the hyphenated form only (36 characters, either case), so that one id has one spelling on the wire.
            fn from_str(text: &str) -> Result<Self, BadId> {
                if text.len() != 36 {
                    return Err(BadId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| BadId)
            }
        }
    };
}

uuid_id! {
    /// An agent's public id (UUIDv7), given at registration.
    AgentId
}
uuid_id! {
    /// One line: a live session of an agent. Made by the switch when the line becomes ready.
    SessionId
}
uuid_id! {
    /// A switch, as the cluster's certificate authority named it.
    NodeId
}

impl AgentId {
    /// The core that holds this agent's lines, of `cores` cores. The last eight bytes of a UUIDv7 are random, so they
    /// are the hash already.
    pub fn home_core(&self, cores: usize) -> usize {
        let bytes = self.0.as_bytes();
        let tail =
            u64::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
        // The two variant bits sit on top of `tail`; a multiply mixes them away before the fold into `cores`.
        let mixed = tail.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((u128::from(mixed) * cores as u128) >> 64) as usize
    }
}

/// The text is no id: a hyphenated UUID of 36 characters was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a hyphenated UUID is expected")]
pub struct BadId;

const CORE_BITS: u32 = 8;
const SLOT_BITS: u32 = 20;
const GENERATION_BITS: u32 = 24;
const _: () = assert!(1 << SLOT_BITS == MAX_CALLS_PER_CORE);
const _: () = assert!(1 + CORE_BITS + SLOT_BITS + GENERATION_BITS == 53, "a call id must stay below 2^53");

/// The id of a call that the relay chose: even, below 2^53 (JavaScript keeps it exactly), and made of the core that
/// holds the call, its slot in that core's call table and the slot's generation. Finding the call again is
/// arithmetic; a late frame for a reused slot carries the old generation and is recognised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct CallId(u64);

impl CallId {
    /// Cores that an id can name.
    pub const MAX_CORES: usize = 1 << CORE_BITS;
    /// Slots of one core's call table.
    pub const MAX_SLOTS: usize = 1 << SLOT_BITS;
    /// The last generation of a slot. A slot that reached it is retired, never reused.
    pub const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

    /// Packs the three parts.
    ///
    /// # Panics
    /// If a part is out of its range: the call table never hands out such a slot.
    pub fn pack(core: usize, slot: usize, generation: u32) -> Self {
        assert!(core < Self::MAX_CORES && slot < Self::MAX_SLOTS && generation <= Self::MAX_GENERATION);
        let packed = ((generation as u64) << (CORE_BITS + SLOT_BITS)) | ((slot as u64) << CORE_BITS) | core as u64;
        Self(packed << 1)
    }

    /// Reads an id from the wire; `None` if it is odd (an agent's own) or 2^53 and above.
    pub fn from_wire(id: u64) -> Option<Self> {
        (id & 1 == 0 && id < 1 << 53).then_some(Self(id))
    }

    /// The number on the wire.
    pub fn to_wire(self) -> u64 {
        self.0
    }

    /// The core that holds the call.
    pub fn core(self) -> usize {
        (self.0 >> 1) as usize & (Self::MAX_CORES - 1)
    }

    /// The slot in that core's call table.
    pub fn slot(self) -> usize {
        (self.0 >> (1 + CORE_BITS)) as usize & (Self::MAX_SLOTS - 1)
    }

    /// The slot's generation when the call was made.
    pub fn generation(self) -> u32 {
        (self.0 >> (1 + CORE_BITS + SLOT_BITS)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_gives_its_parts_back_and_is_even_and_below_2_53() {
        for (core, slot, generation) in
            [(0, 0, 0), (3, 77, 5), (CallId::MAX_CORES - 1, CallId::MAX_SLOTS - 1, CallId::MAX_GENERATION)]
        {
            let id = CallId::pack(core, slot, generation);
            assert_eq!((id.core(), id.slot(), id.generation()), (core, slot, generation));
            assert!(id.to_wire() < 1 << 53 && id.to_wire().is_multiple_of(2));
            assert_eq!(CallId::from_wire(id.to_wire()), Some(id));
        }
        assert_eq!(CallId::from_wire(7), None);
        assert_eq!(CallId::from_wire(1 << 53), None);
    }

    #[test]
    fn home_cores_are_spread_evenly() {
        let mut counts = [0usize; 4];
        for n in 0..40_000u64 {
            let mut random = [0u8; 10];
            random[2..].copy_from_slice(&n.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes());
            counts[AgentId::from_parts(1_700_000_000_000, random).home_core(4)] += 1;
        }
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "{counts:?}");
    }

    #[test]
    fn only_the_hyphenated_spelling_is_an_id() {
        let id = AgentId::from_parts(1, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.0.simple().to_string().parse::<AgentId>(), Err(BadId));
        assert_eq!("nonsense".parse::<AgentId>(), Err(BadId));
    }
}
