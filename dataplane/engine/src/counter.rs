//! Texts that are never the same twice.

use compact_str::CompactString;

/// Counts in hexadecimal behind a prefix.
#[derive(Debug, Default)]
pub struct Counter {
    prefix: CompactString,
    count: u64,
}

impl Counter {
    /// The next text. `prefix` is asked for once.
    pub fn next(&mut self, prefix: impl FnOnce() -> CompactString) -> CompactString {
        if self.count == 0 {
            self.prefix = prefix();
        }
        self.count += 1;
        let mut digits = [0; 16];
        let len = (16 - self.count.leading_zeros() as usize / 4).max(1);
        for (at, digit) in digits[..len].iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(self.count >> (4 * at) & 0xF) as usize];
        }
        let mut text = self.prefix.clone();
        text.push_str(std::str::from_utf8(&digits[..len]).unwrap_or_default());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_as_numbers_are_written() {
        let mut counter = Counter::default();
        for number in 1..70_000 {
            assert_eq!(counter.next(|| "r-1f-".into()), format!("r-1f-{number:x}"));
        }
    }
}
