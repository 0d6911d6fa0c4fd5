//! Any project of several files, with variables, profiles and overrides.
#![no_main]

mod project;

use escadre_model::compose::verdicts::Capabilities;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (options, files) = project::read(data);
    let (project, findings) = project::loaded(&options, &files);
    if let Some(project) = project {
        let (again, same) = project::loaded(&options, &files);
        assert_eq!(findings, same);
        assert_eq!(again.map(|again| again.to_json()), Some(project.to_json()));
        for verdict in project.verdicts(&Capabilities::default()) {
            assert!(!verdict.path.is_empty());
        }
    }
});
