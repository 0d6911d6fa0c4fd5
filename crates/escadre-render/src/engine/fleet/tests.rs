use super::*;
use escadre_model::tree::{Entry, Error};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tree of given files.
struct Given(BTreeMap<String, String>);

impl Tree for Given {
    fn entry(&self, path: &str) -> Result<Entry, Error> {
        if let Some(text) = self.0.get(path) {
            return Ok(Entry::File { bytes: text.as_bytes().into(), executable: false, tracked: true });
        }
        let below = |file: &String| {
            file.strip_prefix(&format!("{path}/")).and_then(|rest| rest.split('/').next().map(Arc::from))
        };
        let names: std::collections::BTreeSet<Arc<str>> = self.0.keys().filter_map(below).collect();
        if names.is_empty() { Ok(Entry::Absent) } else { Ok(Entry::Folder(names.into_iter().collect())) }
    }
}

fn given(instances: usize) -> Given {
    let mut files = BTreeMap::from([
        ("fleet.yaml".to_owned(), "fleet: many\nid: 0b5e55ed\nenvironments: { production: {} }\ntargets: { host-1: { podman: \"unix:///p.sock\" } }\ndefaults: { target: host-1 }\n".to_owned()),
        ("products/desk/product.yaml".to_owned(), "product: desk\nparameters: { SEATS: { type: integer } }\n".to_owned()),
        ("products/desk/compose.yaml".to_owned(), "services:\n  web: { image: \"web:1\", environment: { SEATS: \"${SEATS}\" } }\n".to_owned()),
    ]);
    for index in 0..instances {
        // One of them is not sound: a number is no text.
        let seats = if index == 11 { "many".to_owned() } else { index.to_string() };
        let text =
            format!("instance: t{index:03}\nproduct: desk\nenvironment: production\nvalues: {{ SEATS: {seats} }}\n");
        files.insert(format!("instances/t{index:03}.yaml"), text);
    }
    Given(files)
}

#[test]
fn threads_change_nothing() {
    let tree = given(50);
    let (read, _) = escadre_model::fleet::read(&tree);
    let read = read.expect("a fleet");
    let names: Vec<&Name> = read.instances.keys().collect();
    let alone = fleet(&read, &names, &tree, &Keys::none(), &Facts::default(), 1);
    assert_eq!(alone.len(), read.instances.len());
    assert!(
        alone.iter().filter(|one| one.wanted.is_some()).count() >= 49,
        "{:?}",
        alone.first().map(|one| &one.findings)
    );
    for threads in [2, 3, 8, 100] {
        let together = fleet(&read, &names, &tree, &Keys::none(), &Facts::default(), threads);
        let spelled = |all: &[Spelled]| -> Vec<String> {
            all.iter()
                .map(|one| format!("{:?} {:?}", one.wanted.as_ref().map(|(_, desired)| desired), one.findings))
                .collect()
        };
        assert_eq!(spelled(&alone), spelled(&together), "{threads} threads");
    }
}
