//! The reader of the wrapper's lines: the same however a host's output is cut, and nothing of it gets lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::transport::control::{ControlReader, Line};

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Line>, Vec<u8>, String) {
    let mut reader = ControlReader::new("abc");
    let (mut own, mut lines) = (Vec::new(), Vec::new());
    for chunk in chunks {
        lines.extend(reader.feed(chunk, &mut own));
    }
    reader.finish(&mut own);
    (lines, own, reader.noise())
}

fuzz_target!(|bytes: &[u8]| {
    // how long the chunks are; the output, with `@` for a mark, and some of it long
    let Some((cuts, output)) = bytes.split_first_chunk::<4>() else { return };
    let mut stream = Vec::new();
    for byte in output {
        match byte {
            b'@' => stream.extend_from_slice(b"\x1eabc "),
            b'~' => stream.extend_from_slice(&[b'x'; 1500]),
            other => stream.push(*other),
        }
    }
    if stream.len() > 8_000 {
        return;
    }
    let whole = read(std::iter::once(stream.as_slice()));
    let mut rest = stream.as_slice();
    let cut = read(cuts.iter().cycle().map_while(|cut| {
        let chunk;
        (chunk, rest) = rest.split_at((usize::from(*cut) * 7 + 1).min(rest.len()));
        (!chunk.is_empty()).then_some(chunk)
    }));
    assert_eq!(whole, cut, "cut otherwise, it is another");
    assert!(whole.1.len() <= stream.len());
    for line in whole.0 {
        if let Line::Start { group, .. } = line {
            assert!(group.id > 1, "a group that is everyone");
        }
    }
});
