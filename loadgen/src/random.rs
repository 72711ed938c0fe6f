//! Random numbers: repeatable ones for choices, the system's for keys.

use std::io;

/// SplitMix64: small, fast, and good enough to choose who calls whom.
#[derive(Debug, Clone)]
pub struct Choices(u64);

impl Choices {
    /// Choices of one stream of a seed: threads and callers have streams of their own.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut first = Self(seed);
        let start = first.next();
        Self(start ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so an Option would only be in the way")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high half of a product: as even as 64 bits let it be, without a division.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Between 0 and 1, neither of them.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }
}

/// Random bytes of the system's generator.
///
/// # Errors
/// The system has none.
pub fn secret<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the pointer and the length are those of one array.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    // Up to 256 bytes come whole or not at all, see getrandom(2).
    if usize::try_from(got) == Ok(N) { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let draw = |seed, stream| {
            let mut choices = Choices::new(seed, stream);
            [choices.next(), choices.next(), choices.next()]
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    #[test]
    fn choices_are_in_range_and_about_even() {
        let mut choices = Choices::new(7, 0);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[choices.below(10)] += 1;
            let unit = choices.unit();
            assert!(unit > 0.0 && unit < 1.0);
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret::<16>().unwrap(), secret::<16>().unwrap());
    }
}
