//! The head of the audit log, kept outside it in 256 bytes.
//!
//! ```text
//!  offset  0                     128                    256
//!          │ slot                │ slot                 │     written in turn, so that a torn one leaves the other
//!
//!  offset  0       8         16         24        28   32             64     96
//!          │ magic │ counter │ sequence │ segment │ 0  │ mac of head  │ 0    │ mac of all before │
//! ```
//!
//! The slot with the higher counter counts. Write the record first, then the slot.

use crate::frame::u64_at;

use super::{HEAD_BYTES, Head, Key, Seal, same};

/// Length of the image.
pub const IMAGE_BYTES: usize = 2 * SLOT_BYTES;
/// Length of one slot; a sector of a disk holds both.
pub const SLOT_BYTES: usize = 128;

const MAGIC: [u8; 8] = *b"\x89LLEANC1";
const HEAD_AT: usize = 16;
const MAC_AT: usize = 96;

/// What an image says, and what to write next.
pub struct Anchor {
    seal: Seal,
    counter: u64,
    /// The slot that is written next: the one that does not hold the newest head.
    next: usize,
    head: Option<Head>,
}

impl Anchor {
    /// Reads an image. One that is empty, short, torn in both slots or made with another key has no head.
    pub fn read(image: &[u8], key: &Key) -> Self {
        let mut seal = key.seal();
        let (mut counter, mut next, mut head) = (0, 0, None);
        for (index, slot) in image.chunks_exact(SLOT_BYTES).take(2).enumerate() {
            if let Some((counted, found)) = read_slot(&mut seal, slot)
                && (head.is_none() || counted > counter)
            {
                (counter, next, head) = (counted, 1 - index, Some(found));
            }
        }
        Self {
            seal,
            counter,
            next,
            head,
        }
    }

    /// The newest head.
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Makes the next slot, which holds `head`, and says at which offset of the image to write it.
    ///
    /// If that write fails, [`read`](Self::read) the image again before the next: it may have torn the slot, and
    /// the next one would then go over the only good one.
    pub fn write(&mut self, head: Head) -> ([u8; SLOT_BYTES], u64) {
        self.counter = self.counter.wrapping_add(1);
        let mut slot = [0; SLOT_BYTES];
        slot[0..8].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&self.counter.to_le_bytes());
        let bytes = head.to_bytes();
        slot[HEAD_AT..HEAD_AT + 12].copy_from_slice(&bytes[..12]);
        slot[32..64].copy_from_slice(&bytes[12..]);
        let mac = self.seal.slot(&slot[..MAC_AT]);
        slot[MAC_AT..].copy_from_slice(&mac);
        let at = self.next * SLOT_BYTES;
        self.next = 1 - self.next;
        self.head = Some(head);
        (slot, at as u64)
    }
}

impl std::fmt::Debug for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anchor")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

fn read_slot(seal: &mut Seal, slot: &[u8]) -> Option<(u64, Head)> {
    let mac = slot.get(MAC_AT..)?.try_into().ok()?;
    if !slot.starts_with(&MAGIC) || !same(&seal.slot(&slot[..MAC_AT]), mac) {
        return None;
    }
    let mut bytes = [0; HEAD_BYTES];
    bytes[..12].copy_from_slice(&slot[HEAD_AT..HEAD_AT + 12]);
    bytes[12..].copy_from_slice(&slot[32..64]);
    Some((u64_at(slot, 8)?, Head::from_bytes(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64) -> Head {
        Head {
            sequence,
            segment: 3,
            mac: [sequence as u8; 32],
        }
    }

    fn put(image: &mut [u8], (slot, at): ([u8; SLOT_BYTES], u64)) -> usize {
        let at = at as usize;
        image[at..at + SLOT_BYTES].copy_from_slice(&slot);
        at
    }

    #[test]
    fn slots_take_turns_and_the_newest_is_read() {
        let key = Key::from_bytes([1; 32]);
        let mut image = [0; IMAGE_BYTES];
        let mut anchor = Anchor::read(&image, &key);
        assert_eq!(anchor.head(), None);
        for sequence in 1..9 {
            // Half of the writes by a process that has just read the image.
            if sequence % 2 == 0 {
                anchor = Anchor::read(&image, &key);
            }
            let at = put(&mut image, anchor.write(head(sequence)));
            assert_eq!(at, (sequence as usize + 1) % 2 * SLOT_BYTES);
            assert_eq!(Anchor::read(&image, &key).head(), Some(head(sequence)));
        }
        assert_eq!(Anchor::read(&image, &Key::from_bytes([2; 32])).head(), None);
        assert_eq!(Anchor::read(&image[..200], &key).head(), Some(head(7)));
        assert_eq!(Anchor::read(&[], &key).head(), None);
    }

    #[test]
    fn any_changed_byte_leaves_the_other_slot() {
        let key = Key::from_bytes([1; 32]);
        let mut image = [0; IMAGE_BYTES];
        let mut anchor = Anchor::read(&image, &key);
        put(&mut image, anchor.write(head(1)));
        put(&mut image, anchor.write(head(2)));
        for at in 0..IMAGE_BYTES {
            let mut torn = image;
            torn[at] ^= 0x10;
            let left = if at < SLOT_BYTES { 2 } else { 1 };
            let mut read = Anchor::read(&torn, &key);
            assert_eq!(read.head(), Some(head(left)), "byte {at}");
            let written = put(&mut torn, read.write(head(3)));
            assert_eq!(written / SLOT_BYTES, at / SLOT_BYTES, "the torn slot is the next");
            assert_eq!(Anchor::read(&torn, &key).head(), Some(head(3)));
        }
    }
}
