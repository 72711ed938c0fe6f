//! The messages whose bytes are pinned: every frame in its smallest and its fullest form, beside what an independent
//! MessagePack reader has to see in it; and streams and programs from which the fuzz targets start.

pub(crate) mod frames;
pub(crate) mod seeds;
