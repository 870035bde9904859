//! What the copy of a start-up file is called in the record of a start: the launcher makes it, the shell compares with it.

/// True if a file's name in a record is its whole path.
pub fn is_path(name: &str) -> bool {
    name.starts_with('/')
}

/// `.bashrc` is copied as `bashrc`: a listing of the folder hides nothing.
pub fn name(name: &str) -> String {
    match is_path(name) {
        true => format!("sourced-{:016x}", fnv([name.as_bytes()])),
        false => name.trim_start_matches('.').to_owned(),
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): notices an edit; nobody gains by a collision.
pub fn fnv<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    parts.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        let length = (part.len() as u64).to_le_bytes();
        part.iter().chain(&length).fold(hash, step)
    })
}
