//! Commands compared as bash writes them.

/// Returns a command with its rows, blanks and semicolons squeezed: bash joins the rows of one in its own way.
pub fn squeezed(command: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(command.len());
    for b in command {
        let b = if matches!(b, b' ' | b'\t' | b'\n' | b';') {
            b' '
        } else {
            *b
        };
        if b != b' ' || out.last() != Some(&b' ') {
            out.push(b);
        }
    }
    out.trim_ascii().to_vec()
}
