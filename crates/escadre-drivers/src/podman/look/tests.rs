//! Frames and lines, in whatever pieces they come.

use super::*;

#[test]
fn frames_come_apart_however_they_are_cut() {
    let mut sent = Vec::new();
    for (stream, text) in [(1u8, "out one\nout "), (2, "err\n"), (1, "two\n")] {
        sent.extend([stream, 0, 0, 0]);
        sent.extend(u32::try_from(text.len()).unwrap_or(0).to_be_bytes());
        sent.extend(text.as_bytes());
    }
    for size in 1..sent.len() {
        let (mut frames, mut whole) = (Frames::default(), Whole::default());
        let mut lines = Vec::new();
        for piece in sent.chunks(size) {
            for (error, bytes) in frames.take(piece) {
                lines.extend(whole.take(error, &bytes));
            }
        }
        let expected = [(false, "out one".to_owned()), (true, "err".to_owned()), (false, "out two".to_owned())];
        assert_eq!(lines, expected, "in pieces of {size}");
    }
}

#[test]
fn a_terminals_output_has_no_frames() {
    let mut frames = Frames::default();
    assert_eq!(frames.take(b"hello\r\n"), [(false, b"hello\r\n".to_vec())]);
}

#[test]
fn the_moment_is_taken_from_the_line() {
    assert_eq!(dated("2026-11-21T02:04:33Z hello you"), ("2026-11-21T02:04:33Z", "hello you"));
    assert_eq!(dated("hello you"), ("", "hello you"));
}
