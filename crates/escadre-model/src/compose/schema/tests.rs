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
    for part in object.parts {
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

#[test]
fn tables_are_sorted_and_complete() {
    let mut seen = Vec::new();
    objects(&Shape::Object(&ROOT), &mut seen);
    assert!(seen.len() > 30, "{}", seen.len());
    assert!(SERVICE.names().count() >= 93, "{}", SERVICE.names().count());
    assert!(SERVICE.field("image").is_some() && SERVICE.field("imgae").is_none());
}
