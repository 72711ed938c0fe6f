//! The shelves of the catalogue: which agents stand in which part. Pure.
//!
//! An agent's place is the last four digits of its id, which are random. A shelf is all places that begin with the same
//! bits, so it holds the same agents for as long as it exists, and its size grows with the directory alone. The whole
//! directory is the shelf of no bits. A shelf with few agents lists them; one with many is divided, and lists its parts.

use std::fmt;
use std::str::FromStr;

/// Bits of a place: four hexadecimal digits.
const PLACE_BITS: u8 = 16;
/// Agents that a shelf lists itself.
pub(crate) const MAX_LISTED: u64 = 100;
/// Agents that a part is to have, about, so that none has too many by chance.
const WANTED: u64 = 50;
/// Parts of a shelf, as a power of two: readers take 200 entries of a catalogue.
const MAX_SPLIT: u32 = 7;

/// A shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shelf {
    bits: u8,
    value: u16,
}

impl Shelf {
    /// The whole directory.
    pub(crate) const ALL: Self = Self { bits: 0, value: 0 };

    /// The first and the last place, as they are written.
    pub(crate) fn places(self) -> (String, String) {
        let free = u32::from(PLACE_BITS - self.bits);
        let first = u32::from(self.value) << free;
        (format!("{first:04x}"), format!("{:04x}", first + (1 << free) - 1))
    }

    /// The parts of the shelf if it has so many agents; none: it lists them itself.
    pub(crate) fn parts(self, agents: u64) -> Vec<Self> {
        let left = u32::from(PLACE_BITS - self.bits);
        if agents <= MAX_LISTED || left == 0 {
            return Vec::new();
        }
        let split = agents.div_ceil(WANTED).next_power_of_two().ilog2().min(MAX_SPLIT).min(left);
        let bits = self.bits + split as u8;
        (0..1u16 << split).map(|part| Self { bits, value: (self.value << split) + part }).collect()
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.bits, self.value)
    }
}

impl FromStr for Shelf {
    type Err = ();

    /// Reads what is written by `Display`, and nothing else: a shelf has one address.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (bits, value) = text.split_once('-').ok_or(())?;
        let shelf =
            Self { bits: bits.parse().map_err(|_| ())?, value: u16::from_str_radix(value, 16).map_err(|_| ())? };
        let exists = (1..=PLACE_BITS).contains(&shelf.bits) && u32::from(shelf.value) < 1 << shelf.bits;
        if exists && shelf.to_string() == text { Ok(shelf) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(shelf: Shelf, place: u16) -> bool {
        let (first, last) = shelf.places();
        (first..=last).contains(&format!("{place:04x}"))
    }

    #[test]
    fn the_whole_directory_has_every_place() {
        assert_eq!(Shelf::ALL.places(), ("0000".into(), "ffff".into()));
        assert!(Shelf::ALL.parts(MAX_LISTED).is_empty());
        assert_eq!(Shelf::ALL.parts(MAX_LISTED + 1).len(), 4);
        assert_eq!(Shelf::ALL.parts(100_000).len(), 128);
    }

    #[test]
    fn an_address_is_read_as_it_is_written_and_no_other_way() {
        for bad in ["", "-", "0-0", "17-0", "1-2", "01-0", "4-A", "4-00", "4-f.json", "4", "+4-1", "4-+1"] {
            assert!(bad.parse::<Shelf>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn each_place_is_in_one_part(path in prop::collection::vec(101u64..1_000_000, 0..6), place: u16) {
            let mut shelf = Shelf::ALL;
            for agents in path {
                let parts = shelf.parts(agents);
                if parts.is_empty() {
                    break;
                }
                prop_assert!(parts.len() <= 128);
                let holding: Vec<Shelf> = parts.into_iter().filter(|part| holds(*part, place)).collect();
                prop_assert_eq!(holding.len(), 1, "{:?}", holding);
                shelf = holding[0];
                prop_assert_eq!(shelf.to_string().parse::<Shelf>(), Ok(shelf));
            }
            prop_assert!(holds(shelf, place));
        }
    }
}
