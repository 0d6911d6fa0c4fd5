//! Tests of the text tools.
use super::*;

#[test]
fn widths_stay_between_80_and_160() {
    assert_eq!(
        (width(None, None), width(Some(40), None), width(None, Some(100)), width(Some(400), Some(90))),
        (80, 80, 100, 160)
    );
}

#[test]
fn columns_do_not_count_escapes_and_count_wide_letters_twice() {
    let look = Look { width: 80, colour: true };
    assert_eq!(columns(&look.paint(BAD, "four")), 4);
    assert_eq!(columns("日本"), 4);
    assert_eq!(cut("abcdefgh", 6), "abcd..");
    assert_eq!(Look::plain(80).paint(BAD, "four"), "four");
}

#[test]
fn a_log_line_cannot_move_the_cursor() {
    assert_eq!(harmless("a\x1b[2Jb\r"), "a?[2Jb?");
    assert_eq!(harmless("a\tb"), "a\tb");
}

#[test]
fn numbers_and_names() {
    assert_eq!(grouped(1_204_118), "1,204,118");
    assert_eq!((grouped(999), grouped(1000)), ("999".into(), "1,000".into()));
    assert_eq!((count(1, "container"), count(40, "container")), ("1 container".into(), "40 containers".into()));
    let many: Vec<String> = (0..61).map(|n| format!("i{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(names(&many, false).ends_with("i19 and 41 more (all: --names)"));
    assert!(names(&many, true).ends_with("i60"));
    assert!(names(&many[..60], false).ends_with("i59"));
}
