//! What a context leaves out.

use super::*;

#[test]
fn the_last_rule_that_matches_wins() {
    let rules = Ignored::parse("# comment\n*.log\nnode_modules\n**/tmp\n!keep.log\n/target/\n");
    let out = |path: &str| rules.matches(Path::new(path));
    assert!(out("a.log") && out("node_modules/x/y") && out("deep/er/tmp/z") && out("target/debug"));
    assert!(!out("keep.log") && !out("src/main.rs") && !out("sub/a.log"));
}

#[test]
fn each_builder_reads_caches_in_its_own_words() {
    let build = json!({"cache_from": ["r.example/a", "r.example/b"], "cache_to": ["r.example/a"]});
    let asked = |podman| caches(Call::post("build", "/build"), &build, podman).query;
    assert_eq!(asked(true), "cachefrom=r.example%2Fa&cachefrom=r.example%2Fb&cacheto=r.example%2Fa");
    assert_eq!(asked(false), "cachefrom=%5B%22r.example%2Fa%22%2C%22r.example%2Fb%22%5D");
}
