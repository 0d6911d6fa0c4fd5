//! Any bytes as YAML: nodes or findings, never both broken.
#![no_main]

use escadre_model::diagnostic::has_errors;
use escadre_model::text::{Limits, Node, Value, parse};
use libfuzzer_sys::fuzz_target;

/// Every scalar reads as something, and every place lies in the file.
fn visit(node: &Node, length: usize, left: &mut usize) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    assert!(node.span.start <= node.span.end && node.span.end as usize <= length, "{:?} in {length} bytes", node.span);
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => {
            scalar.resolve();
        }
        Value::Sequence(items) => items.iter().for_each(|item| visit(item, length, left)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| visit(value, length, left)),
    }
}

fuzz_target!(|data: &[u8]| {
    let (nodes, findings) = parse("fuzz.yaml", data, Limits::default());
    nodes.iter().for_each(|node| visit(node, data.len(), &mut 10_000));
    let (again, same) = parse("fuzz.yaml", data, Limits::default());
    assert_eq!(findings, same);
    assert_eq!(nodes.len(), again.len());
    if !has_errors(&findings) {
        nodes.iter().zip(&again).take(4).for_each(|(a, b)| assert_eq!(a.to_json(), b.to_json()));
    }
});
