//! Any text as a template, with a few variables.
#![no_main]

mod project;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let file = format!("services:\n  web:\n    image: x\n    labels:\n      label: {quoted}\n");
    let case = format!("env: A=a\nenv: EMPTY=\nenv: DOLLAR=${{A}}$$\n//- /compose.yaml\n{file}");
    let (options, files) = project::read(case.as_bytes());
    let (project, findings) = project::loaded(&options, &files);
    // What holds no dollar sign comes out as it went in.
    if let Some(project) = project.filter(|_| !text.contains('$')) {
        assert_eq!(project.to_json()["services"]["web"]["labels"]["label"], text, "{findings:?}");
    }
});
