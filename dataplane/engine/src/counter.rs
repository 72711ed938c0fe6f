//! Texts that are never the same twice.

use compact_str::CompactString;

/// Counts in hexadecimal behind a prefix, in the text itself: the next one is nearly always one changed byte.
#[derive(Debug, Default)]
pub struct Counter {
    text: CompactString,
    prefix: usize,
}

impl Counter {
    /// The next text. `prefix` is asked for once.
    pub fn next(&mut self, prefix: impl FnOnce() -> CompactString) -> CompactString {
        if self.text.is_empty() {
            self.text = prefix();
            self.prefix = self.text.len();
        }
        self.count();
        self.text.clone()
    }

    fn count(&mut self) {
        let mut zeros = 0;
        while self.text.len() > self.prefix {
            match self.text.pop() {
                Some('f') => zeros += 1,
                Some('9') => return self.end_with('a', zeros),
                Some(digit) => return self.end_with(char::from(digit as u8 + 1), zeros),
                None => break,
            }
        }
        self.end_with('1', zeros);
    }

    fn end_with(&mut self, digit: char, zeros: usize) {
        self.text.push(digit);
        self.text.extend(std::iter::repeat_n('0', zeros));
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
