//! Tests of the command line.
use super::value::*;
use super::*;
use std::time::Duration;

fn parsed(line: &str) -> Result<Box<Cli>, (u8, Vec<Diagnostic>)> {
    match parse(line.split_whitespace().map(OsString::from)) {
        Ok(Parsed::Verb(cli)) => Ok(cli),
        Ok(Parsed::Text(_)) => panic!("{line}: a text"),
        Err(Fault::Findings(exit, findings)) => Err((exit.number(), findings)),
        Err(other) => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_command_is_sound() {
    command().debug_assert();
}

#[test]
fn every_verb_of_the_table_is_taken() {
    for line in [
        "escadre up",
        "escadre up ./desk --yes",
        "escadre up larch oak --wait --json",
        "escadre --state /s up -f compose.yaml",
        "escadre up --where country=fr --except larch --rev v1",
        "escadre down --all",
        "escadre down larch --destroy larch/volume/data",
        "escadre plan --base main --out p.json --markdown",
        "escadre apply 7c41e9 --yes",
        "escadre apply ./plan.json",
        "escadre resume 7c41e9 --except cedar",
        "escadre status --list --where country=fr",
        "escadre status --check",
        "escadre why larch",
        "escadre why larch/web",
        "escadre why larch birch",
        "escadre drift oak",
        "escadre history -n 5",
        "escadre logs larch/web -f --since 10m --grep error",
        "escadre logs --plan 7c41e9 larch",
        "escadre ps -a",
        "escadre exec larch/db -- psql -U desk",
        "escadre exec larch/db psql -U desk",
        "escadre doctor --json",
        "escadre new fleet desk",
        "escadre new product desk --from compose.yaml",
        "escadre new instance acme --product desk --environment production --set DOMAIN=a.b",
        "escadre secret set acme smtp",
        "escadre secret set --fleet smtp",
        "escadre secret show acme",
        "escadre secret rotate acme db_password",
        "escadre secret rekey",
        "escadre check --verdicts --strict",
        "escadre explain E0101",
        "escadre schema",
        "escadre compose config -f a.yaml -f b.yaml --profile p --format json",
        "escadre import compose --environment production",
        "escadre import compose desk-oak desk-elm --product desk --environment production --fleet shops --yes",
        "escadre import swarm desk --environment production",
        "escadre recover",
        "escadre hold larch --because talks",
        "escadre unhold larch",
        "escadre proxy",
        "escadre proxy install",
        "escadre completions bash",
        "escadre man /tmp/x",
    ] {
        assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err());
    }
}

#[test]
fn reserved_verbs_are_refused_by_name_and_hidden() {
    let help = command().render_long_help().to_string();
    for (verb, _) in reserved::VERBS {
        let (exit, findings) = parsed(&format!("escadre {verb} --help x")).unwrap_err();
        assert_eq!((exit, findings[0].code), (2, Code::E0290), "{verb}");
        assert!(!help.contains(&format!("\n  {verb} ")), "{verb} is in the help");
    }
}

#[test]
fn bad_command_lines_say_what_is_wrong() {
    let wrong = |line: &str| {
        let (exit, findings) = parsed(line).expect_err(line);
        assert_eq!(exit, 2, "{line}");
        findings[0].clone()
    };
    let finding = wrong("escadre upp");
    assert_eq!((finding.code, finding.hints[0].as_str()), (Code::E0203, "did you mean: escadre up"));
    assert_eq!(wrong("escadre up --jsn").code, Code::E0201);
    assert_eq!(wrong("escadre status --where country").code, Code::E0202);
    assert_eq!(wrong("escadre apply").code, Code::E0201);
    assert!(wrong("escadre apply").message.contains("<PLAN>"), "{}", wrong("escadre apply").message);
    assert_eq!(wrong("escadre apply 7c41").code, Code::E0202);
    assert_eq!(wrong("escadre up --dirty").code, Code::E0201);
    assert_eq!(wrong("escadre hold larch").code, Code::E0201);
    assert_eq!(wrong("escadre down UPPER").code, Code::E0202);
    assert_eq!(wrong("escadre up --rev x -f compose.yaml").code, Code::E0201);
    assert_eq!(wrong("escadre").code, Code::E0201);
    assert_eq!(wrong("escadre new instance acme").code, Code::E0201, "an environment is never guessed");
    assert_eq!(wrong("escadre exec larch ls").code, Code::E0202);
}

#[test]
fn values_are_strict() {
    assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
    for wrong in ["", "10", "m", "1x", "1h30", "99999999999999999999d", "-1s", "1 h"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        "2026-11-20T13:08:46Z".parse::<Moment>().map(|at| at.seconds(jiff::Timestamp::UNIX_EPOCH)),
        Ok(1_795_180_126)
    );
    assert!("2026-11-20".parse::<Moment>().is_ok());
    assert!("soon".parse::<Moment>().is_err());
    assert_eq!("7C41E9".parse::<PlanRef>(), Ok(PlanRef::Id("7c41e9".into())));
    assert_eq!("./7c41e9".parse::<PlanRef>(), Ok(PlanRef::File("./7c41e9".into())));
    assert_eq!("larch/web".parse::<Place>().map(|place| place.to_string()), Ok("larch/web".into()));
    for wrong in ["larch/", "/web", "larch/we b", "larch/web/x", "-x", ""] {
        assert!(wrong.parse::<Place>().is_err(), "{wrong}");
    }
    assert!("acme/volume/data".parse::<Doomed>().is_ok());
    assert!("acme/network/data".parse::<Doomed>().is_err() && "acme/volume".parse::<Doomed>().is_err());
    assert_eq!("A=b=c".parse::<Pair>(), Ok(Pair { key: "A".into(), value: "b=c".into() }));
    assert!("=b".parse::<Pair>().is_err());
}
