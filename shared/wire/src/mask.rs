//! Masking of client frames (RFC 6455 section 5.3), in place.

/// XORs `data` with the mask, whose first byte meets the first byte of `data`. Masking and unmasking are the same.
pub fn apply(data: &mut [u8], mask: [u8; 4]) {
    apply_at(data, mask, 0);
}

/// As [`apply`], for a piece of a payload that begins `offset` bytes into it.
pub fn apply_at(data: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut turned = mask;
    turned.rotate_left(offset % 4);
    let wide =
        u64::from_ne_bytes([turned[0], turned[1], turned[2], turned[3], turned[0], turned[1], turned[2], turned[3]]);
    // Eight bytes at a time is a loop that the compiler turns into vector instructions.
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes(chunk.try_into().expect("chunks of eight")) ^ wide;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_the_definition_byte_by_byte(data: Vec<u8>, mask: [u8; 4], offset in 0usize..9) {
            let mut fast = data.clone();
            apply_at(&mut fast, mask, offset);
            let slow: Vec<u8> = data.iter().enumerate().map(|(i, b)| b ^ mask[(i + offset) % 4]).collect();
            prop_assert_eq!(fast, slow);
        }
    }
}
