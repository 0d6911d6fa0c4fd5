//! Lines of hosts files.

use super::*;

#[test]
fn a_line_of_the_same_one_is_replaced_and_others_stay() {
    let mut lines = Lines::parse("127.0.0.1\tlocalhost\t# base\n10.0.0.2\tweb\t# web/1\n10.0.0.3\tdb\t# db/1\n");
    assert_eq!(lines.set("web/1", Some("10.0.0.9\tweb".to_owned())).as_deref(), Some("10.0.0.2\tweb"));
    assert_eq!(lines.spelled(), "127.0.0.1\tlocalhost\t# base\n10.0.0.9\tweb\t# web/1\n10.0.0.3\tdb\t# db/1\n");
    assert_eq!(lines.set("db/1", None).as_deref(), Some("10.0.0.3\tdb"));
    assert_eq!(lines.set("db/1", None), None);
    assert_eq!(Lines::parse(&lines.spelled()), lines);
}
