//! The committed schemas are the types'.
use super::*;

#[test]
fn committed_schemas_are_current() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema");
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        std::fs::create_dir_all(folder).unwrap();
    }
    for (name, schema) in all() {
        let path = format!("{folder}/{name}.json");
        if update {
            std::fs::write(&path, text(&schema)).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed,
            text(&schema),
            "{path} is not current: run the tests with UPDATE=1 and read the difference"
        );
    }
    let names: Vec<String> = all().iter().map(|(name, _)| format!("{name}.json")).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "docs/schema/{name} belongs to no type");
    }
}
