//! What a context leaves out.

use super::*;

#[test]
fn the_last_rule_that_matches_wins() {
    let rules = Ignored::parse("# comment\n*.log\nnode_modules\n**/tmp\n!keep.log\n/target/\n");
    let out = |path: &str| rules.matches(Path::new(path));
    assert!(out("a.log") && out("node_modules/x/y") && out("deep/er/tmp/z") && out("target/debug"));
    assert!(!out("keep.log") && !out("src/main.rs") && !out("sub/a.log"));
}
