//! What restic's format seals, opened by the repository's own key without the library.
//!
//! The library opens a small file in as many allocations as a large one, hands each through a channel that holds none, and
//! does not say whether the file is the one that its name says. A lock it does not know at all. What is read here is never
//! written: only the library writes the format.
//!
//! Invariant: a text is given out only if its seal holds, and never more of it than was asked for.

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, Tag};
use rustic_core::repofile::MasterKey;
use zstd::bulk::Decompressor;

/// Bytes before what is sealed.
const NONCE_BYTES: usize = 16;
/// Bytes behind it.
const TAG_BYTES: usize = 16;
/// How what is compressed begins; what is not begins as JSON does.
const COMPRESSED: u8 = 2;
/// Bytes that are made ready for a text at first: the texts of a small repository are shorter.
const TEXT_BYTES: usize = 64 * 1024;

/// Opens files one after another.
pub(crate) struct Opener {
    cipher: Aes256CtrPoly1305Aes,
    zstd: Decompressor<'static>,
    text: Vec<u8>,
}

/// Why a file was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpeningError {
    /// A bit has changed, or another key sealed it.
    #[error("its bytes have changed, or the key is another one")]
    Seal,
    /// The seal holds, and what it seals is of no form that is known, or longer than it may be.
    #[error("it is of another version, or too long")]
    Form,
}

impl Opener {
    /// Gets ready; none if the key is no key.
    pub(crate) fn of(master: &MasterKey) -> Option<Opener> {
        let mut key = Key::default();
        let parts = [
            (0..32, &master.encrypt),
            (32..48, &master.mac.k),
            (48..64, &master.mac.r),
        ];
        for (range, part) in parts {
            if part.len() != range.len() {
                return None;
            }
            key[range].copy_from_slice(part);
        }
        Some(Opener {
            cipher: Aes256CtrPoly1305Aes::new(&key),
            zstd: Decompressor::new().ok()?,
            text: Vec::new(),
        })
    }

    /// Opens what is sealed, in its own place, and unpacks at most `bytes_max` of it.
    ///
    /// # Errors
    /// What is sealed may be half opened by then.
    pub(crate) fn open<'o>(
        &'o mut self,
        sealed: &'o mut [u8],
        bytes_max: usize,
    ) -> Result<&'o [u8], OpeningError> {
        let (nonce, rest) = sealed
            .split_at_mut_checked(NONCE_BYTES)
            .ok_or(OpeningError::Seal)?;
        let length = rest.len().checked_sub(TAG_BYTES).ok_or(OpeningError::Seal)?;
        let (text, tag) = rest.split_at_mut(length);
        self.cipher
            .decrypt_in_place_detached(Nonce::from_slice(nonce), &[], text, Tag::from_slice(tag))
            .map_err(|_| OpeningError::Seal)?;
        match text.split_first() {
            Some((&COMPRESSED, packed)) => self.unpack(packed, bytes_max),
            Some((b'{' | b'[', _)) if text.len() <= bytes_max => Ok(text),
            _ => Err(OpeningError::Form),
        }
    }

    /// Unpacks what does not say how long it is: into four times the room as long as that is too little.
    fn unpack(&mut self, packed: &[u8], bytes_max: usize) -> Result<&[u8], OpeningError> {
        let mut room = TEXT_BYTES.max(self.text.capacity()).min(bytes_max);
        loop {
            self.text.clear();
            self.text.reserve_exact(room);
            let unpacked = self.zstd.decompress_to_buffer(packed, &mut self.text);
            match unpacked {
                Ok(length) if length <= bytes_max => return Ok(&self.text),
                // Its errors are texts, so too little room is not told from other causes: those are met again.
                Err(_) if room < bytes_max => room = room.saturating_mul(4).min(bytes_max),
                Ok(_) | Err(_) => return Err(OpeningError::Form),
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aes256ctr_poly1305aes::aead::Aead;
    use proptest::prelude::*;

    use super::*;

    /// Seals a text as restic does.
    pub(crate) fn sealed(master: &MasterKey, text: &[u8], is_compressed: bool) -> Vec<u8> {
        let plain = match is_compressed {
            true => [&[COMPRESSED][..], &zstd::encode_all(text, 3).unwrap()].concat(),
            false => text.to_vec(),
        };
        let nonce = [7; NONCE_BYTES];
        let cipher = Opener::of(master).unwrap().cipher;
        [&nonce[..], &cipher.encrypt(&nonce.into(), &plain[..]).unwrap()].concat()
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_and_one_flipped_bit_is_not(
            text in "[{\\[].{0,200}", is_compressed: bool, at: prop::sample::Index, bit in 0..8u8
        ) {
            let master = MasterKey::new();
            let mut opener = Opener::of(&master).unwrap();
            let sealed = sealed(&master, text.as_bytes(), is_compressed);
            let open = |opener: &mut Opener, mut sealed: Vec<u8>, bytes_max| {
                opener.open(&mut sealed, bytes_max).map(<[u8]>::to_vec)
            };
            let (length, text) = (text.len(), text.into_bytes());
            prop_assert_eq!(open(&mut opener, sealed.clone(), length), Ok(text));
            prop_assert_eq!(open(&mut opener, sealed.clone(), length - 1), Err(OpeningError::Form));
            let mut other = Opener::of(&MasterKey::new()).unwrap();
            prop_assert_eq!(open(&mut other, sealed.clone(), length), Err(OpeningError::Seal));
            let mut bad = sealed;
            let at = at.index(bad.len());
            bad[at] ^= 1 << bit;
            prop_assert_eq!(open(&mut opener, bad, length), Err(OpeningError::Seal));
        }

        #[test]
        fn any_bytes_are_refused(mut bytes: Vec<u8>) {
            let mut opener = Opener::of(&MasterKey::new()).unwrap();
            prop_assert_eq!(opener.open(&mut bytes, 1000), Err(OpeningError::Seal));
        }
    }

    #[test]
    fn a_long_text_finds_its_room() {
        let master = MasterKey::new();
        let mut opener = Opener::of(&master).unwrap();
        for length in [10, 20 * TEXT_BYTES, 10] {
            let text = "[".repeat(length);
            let opened = opener
                .open(&mut sealed(&master, text.as_bytes(), true), 1 << 24)
                .map(<[u8]>::len);
            assert_eq!(opened, Ok(length));
        }
        let text = "[".repeat(2 * TEXT_BYTES);
        let refused = opener
            .open(&mut sealed(&master, text.as_bytes(), true), TEXT_BYTES)
            .err();
        assert_eq!(refused, Some(OpeningError::Form));
        let odd = opener.open(&mut sealed(&master, b"text", false), 100).err();
        assert_eq!(odd, Some(OpeningError::Form));
    }
}
