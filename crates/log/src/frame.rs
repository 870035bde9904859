//! The bytes of one record, format 1. Little-endian, no alignment.
//!
//! ```text
//!  offset  0       4        5     6      7     8              12           16        24       32       40
//!          │ sync  │version │kind │state │  0  │payload bytes │payload crc │sequence │session │time ns │
//!         40            44              44 + n
//!          │ header crc │ payload (n)   │ frame bytes │      frame bytes = 48 + n, so that the log reads backwards
//! ```
//!
//! The header checksum leaves the state byte out, so that a redaction need not rewrite it. The sync mark
//! holds a NUL and two bytes that UTF-8 never uses: no text a shell can run contains it, so a scan for it
//! never lands inside a command.

/// Starts every record.
pub(crate) const SYNC: [u8; 4] = [0xF5, 0x00, 0xFE, 0x9C];
/// Record format written and read.
pub(crate) const VERSION: u8 = 1;
/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 44;
/// Bytes of a record besides its payload: the header and the closing length.
pub(crate) const FRAME_BYTES: usize = HEADER_BYTES + TRAILER_BYTES;
/// The closing length.
pub(crate) const TRAILER_BYTES: usize = 4;

/// Longest payload, in bytes: eight times the longest single argument Linux passes to a program (128 KiB),
/// and short enough for one `write` and one buffer.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// State byte of a record that was never redacted.
pub(crate) const INTACT: u8 = 0x00;
/// State byte of a redacted record: four bits away from [`INTACT`], so no single flipped bit hides a record.
pub(crate) const REDACTED: u8 = 0xA5;
/// Overwrites a redacted payload: a byte that no text of a shell contains by accident.
pub(crate) const FILL: u8 = 0xFF;
/// Where the kind lies in a record.
pub(crate) const KIND_AT: usize = 5;
/// Where the state byte lies in a record.
pub(crate) const STATE_AT: usize = 6;

const HEADER_CRC_AT: usize = 40;

/// What a record says about itself, its payload aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) state: u8,
    pub(crate) payload_bytes: u32,
    pub(crate) payload_crc: u32,
    pub(crate) sequence: u64,
    pub(crate) session: u64,
    pub(crate) time_ns: i64,
}

/// What the payload turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// As written.
    Intact,
    /// Overwritten on purpose.
    Redacted,
    /// Neither: the record is damage.
    Broken,
}

/// What a record turned out to be that is not damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Overwritten on purpose.
    pub(crate) redacted: bool,
    /// The state byte is wrong, at no cost.
    pub(crate) blemished: bool,
    /// The closing length is there and right. Otherwise the record ends with its payload: it was cut off
    /// within its closing length, and the next append begins there.
    pub(crate) closed: bool,
}

impl Header {
    /// Length of the whole record in the file, in bytes.
    pub(crate) fn frame_bytes(&self) -> usize {
        FRAME_BYTES + self.payload_bytes as usize
    }

    /// Judges the record by the bytes `after` its header, or says that it is damage.
    pub(crate) fn whole(&self, after: &[u8]) -> Option<Whole> {
        let (payload, closing) = after.split_at_checked(self.payload_bytes as usize)?;
        let closed = u32_at(closing, 0) == Some(self.frame_bytes() as u32);
        let (content, blemished) = self.judge(payload, closed);
        let redacted = match content {
            Content::Broken => return None,
            Content::Intact => false,
            Content::Redacted => true,
        };
        Some(Whole {
            redacted,
            blemished,
            closed,
        })
    }

    /// Judges a payload, and says whether the state byte contradicts it.
    ///
    /// The payload is the better witness: a state byte alone neither hides a command that is still there
    /// nor brings back one that is gone. A payload half overwritten (the redaction was killed) counts as
    /// redacted only if the record is `closed` by its length: otherwise its end is another record's.
    pub(crate) fn judge(&self, payload: &[u8], closed: bool) -> (Content, bool) {
        let checks = crc32fast::hash(payload) == self.payload_crc;
        let filled = || payload.iter().all(|&byte| byte == FILL);
        match (checks, self.state) {
            (true, INTACT) => (Content::Intact, false),
            (true, REDACTED) if filled() => (Content::Redacted, false),
            (true, _) => (Content::Intact, true),
            (false, REDACTED) if closed || filled() => (Content::Redacted, false),
            (false, INTACT) => (Content::Broken, true),
            (false, _) if filled() => (Content::Redacted, true),
            (false, _) => (Content::Broken, true),
        }
    }
}

/// Appends one record to `out`.
///
/// The payload is what `fill` appends. The caller keeps it within [`PAYLOAD_BYTES_MAX`].
pub(crate) fn encode(
    out: &mut Vec<u8>,
    kind: u8,
    sequence: u64,
    session: u64,
    time_ns: i64,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    fill(out);
    let payload_bytes = (out.len() - start - HEADER_BYTES) as u32;
    let payload_crc = crc32fast::hash(&out[start + HEADER_BYTES..]);
    let header = &mut out[start..start + HEADER_BYTES];
    header[0..4].copy_from_slice(&SYNC);
    header[4] = VERSION;
    header[KIND_AT] = kind;
    header[STATE_AT] = INTACT;
    header[8..12].copy_from_slice(&payload_bytes.to_le_bytes());
    header[12..16].copy_from_slice(&payload_crc.to_le_bytes());
    header[16..24].copy_from_slice(&sequence.to_le_bytes());
    header[24..32].copy_from_slice(&session.to_le_bytes());
    header[32..40].copy_from_slice(&time_ns.to_le_bytes());
    let crc = header_crc(header);
    header[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&(payload_bytes + FRAME_BYTES as u32).to_le_bytes());
}

/// Reads a header that checks, or none.
pub(crate) fn decode(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    let payload_bytes = claimed_payload_bytes(bytes)?;
    if u32_at(bytes, HEADER_CRC_AT)? != header_crc(bytes) {
        return None;
    }
    Some(Header {
        kind: bytes[KIND_AT],
        state: bytes[STATE_AT],
        payload_bytes,
        payload_crc: u32_at(bytes, 12)?,
        sequence: u64_at(bytes, 16)?,
        session: u64_at(bytes, 24)?,
        time_ns: u64_at(bytes, 32)? as i64,
    })
}

/// Reads the payload length that a header claims, without its checksum: enough to step over the record.
pub(crate) fn claimed_payload_bytes(header: &[u8]) -> Option<u32> {
    let header = header.get(..HEADER_BYTES)?;
    let payload_bytes = u32_at(header, 8)?;
    let plausible = header.starts_with(&SYNC)
        && header[4] == VERSION
        && header[7] == 0
        && payload_bytes as usize <= PAYLOAD_BYTES_MAX;
    plausible.then_some(payload_bytes)
}

fn header_crc(header: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..STATE_AT]);
    crc.update(&header[STATE_AT + 1..HEADER_CRC_AT]);
    crc.finalize()
}

/// Reads four bytes at `at`, if they are there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|four| u32::from_le_bytes(*four))
}

/// Reads eight bytes at `at`, if they are there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_decoded_record_is_what_was_encoded(
            kind: u8, sequence: u64, session: u64, time_ns: i64,
            payload in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = Vec::new();
            encode(&mut bytes, kind, sequence, session, time_ns, |out| out.extend_from_slice(&payload));
            let header = decode(&bytes).expect("just encoded");
            prop_assert_eq!(
                (header.kind, header.sequence, header.session, header.time_ns),
                (kind, sequence, session, time_ns)
            );
            prop_assert_eq!(header.frame_bytes(), bytes.len());
            prop_assert_eq!(u32_at(&bytes, bytes.len() - 4), Some(bytes.len() as u32));
            let body = &bytes[HEADER_BYTES..bytes.len() - TRAILER_BYTES];
            prop_assert_eq!(body, &payload[..]);
            prop_assert_eq!(header.judge(body, true), (Content::Intact, false));
        }

        #[test]
        fn any_bytes_decode_to_something_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
            let _ = claimed_payload_bytes(&bytes);
        }
    }

    #[test]
    fn the_payload_outweighs_the_state_byte() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 1, 1, 1, |out| out.extend_from_slice(b"secret"));
        let check = |state: u8, payload: &[u8], expect: (Content, bool)| {
            let mut header = decode(&bytes).expect("just encoded");
            header.state = state;
            assert_eq!(
                header.judge(payload, true),
                expect,
                "state {state:#x}, payload {payload:?}"
            );
        };
        check(INTACT, b"secret", (Content::Intact, false));
        check(0x01, b"secret", (Content::Intact, true));
        check(REDACTED, b"secret", (Content::Intact, true));
        check(REDACTED, &[FILL; 6], (Content::Redacted, false));
        check(
            REDACTED,
            &[FILL, FILL, b'c', b'r', b'e', b't'],
            (Content::Redacted, false),
        );
        check(REDACTED ^ 1, &[FILL; 6], (Content::Redacted, true));
        check(INTACT, b"sEcret", (Content::Broken, true));
        check(0x01, b"sEcret", (Content::Broken, true));
    }
}
