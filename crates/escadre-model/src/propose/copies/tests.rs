//! Projects in, the product they are copies of out.

use super::*;
use crate::compose::ReadError;
use std::sync::Arc;

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(self.0.get(path).map(|text| text.as_bytes().into()))
    }
}

/// Copies of a text in folders of their own; `{}` is the copy's name.
fn copies(names: &[&str], text: &dyn Fn(&str) -> String, files: &mut Memory) -> Vec<Copy> {
    let copy = |name: &&str| {
        let folder = format!("/srv/{name}");
        files.0.insert(format!("{folder}/compose.yaml"), text(name));
        let mut options = Options::new(folder.clone(), vec![format!("{folder}/compose.yaml")]);
        options.use_dot_env = true;
        options.project_name = Some((*name).into());
        let (project, findings) = crate::compose::load(
            &Options { profiles: vec!["*".into()], ..options.clone() },
            &Memory(files.0.clone()),
            &crate::compose::Cache::new(),
        );
        let project = project.unwrap_or_else(|| panic!("{findings:?}"));
        let services = project.services().map(|service| service.name.to_string()).collect();
        Copy { project: (*name).to_owned(), options, services, runs: BTreeMap::new() }
    };
    names.iter().map(copy).collect()
}

fn desk(name: &str) -> String {
    let (tag, port) = (if name == "elm" { "2" } else { "1" }, 8000 + name.len());
    let memory = if name == "oak" { "1g" } else { "256m" };
    let more = if name == "fir" {
        "  ldap-sync:\n    image: desk/ldap:1\n    environment: { LDAP: \"ldap.fir.example\" }\n"
    } else {
        ""
    };
    format!(
        "# help desk\nservices:\n  web:\n    image: desk/web:{tag}      # the tag\n    environment:\n      - DOMAIN=help.{name}.example\n      - API=https://help.{name}.example/api\n      \
         - SEATS=${{SEATS:-50}}\n    ports: [\"{port}:80\"]\n    labels: {{ rule: \"Host(`help.{name}.example`)\" }}\n    volumes: [\"./up:/up\", \"./web.ini:/web.ini:ro\"]\n  \
         api:\n    image: desk/api:{tag}\n    environment: {{ DB: \"postgres://d:pw-{name}-x@db/d\", MAIL_PASSWORD: \"${{MAIL_PASSWORD}}\" }}\n  db:\n    image: postgres:16\n    \
         mem_limit: {memory}\n    environment: {{ POSTGRES_PASSWORD: pw-{name}-x }}\n    volumes: [\"data:/data\"]\n{more}volumes: {{ data: }}\n"
    )
}

#[test]
fn copies_become_one_file_and_what_is_their_own() {
    let names = ["acacia", "oak", "elm", "fir"];
    let mut files = Memory(BTreeMap::new());
    for (at, name) in names.iter().enumerate() {
        files.0.insert(format!("/srv/{name}/web.ini"), "a = 1\n".into());
        files.0.insert(format!("/srv/{name}/.env"), format!("MAIL_PASSWORD=mail-shared\nSEATS={}\n", 50 + at));
    }
    let mut all = copies(&names, &desk, &mut files);
    // What runs wins.
    all[0].runs.insert("services.web.environment.SEATS".into(), Some("77".into()));
    all[1].runs.insert("services.web.environment.EXTRA".into(), Some("more".into()));
    let together = together(&all, &files).unwrap_or_else(|findings| panic!("{findings:?}"));
    let text = together.proposal.texts.values().next().expect("a text");
    for line in [
        "# help desk",
        "    image: \"desk/web:${VERSION:-1}\"      # the tag",
        "    image: \"desk/api:${VERSION:-1}\"",
        "- \"DOMAIN=${DOMAIN}\"",
        "- \"API=https://${DOMAIN}/api\"",
        "Host(`${DOMAIN}`)",
        "- SEATS=${SEATS:-50}",
        "volumes: [\"${WEB_UP}:/up\", \"./web.ini:/web.ini:ro\"]",
        "postgres://d:${POSTGRES_PASSWORD}@db/d",
        "POSTGRES_PASSWORD: \"${POSTGRES_PASSWORD}\"",
        "    profiles: [ldap-sync]\n    image: desk/ldap:1",
        "LDAP: \"ldap.fir.example\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for (copy, member) in all.iter().zip(&together.members) {
        assert!(member.left.is_empty(), "{} {:?}", copy.project, member.left);
        let value = |name: &str| member.values.get(name).cloned().unwrap_or_default();
        assert_eq!(value("DOMAIN"), format!("help.{}.example", copy.project));
        assert_eq!(value("WEB_UP"), format!("/srv/{}/up", copy.project));
        assert_eq!(member.secrets["POSTGRES_PASSWORD"], format!("pw-{}-x", copy.project));
        assert_eq!(member.secrets["MAIL_PASSWORD"], "mail-shared");
        assert!(!member.values.values().any(|value| value.contains("pw-") || value.contains("mail-")));
    }
    let [acacia, oak, elm, fir] = together.members.as_slice() else { panic!("four") };
    assert_eq!((acacia.values["SEATS"].as_str(), elm.values["SEATS"].as_str()), ("77", "52"));
    assert_eq!((elm.values["VERSION"].as_str(), oak.values.get("VERSION").map_or("1", String::as_str)), ("2", "1"));
    assert_eq!((oak.size.as_deref(), elm.size.as_deref()), (Some("large"), None));
    assert_eq!(together.sizes["large"]["db"].1.as_deref(), Some("1G"));
    assert_eq!((fir.profiles.as_slice(), elm.profiles.as_slice()), (&["ldap-sync".to_owned()][..], &[][..]));
    let over = oak.over.as_ref().expect("an override");
    assert_eq!(over["services"]["web"]["environment"]["EXTRA"], "more");
    assert!(elm.over.is_none() && together.proposal.parameters["DOMAIN"].required);
}

#[test]
fn secrets_that_run_otherwise_are_in_no_override() {
    let mut files = Memory(BTreeMap::new());
    let text = |_: &str| "services:\n  a:\n    image: x:1\n    environment: { MODE: fast }\n".to_owned();
    let mut all = copies(&["one", "two"], &text, &mut files);
    all[0].runs.insert("services.a.environment.API_TOKEN".into(), Some("tok-7f3a91".into()));
    all[1].runs.insert("services.a.environment.MODE".into(), None);
    let together = together(&all, &files).unwrap_or_else(|findings| panic!("{findings:?}"));
    let [one, two] = together.members.as_slice() else { panic!("two") };
    assert!(one.over.is_none() && one.left.contains_key("services.a.environment.API_TOKEN"));
    assert!(two.over.as_ref().is_some_and(|over| over["services"]["a"]["environment"]["MODE"]["!reset"].is_null()));
    assert!(!format!("{:?}", together.proposal.texts).contains("tok-7f3a91"));
}

#[test]
fn projects_are_grouped_by_their_images() {
    use super::super::groups::*;
    let one = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let all: Vec<Services> = vec![
        one(&[("web", "d/web"), ("db", "pg")]),
        one(&[("web", "s/web")]),
        one(&[("web", "d/web"), ("db", "pg"), ("ldap", "d/ldap")]),
        one(&[("ui", "portainer")]),
        one(&[("web", "s/web")]),
        one(&[]),
    ];
    assert_eq!(groups(&all), [vec![1, 4], vec![2, 0], vec![3], vec![5]]);
    for (image, name) in [("a:1", "a"), ("r:5000/a", "r:5000/a"), ("r:5000/a:2", "r:5000/a"), ("a@sha256:1", "a")] {
        assert_eq!(repository(image), name);
    }
    assert_eq!(common_name(&["desk-oak", "desk-elm"]).as_deref(), Some("desk"));
    assert_eq!(common_name(&["oak_desk", "elm_desk"]).as_deref(), Some("desk"));
    assert_eq!(common_name(&["oak", "elm"]), None);
    let all = ["x1-desk-oak", "x1-desk-elm"];
    for (project, all, product, own) in [
        ("desk-oak", &["desk-oak", "desk-elm"][..], "desk", "oak"),
        ("oak_desk", &["oak_desk", "elm_desk"], "help", "oak"),
        ("x1-desk-oak", &all, "desk", "oak"),
        ("oak", &["oak", "elm"], "desk", "oak"),
        ("desk", &["desk"], "desk", "desk"),
    ] {
        assert_eq!(own_name(project, all, product), own);
    }
}
