//! CRC-32C, by the processor where it can: by table it was the dearest thing that the spool's thread did.

use crc::{CRC_32_ISCSI, Crc, Table};

static BY_TABLE: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum of some bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instructions.
        return unsafe { by_processor(bytes) };
    }
    BY_TABLE.checksum(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_processor(bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(u64::from(u32::MAX), |crc, word| _mm_crc32_u64(crc, u64::from_le_bytes(*word)));
    // The upper half is zero.
    !rest.iter().fold(crc as u32, |crc, byte| _mm_crc32_u8(crc, *byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_and_are_the_usual_checksum() {
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..1_000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for length in (0..40).chain([255, 256, 999, 1_000]) {
            assert_eq!(checksum(&bytes[..length]), BY_TABLE.checksum(&bytes[..length]), "{length} bytes");
        }
    }
}
