//! The reader of receipts: whatever lies on a host, only its first whole lines count, and an answer is whole or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::transport::left::found;
use runbook::transport::receipt::{Marks, read};

fn whole(line: &[u8]) -> bool {
    line.ends_with(b" .\n") && std::str::from_utf8(line).is_ok() && !line[..line.len() - 1].contains(&b'\n')
}

fuzz_target!(|bytes: &[u8]| {
    // a host's whole answer; and, cut in two at a `|`, the marks of one action
    let answer = found(bytes);
    assert_eq!(found(&[bytes, b"\nno more\nrun 2\n"].concat()).is_ok(), answer.is_ok());
    let at = bytes.iter().position(|byte| *byte == b'|').unwrap_or(bytes.len());
    let (start, exit) = (&bytes[..at], bytes.get(at + 1..));
    let marks = read(Some(start), exit);
    assert_eq!(read(None, exit), Marks::Unclear);
    // lines are only ever appended: what was whole stays what it was
    if whole(start) && exit.is_none_or(whole) {
        for more in [&b"withdrawn .\n"[..], b"1 1 - 1 1 1 .\n", b"\xff"] {
            let longer = |bytes: &[u8]| [bytes, more].concat();
            assert_eq!(read(Some(&longer(start)), exit.map(longer).as_deref()), marks);
        }
        // what never starts has no end
        if start.ends_with(b"withdrawn .\n") {
            assert_eq!(marks, Marks::NeverStarted);
        }
    }
    // an end counts only behind a start
    if let Marks::Ended(_) = marks {
        assert!(exit.is_some());
    }
});
