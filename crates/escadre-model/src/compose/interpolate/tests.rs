//! Tests of single texts: operators, nesting, escapes, secrets, hostile depth.
use super::*;

struct Table(HashMap<&'static str, Text>);

impl Lookup for Table {
    fn value(&self, name: &str) -> Option<&Text> {
        self.0.get(name)
    }
}

fn filled(template: &str) -> Result<String, Problem> {
    let table = Table(HashMap::from([
        ("A", Text::from("one")),
        ("EMPTY", Text::from("")),
        ("DOLLAR", Text::from("$A ${A}")),
        ("SECRET", Text::secret("db")),
    ]));
    substitute(template, &table, &mut BTreeSet::new()).map(|text| text.display().into_owned())
}

#[test]
fn fills_in_every_form() {
    let table = [
        ("$A-$B!", "one-!"),
        ("${A}${A}", "oneone"),
        ("$$A $${A} $$$A", "$A ${A} $one"),
        ("cost: 5$ $1 $", "cost: 5$ $1 $"),
        ("${EMPTY:-x}|${EMPTY-x}|${NO:-x}|${NO-x}", "x||x|x"),
        ("${EMPTY:+x}|${EMPTY+x}|${NO:+x}|${A:+x}", "|x||x"),
        ("${A:?no}|${EMPTY?no}", "one|"),
        ("${NO:-${NO2:-${A}}}!", "one!"),
        ("${NO:-{\"a\":{}}}!", "{\"a\":{}}!"),
        ("${NO:-a}-${A:-b}", "a-one"),
        ("$DOLLAR", "$A ${A}"),
        ("x$SECRET", "x<secret db>"),
        ("${SECRET:-other}", "<secret db>"),
    ];
    for (template, wanted) in table {
        assert_eq!(filled(template).as_deref(), Ok(wanted), "{template}");
    }
}

#[test]
fn refuses_what_is_malformed_or_missing() {
    for template in ["${", "${}", "${A", "${1}", "${A!b}", "${A b}", "${A:-x", "${-x}"] {
        assert_eq!(filled(template), Err(Problem::Malformed), "{template}");
    }
    assert_eq!(filled("${NO:?set ${A}}"), Err(Problem::Required("NO".into(), "set one".into())));
    assert_eq!(filled("${EMPTY:?}"), Err(Problem::Required("EMPTY".into(), String::new())));
    let deep = "${N:-".repeat(1000) + &"}".repeat(1000);
    assert_eq!(filled(&deep), Err(Problem::Deep));
}
