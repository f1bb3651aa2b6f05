//! Changes that follow no grammar.

use super::history::Random;

/// What parsers trip over.
const TOKENS: [&[u8]; 16] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
    b" ",
    b"\t",
    b":",
    b"?",
    b"#",
    b"%",
    b"\\",
    b"&client_id=client-two",
    b"\r\nMetadata: true",
    b"GET ",
];

/// Changes a request in one to four ways.
pub(super) fn change(request: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        change_once(request, random);
    }
}

fn change_once(request: &mut Vec<u8>, random: &mut Random) {
    let at = random.place(request.len() + 1);
    let end = (at + random.place(40)).min(request.len());
    match random.below(7) {
        0 => {
            let byte = random.byte();
            request.insert(at, byte);
        }
        1 => {
            let token = random.one_of(&TOKENS);
            request.splice(at..at, token.iter().copied());
        }
        2 => {
            request.drain(at..end);
        }
        3 => {
            let part = request[at..end].to_vec();
            request.splice(at..at, part);
        }
        4 => request.truncate(at),
        5 => request[at..end].reverse(),
        _ => {
            if let Some(byte) = request.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}
