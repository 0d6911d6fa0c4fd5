//! Tests of the tables.
use super::*;

fn objects(shape: &Shape, seen: &mut Vec<*const Object>) {
    let object = match shape {
        Shape::Object(object) | Shape::Short(_, object) => object,
        Shape::Dict(_, of) | Shape::Named(of) | Shape::List { of, .. } => return objects(of, seen),
        _ => return,
    };
    if seen.contains(&std::ptr::from_ref(*object)) {
        return;
    }
    seen.push(std::ptr::from_ref(*object));
    for part in object.parts.groups {
        assert!(
            part.is_sorted_by(|a, b| a.0 < b.0),
            "fields are sorted: {:?}",
            part.iter().map(|f| f.0).collect::<Vec<_>>()
        );
        part.iter().for_each(|(_, shape)| objects(shape, seen));
    }
    for name in object.required.iter().flat_map(|name| name.split('|')) {
        assert!(object.field(name).is_some(), "required key {name} is known");
    }
}

/// Every attribute that the tables know, as paths: `services.*.ports.[].target`.
pub(crate) fn attributes() -> Vec<String> {
    let mut out = Vec::new();
    members(&ROOT, "", &mut out);
    out.sort_unstable();
    out.dedup();
    out
}

fn members(object: &Object, path: &str, out: &mut Vec<String>) {
    for (name, shape) in object.parts.groups.iter().flat_map(|part| part.iter()) {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        out.push(path.clone());
        below(shape, &path, out);
    }
}

fn below(shape: &Shape, path: &str, out: &mut Vec<String>) {
    let item = format!("{path}.[]");
    match shape {
        Shape::Object(object) | Shape::Short(_, object) => members(object, path, out),
        Shape::Build => members(&tables::BUILD, path, out),
        Shape::External => members(&tables::EXTERNAL, path, out),
        Shape::Ulimit => members(&tables::ULIMIT, path, out),
        Shape::Volume => members(&tables::MOUNT, path, out),
        Shape::Device => members(&tables::DEVICE, path, out),
        Shape::FileReference => members(&tables::FILE_REFERENCE, path, out),
        Shape::Schedule => members(&tables::SCHEDULE, path, out),
        Shape::Ports => members(&tables::PORT, &item, out),
        Shape::EnvFiles => members(&tables::ENV_FILE, &item, out),
        Shape::Gpus => members(&tables::GPU, &item, out),
        Shape::DependsOn => members(&tables::DEPENDENCY, &format!("{path}.*"), out),
        Shape::Dict(_, of) | Shape::Named(of) => below(of, &format!("{path}.*"), out),
        Shape::List { of, .. } => below(of, &item, out),
        _ => {}
    }
}

#[test]
fn tables_are_sorted_and_complete() {
    let mut seen = Vec::new();
    objects(&Shape::Object(&ROOT), &mut seen);
    assert!(seen.len() > 30, "{}", seen.len());
    assert!(SERVICE.names().count() >= 93, "{}", SERVICE.names().count());
    assert!(SERVICE.field("image").is_some() && SERVICE.field("imgae").is_none());
}
