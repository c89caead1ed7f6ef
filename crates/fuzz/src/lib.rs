//! What the fuzz targets do with their bytes, and the seeds that they start from.
//!
//! The targets themselves (`src/bin/fuzz_*`) need libFuzzer, feature `targets`; `tools/fuzz.py`
//! builds and runs them. Tests run the same functions over seeds and over what was found.

pub mod cost;
pub mod keys;
pub mod money;
pub mod stories;
pub mod stream;

use proofbook_kernel::commands::Command;
use proofbook_kernel::eip712::signatures;
use proofbook_kernel::entry::{Entry, own_class};

/// Read an entry off arbitrary bytes, and ask everything of it that the venue asks before applying
/// it.
///
/// What decodes has no byte to spare: it does not decode with a byte less or more, and stamp and
/// command are where the layout puts them.
pub fn entry(data: &[u8]) {
    let Ok(entry) = Entry::decode(data) else {
        assert!(signatures(data, &[0; 32]).is_empty(), "what does not decode holds no signature");
        return;
    };
    assert_eq!(data[2..10], entry.window_ns.to_le_bytes(), "the window");
    assert_eq!(data[10..18], entry.received_ns.to_le_bytes(), "the moment of receipt");
    assert_eq!(data[18..], *entry.command_bytes, "the command");
    let is_signed = entry.parties().next().is_some();
    assert_eq!(is_signed, entry.signed.is_some(), "a trader's command has a signature");
    assert!(!is_signed || !signatures(data, &[0; 32]).is_empty(), "and it is found");
    assert!(own_class(&entry.command) <= 3, "one of four classes");
    assert!(Entry::decode(&data[..data.len() - 1]).is_err(), "a byte less");
    let is_unreadable = matches!(entry.command, Command::UnreadableRequest);
    for length in [data.len() - 3, data.len() - 1] {
        let mut longer = [data, &[0]].concat();
        longer[..2].copy_from_slice(&(length as u16).to_le_bytes());
        let holds_command = Entry::decode(&longer)
            .is_ok_and(|entry| !matches!(entry.command, Command::UnreadableRequest));
        assert!(is_unreadable || !holds_command, "a byte more, length {length}");
    }
}
