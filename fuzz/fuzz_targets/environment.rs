//! Any bytes as an environment file.
#![no_main]

mod project;

use escadre_model::compose::Variables;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut files = project::Memory::default();
    files.0.insert(".env".to_owned(), data.into());
    let read = || {
        let mut variables = Variables::default();
        variables.set("A", "a", None);
        let mut findings = Vec::new();
        let found = variables.add_file("/w/.env", &files, &mut findings);
        assert_eq!(found.ok(), Some(true));
        // What was set stays.
        assert_eq!(variables.get("A").and_then(|variable| variable.text.as_str()), Some("a"));
        (variables, findings)
    };
    assert_eq!(read(), read());
    // The same as a service's own file, and without interpolation.
    files.0.insert("compose.yaml".to_owned(), (&b"services: { web: { image: x, env_file: [ .env ] }, raw: { image: x, env_file: [ { path: .env, format: raw } ] } }\n"[..]).into());
    let (options, _) = project::read(b"");
    project::loaded(&options, &files);
});
