//! Tests of products made of Compose files.

use super::product;
use escadre_model::name::Name;

#[test]
fn variables_are_parameters_and_secrets_are_secrets() {
    let compose = "services:\n  web:\n    image: shop:${VERSION:-1.0}\n    # $COMMENT\n    command: \"$$HOME ${A?needed} $B-x ${C-${D:+y}} ${ESCADRE_INSTANCE}\"\n    environment: [\"E=${VERSION}x\"]\nsecrets:\n  token: { file: ./token }\n";
    let text = product(&Name::new("shop").unwrap(), compose);
    let wanted = [
        "  A: { type: string, required: true }",
        "  B: { type: string, required: true }",
        "  C: { type: string }",
        "  D: { type: string }",
        "  VERSION: { type: string, required: true }",
        "  token: {}",
    ];
    for line in wanted {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}\n{text}");
    }
    for absent in ["HOME", "COMMENT", "ESCADRE"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    let text = product(&Name::new("shop").unwrap(), "services: { web: { image: \"a:${V:-1.0}\" } }");
    assert!(text.contains("  V: { type: string, default: \"1.0\" }") || text.contains("default: 1.0 }"), "{text}");
    for odd in ["", "$", "${", "${}", "a: ${A:-${B", "a: $$$", "a: ${A}}"] {
        product(&Name::new("x").unwrap(), odd);
    }
}
