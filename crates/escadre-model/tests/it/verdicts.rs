//! Verdicts: a case for each attribute of the specification, with all that may stand below it.
//!
//! In: `tests/cases/verdicts/`. Out: pass or fail.
//! **Invariant**: an attribute that no case writes fails, so that none is added without a look at what becomes of it.
//! Not here: whether every attribute has a line in the table (beside the table).

use crate::case::{self, Case};
use crate::compose::shown;
use escadre_model::compose::verdicts::Capabilities;
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use escadre_model::diagnostic::Code;
use escadre_model::text::{Limits, Node, Value, parse};
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn each_attribute_has_its_verdict() {
    case::run("verdicts", shown);
}

#[test]
fn without_root_less_is_exact() {
    struct One;
    impl Files for One {
        fn read(&self, _: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
            Ok(Some(b"services: { web: { image: x, cpuset: '0', devices: [/dev/fuse] } }\n".as_slice().into()))
        }
    }
    let options = Options::new("/w", vec!["/w/compose.yaml".to_owned()]);
    let project = load(&options, &One, &Cache::new()).0.expect("a project");
    let less = |rootless| -> Vec<String> {
        let capabilities = Capabilities { rootless, ..Capabilities::default() };
        let all = project.verdicts(&capabilities).into_iter();
        all.filter(|one| one.code == Code::C0115).map(|one| one.path).collect()
    };
    assert_eq!(less(false), Vec::<String>::new());
    assert_eq!(less(true), ["services.web.cpuset", "services.web.devices.0"]);
}

#[test]
fn each_attribute_has_its_case() {
    let mut written = BTreeSet::new();
    for case in case::all("verdicts") {
        for bytes in Case::read(&case).files.values() {
            let (nodes, _) = parse("case", bytes, Limits::default());
            nodes.iter().for_each(|node| collect(node, &mut Vec::new(), &mut written));
        }
    }
    let listed = include_str!("../compose-attributes.txt").lines().filter(|line| !line.starts_with('#'));
    // Jobs and hooks before the start have the attributes of services, and one verdict as a whole.
    let once = |path: &&str| !path.starts_with("jobs.*.") && !path.starts_with("services.*.pre_start.[].");
    let missing: Vec<&str> = listed.filter(once).filter(|path| !fits(path, &written)).collect();
    assert!(missing.is_empty(), "no case in tests/cases/verdicts writes {missing:?}");
}

fn collect(node: &Node, path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    match &node.value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                path.push(key.text.to_string());
                out.insert(path.clone());
                collect(value, path, out);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            for item in items.iter() {
                path.push("[]".to_owned());
                collect(item, path, out);
                path.pop();
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

fn fits(attribute: &str, written: &BTreeSet<Vec<String>>) -> bool {
    let steps: Vec<&str> = attribute.split('.').collect();
    written.iter().any(|path| {
        path.len() == steps.len()
            && path.iter().zip(&steps).all(|(step, wanted)| *wanted == "*" && step != "[]" || step == wanted)
    })
}
