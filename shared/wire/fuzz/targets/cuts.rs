//! Ways to cut a byte stream into reads. They depend on the bytes only, so that a file of the corpus is the stream
//! itself and fails the same way everywhere.

/// Above this, one byte at a time would cost a parser that starts over at each read more than it teaches.
const MAX_SINGLE_BYTES: usize = 512;

/// The same stream as a list of reads, in several ways; the first is the whole stream at once.
pub(crate) fn cuttings(stream: &[u8]) -> Vec<Vec<&[u8]>> {
    let hash = stream
        .iter()
        .fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let mut ways = vec![vec![stream], varied(stream, hash, 24), varied(stream, hash.rotate_left(32), 300)];
    if stream.len() <= MAX_SINGLE_BYTES {
        ways.push(stream.chunks(1).collect());
    }
    ways
}

fn varied(mut stream: &[u8], seed: u64, longest: u64) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let len = (1 + state % longest).min(stream.len() as u64) as usize;
        let (piece, rest) = stream.split_at(len);
        pieces.push(piece);
        stream = rest;
    }
    pieces
}
