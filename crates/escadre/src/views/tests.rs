//! Golden texts of the smaller views, and the golden files themselves; `UPDATE=1` writes them anew.
use super::look::Looked;
use super::*;
use crate::terminal::Look;
use crate::terminal::time::Now;
use escadre_engine::ports::LogLine;
use escadre_model::desired::Desired;

/// Compares with `tests/golden/NAME.txt`.
pub(crate) fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{path}");
}

#[test]
fn drift_history_and_containers() {
    let desired: Vec<Desired> = ["birch", "larch", "oak"].map(|name| samples::desired(name, "50")).to_vec();
    let (mut observed, plan, now) = (samples::observed(), samples::drifted(), Now::fixed());
    observed.instances.get_mut(&samples::id("oak")).unwrap().containers[0].known = false;
    let looked = Looked {
        fleet: "desk",
        single: None,
        desired: &desired,
        observed: &observed,
        plan: &plan,
        ports: super::look::EdgePorts { http: 80, https: 443 },
        edge: Some(&samples::edge()),
        now: &now,
    };
    let drift = drift::build(&looked);
    assert!(drift.calls());
    golden("look/drift", &drift::paint(&drift, Look::plain(80)));
    golden("look/history", &history::paint(&history::build(&looked, 20), &now, Look::plain(80)));
    assert_eq!(
        history::paint(&history::build(&looked, 0), &now, Look::plain(80)),
        "Nothing has been applied here yet.\n"
    );
    for width in [80, 160] {
        golden(&format!("look/ps.{width}"), &ps::paint(&ps::build(&looked, true), &looked, Look::plain(width)));
    }
    let mut half = observed.clone();
    half.complete.record = false;
    let looked = Looked { observed: &half, ..looked };
    assert!(drift::build(&looked).calls(), "what cannot be compared is not said to be well");
}

#[test]
fn a_log_line_is_painted_harmless_and_filtered() {
    let container = samples::container(
        "larch",
        "web",
        escadre_model::observed::Phase::Running,
        escadre_model::observed::Health::None,
    )
    .id;
    let line = LogLine { container, at: "2026-11-20T13:08:46Z".into(), error: false, text: "a\x1b[31mb".into() };
    let wanted = log::Wanted { wide: 10, ..log::Wanted::default() };
    assert_eq!(log::paint(&line, &wanted, Look::plain(80)).unwrap(), "larch/web  | a?[31mb\n");
    assert!(
        log::paint(&line, &log::Wanted { grep: Some("zebra".into()), ..wanted.clone() }, Look::plain(80)).is_none()
    );
    let json = log::paint(&line, &log::Wanted { json: true, ..wanted }, Look::plain(80)).unwrap();
    assert!(json.starts_with("{\"schema\":\"escadre.log/1\",\"instance\":\"larch\"") && json.ends_with("}\n"));
}
