//! What the journal writes is compressed, then sealed: XChaCha20-Poly1305 under a key made of the backup's line.
//!
//! Not restic's own AES-CTR with Poly1305, although it is linked: there a nonce that comes twice gives both texts away,
//! and 16 bytes are counted on to be drawn by one program; here 24 are drawn, which no number of sessions, forks and
//! copied homes makes come twice.
//!
//! Invariant: a sealed record opens only in the segment, at the number and as the kind that it was sealed for.

use std::io;

use blake3::derive_key;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use crate::key::Line;

/// What the key is for, as blake3 wants it: never used for anything else.
const CONTEXT: &str = "lusush 2026-11 backup journal 1";
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// Bytes of the tag behind what is sealed.
const TAG_BYTES: usize = 16;
/// The fastest of zstd's levels that is better than none: the ratio is the archive's business.
const LEVEL: i32 = 1;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment.
    pub(super) segment: u64,
    /// Its number in the segment.
    pub(super) sequence: u64,
    /// What it is.
    pub(super) kind: u8,
}

impl Place {
    fn bytes(self) -> [u8; 17] {
        let mut out = [0; 17];
        out[..8].copy_from_slice(&self.segment.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16] = self.kind;
        out
    }
}

/// Compresses texts one after another, in the memory of the one before.
pub(super) struct Packer {
    zstd: Compressor<'static>,
    packed: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> io::Result<Packer> {
        Ok(Packer {
            zstd: Compressor::new(LEVEL)?,
            packed: Vec::new(),
        })
    }

    fn pack(&mut self, text: &[u8]) -> io::Result<&[u8]> {
        self.packed.clear();
        self.packed.reserve(compress_bound(text.len()));
        self.zstd.compress_to_buffer(text, &mut self.packed)?;
        Ok(&self.packed)
    }
}

/// The journal's key.
pub(super) struct Seal(XChaCha20Poly1305);

impl Seal {
    pub(super) fn of(line: &Line) -> Seal {
        let key = Zeroizing::new(derive_key(CONTEXT, line.as_str().as_bytes()));
        Seal(XChaCha20Poly1305::new((&*key).into()))
    }

    /// Compresses and seals.
    pub(super) fn close(&self, packer: &mut Packer, place: Place, text: &[u8]) -> Option<Vec<u8>> {
        let packed = packer.pack(text).ok()?;
        let mut nonce = [0; NONCE_BYTES];
        let mut drawn = 0;
        while drawn < NONCE_BYTES {
            drawn +=
                rustix::rand::getrandom(&mut nonce[drawn..], rustix::rand::GetRandomFlags::empty()).ok()?;
        }
        let mut out = Vec::with_capacity(NONCE_BYTES + packed.len() + TAG_BYTES);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(packed);
        let (_, text) = out.split_at_mut(NONCE_BYTES);
        let tag = self
            .0
            .encrypt_inout_detached(&XNonce::from(nonce), &place.bytes(), text.into())
            .ok()?;
        out.extend_from_slice(&tag);
        Some(out)
    }

    /// Opens and unpacks at most `bytes_max`; none if the key is another one or a bit has changed.
    pub(super) fn open(&self, place: Place, sealed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: &place.bytes(),
        };
        let packed = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        zstd::bulk::decompress(&packed, bytes_max).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_there_and_nowhere_else(text: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let seal = Seal::of(&Line::random().unwrap());
            let place = Place { segment: 7, sequence: 1, kind: 2 };
            let mut packer = Packer::new().unwrap();
            packer.pack(b"what was packed before").unwrap();
            let sealed = seal.close(&mut packer, place, &text).unwrap();
            prop_assert_eq!(seal.open(place, &sealed, text.len()), Some(text.clone()));
            prop_assert_eq!(seal.open(Place { sequence: 2, ..place }, &sealed, text.len()), None);
            prop_assert_eq!(Seal::of(&Line::random().unwrap()).open(place, &sealed, text.len()), None);
            let mut bad = sealed;
            let at = at.index(bad.len());
            bad[at] ^= 1 << bit;
            prop_assert_eq!(seal.open(place, &bad, text.len()), None);
        }
    }
}
