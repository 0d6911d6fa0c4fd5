use super::*;

fn look() -> Look {
    Look { colour: false, width: 80 }
}

fn image(id: &str, names: &[&str], stays_as: &[&str], bytes: u64) -> Image {
    let all = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    Image { id: format!("sha256:{id}"), names: all(names), stays_as: all(stays_as), bytes }
}

#[test]
fn what_would_go_is_named() {
    let mut pruned = Pruned { engine: "podman 4.3.1".into(), kept: 11, keep: 5, ..Pruned::default() };
    assert_eq!(
        paint(&pruned, look()),
        "Nothing is kept that nobody needs: 11 healthy states stay to go back to; to keep fewer: escadre prune --keep 1.\n"
    );
    pruned.images = vec![
        image("3f1c9d4e5a6b7788", &["shop:1.4.0", "localhost/escadre/keep:3f1c9d4e5a6b"], &[], 52 << 20),
        image("aa1c9d4e5a6b7788", &["localhost/escadre/keep:aa1c9d4e5a6b"], &[], 3 << 30),
        image("bb1c9d4e5a6b7788", &["localhost/escadre/keep:bb1c9d4e5a6b"], &["mine:1"], 900),
    ];
    pruned.in_use = vec![image("cc", &["redis:7"], &[], 1)];
    pruned.states = [("int".to_owned(), 3), ("old".to_owned(), 2)].into();
    pruned.gone = vec!["old".into()];
    pruned.values = [("int".to_owned(), 1)].into();
    pruned.configuration = Pieces { number: 12, bytes: 4096 };
    pruned.plans = Pieces { number: 1, bytes: 512 };
    assert_eq!(
        paint(&pruned, look()),
        "Room to be made on podman 4.3.1\n\n\
         \x20 images         3 images that no state needs, up to 3.0 GiB\n\
         \x20                shop:1.4.0, 52 MiB\n\
         \x20                aa1c9d4e5a6b (its tag has moved on), 3.0 GiB\n\
         \x20                bb1c9d4e5a6b: stays as mine:1, which is not ours; our name for\n\
         \x20                it goes\n\
         \x20 states         5 states nobody can go back to afterwards: int 3, old 2 (taken\n\
         \x20                down, and in no file)\n\
         \x20 secrets        1 earlier value: int\n\
         \x20 configuration  12 files of earlier states, 4 KiB\n\
         \x20 plans          1 saved plan older than a week, 512 B\n\n\
         11 healthy states stay to go back to; volumes are not touched.\n\
         \x20 stays          needed by no state, and a container has it: redis:7\n\n"
    );
}

#[test]
fn what_went_is_told_with_what_did_not() {
    let made = Made {
        states: 1,
        images: (2, 52 << 20),
        failed: vec!["podman refused to remove image x: it is used".into()],
        ..Made::default()
    };
    assert_eq!(
        told(&super::made(Pruned::default(), &made), look()),
        "Gone: 2 images (52 MiB), 1 state.\n  not done: podman refused to remove image x: it is used\n"
    );
}
