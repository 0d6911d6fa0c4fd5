//! Compose texts in, what is proposed out; the new texts are loaded again.

use super::*;
use crate::compose::{Cache, Files, Options, ReadError, load};
use crate::fleet;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(self.0.get(path).map(|text| text.as_bytes().into()))
    }
}

fn proposed(text: &str) -> (Proposal, String) {
    let files = Memory([("/p/compose.yaml".to_owned(), text.to_owned())].into());
    let (proposal, findings) = propose(&Options::new("/p", vec!["/p/compose.yaml".to_owned()]), &files, &[]);
    let proposal = proposal.unwrap_or_else(|| panic!("{findings:?}"));
    let new = proposal.texts.get("/p/compose.yaml").cloned().unwrap_or_else(|| text.to_owned());
    (proposal, new)
}

const SHOP: &str = r#"# the shop
services:
  web:
    image: shop/web:1.4          # pinned
    environment:
      - DOMAIN=shop.example      # where people go
      - API_URL=https://shop.example/api
      - SEATS=60
    ports: ["8080:80"]
    labels: { traefik.http.routers.web.rule: "Host(`shop.example`)" }
  db:
    image: postgres:16
    environment: { POSTGRES_PASSWORD: hunter2, POSTGRES_USER: shop, TZ: "${TZ:-UTC}" }
    ports:
      - target: 5432
        published: 15432
        host_ip: 127.0.0.1
  api:
    image: shop/api:1.4
    environment:
      DATABASE_URL: postgres://shop:hunter2@db/shop
      SMTP_PASSWORD: ${SMTP_PASSWORD:-mailpass}
      API_TOKEN: ${API_TOKEN}
"#;

#[test]
fn domains_ports_and_passwords_become_an_instances_own() {
    let (proposal, text) = proposed(SHOP);
    for line in [
        "# the shop",
        "      - \"DOMAIN=${DOMAIN:-shop.example}\"      # where people go",
        "      - \"API_URL=https://${DOMAIN:-shop.example}/api\"",
        "    image: shop/web:1.4          # pinned",
        "    ports: [\"${WEB_PORT:-8080}:80\"]",
        "Host(`${DOMAIN:-shop.example}`)",
        "POSTGRES_PASSWORD: \"${POSTGRES_PASSWORD}\", POSTGRES_USER: shop",
        "        published: \"${DB_PORT:-15432}\"",
        "      DATABASE_URL: \"postgres://shop:${POSTGRES_PASSWORD}@db/shop\"",
        "      SMTP_PASSWORD: \"${SMTP_PASSWORD}\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("mailpass"), "{text}");
    assert!(proposal.left.is_empty(), "{:?}", proposal.left);
    let kinds: Vec<(&str, &str)> = proposal.parameters.iter().map(|(name, one)| (name.as_str(), one.kind)).collect();
    assert_eq!(kinds, [("DB_PORT", "integer"), ("DOMAIN", "hostname"), ("TZ", "string"), ("WEB_PORT", "integer")]);
    let mut lifted: Vec<(&str, &str)> =
        proposal.lifted.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    lifted.sort_unstable();
    assert_eq!(lifted, [("API_TOKEN", ""), ("POSTGRES_PASSWORD", "hunter2"), ("SMTP_PASSWORD", "mailpass")]);
}

#[test]
fn what_is_proposed_reads_as_the_same_project_and_product() {
    let (proposal, text) = proposed(SHOP);
    let mut options = Options::new("/p", vec!["/p/compose.yaml".to_owned()]);
    for one in proposal.lifted.iter().filter(|one| !one.value.is_empty()) {
        options.environment.set(&one.name, one.value.as_str(), None);
    }
    let read = |text: &str| {
        let files = Memory([("/p/compose.yaml".to_owned(), text.to_owned())].into());
        let (project, findings) = load(&options, &files, &Cache::new());
        let project = project.unwrap_or_else(|| panic!("{findings:?}"));
        flatten(&project).into_iter().map(|(path, value)| (path, value.text())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(read(&text), read(SHOP));
    let product = Product {
        name: "shop".into(),
        parameters: proposal.parameters,
        secrets: proposal.lifted.into_iter().map(|one| (one.name, true)).collect(),
        sizes: [("large".to_owned(), [("db".to_owned(), (Some("2".to_owned()), Some("4G".to_owned())))].into())].into(),
        binds: vec!["/srv/shop".to_owned()],
    };
    let mut tree = crate::tree::Memory::default();
    tree.put("fleet.yaml", "fleet: shops\nenvironments: { production: {} }\n");
    tree.put("products/shop/product.yaml", product.text());
    tree.put("products/shop/compose.yaml", &text);
    let (fleet, findings) = fleet::read(&tree);
    assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
    let read = &fleet.expect("a fleet").products.values().next().cloned().expect("a product");
    assert_eq!(read.parameters.len(), 4);
    assert_eq!((read.secrets.len(), read.sizes.len(), read.binds.len()), (3, 1, 1));
}

#[test]
fn what_stands_there_twice_or_in_no_plain_scalar_is_left() {
    let text = "services:\n  a: { image: x, environment: &e { TOKEN: abc } }\n  b: { image: y, environment: *e }\n  c:\n    image: z\n    environment:\n      \
        PRIVATE_KEY: |\n        -----BEGIN PRIVATE KEY-----\n        x\n";
    let (proposal, new) = proposed(text);
    // One place for two services: written once.
    assert_eq!(new.matches("${TOKEN}").count(), 1, "{new}");
    assert!(new.contains("-----BEGIN PRIVATE KEY-----"), "a block is left to people: {new}");
    assert_eq!(proposal.left.len(), 1, "{:?}", proposal.left);
    for odd in [
        "services: {}",
        "services:\n  a:\n    image: x\n    ports: ['8000-8010:8000-8010']\n",
        "services: { a: { image: x, environment: { PASSWORD: } } }",
    ] {
        let (proposal, _) = proposed(odd);
        assert!(proposal.lifted.iter().all(|one| one.value.is_empty()), "{odd}");
    }
}

#[test]
fn a_secret_is_found_wherever_else_it_stands() {
    let compose = "x-env: &e { DB_PASSWORD: s3cretpass }\nservices:\n  app:\n    image: x\n    environment:\n      <<: *e\n      S3_SECRET: ${S3_SECRET:-fallback}\n    \
        command: [\"--password\", \"s3cretpass\"]\n    env_file: [.env, app.env]\n";
    let env = "S3_SECRET=verysecret9\nTOKEN=tok-123 # of the portal\n";
    let app = "MAIL_PASSWORD=\"quoted secret\"\nDB_PASSWORD=s3cretpass\n# old: DB_PASSWORD=s3cretpass\n";
    let files = Memory(
        [("/p/compose.yaml", compose), ("/p/.env", env), ("/p/app.env", app)]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
    );
    let mut options = Options::new("/p", vec!["/p/compose.yaml".to_owned()]);
    options.use_dot_env = true;
    let (proposal, findings) = propose(&options, &files, &[]);
    let proposal = proposal.unwrap_or_else(|| panic!("{findings:?}"));
    let text = &proposal.texts["/p/compose.yaml"];
    assert!(
        text.contains("[\"--password\", \"${DB_PASSWORD}\"]") && text.contains("DB_PASSWORD: \"${DB_PASSWORD}\" }")
    );
    // What `.env` says wins over the default, and stands in the file although `environment:` says the same.
    assert_eq!(proposal.texts["/p/.env"], "S3_SECRET=${S3_SECRET}\nTOKEN=${TOKEN} # of the portal\n");
    let mail = "MAIL_PASSWORD=${MAIL_PASSWORD}\nDB_PASSWORD=${DB_PASSWORD}\n";
    assert!(proposal.texts["/p/app.env"].starts_with(mail), "{}", proposal.texts["/p/app.env"]);
    // A comment is left to people, and they are told.
    assert_eq!(proposal.left, ["/p/app.env:3  a secret in plain text"]);
    let names: Vec<&str> = proposal.lifted.iter().map(|one| one.name.as_str()).collect();
    for name in ["DB_PASSWORD", "S3_SECRET", "TOKEN", "MAIL_PASSWORD"] {
        assert!(names.contains(&name), "{name} {names:?}");
    }
}

#[test]
fn variables_of_a_file_and_what_it_says_of_them() {
    let found = variables(
        "services:\n  web:\n    image: shop:${VERSION:-1.0}\n    # $COMMENT\n    command: \"$$HOME ${A?needed} $B-x ${C-${D:+y}} ${ESCADRE_INSTANCE}\"\n",
        Language::Yaml,
    );
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["A", "B", "C", "D", "VERSION"]);
    assert_eq!(found["VERSION"], Use::Default("1.0".into()));
    assert_eq!((&found["A"], &found["B"], &found["C"]), (&Use::Required, &Use::Required, &Use::Optional));
    for odd in ["", "$", "${", "${}", "a: ${A:-${B", "a: $$$", "a: ${A}}"] {
        variables(odd, Language::Yaml);
        variables(odd, Language::Variables);
    }
}

#[test]
fn types_are_guessed_from_names_and_values() {
    for (name, values, kind) in [
        ("DOMAIN", &["a.example"][..], "hostname"),
        ("SMTP_HOST", &["mail"], "string"),
        ("SEATS", &["60", "80"], "integer"),
        ("SEATS", &["060"], "string"),
        ("DEBUG", &["true"], "boolean"),
        ("ADMIN_MAIL", &["a@b.example"], "email"),
        ("BASE_URL", &["https://a.example/x"], "url"),
        ("HOST", &["10.0.0.1"], "string"),
        ("X", &[], "string"),
    ] {
        assert_eq!(type_of(name, values), kind, "{name} {values:?}");
    }
}
