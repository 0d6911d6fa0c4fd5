//! The order of results, whatever the number of threads.
use super::*;

#[test]
fn results_are_in_the_order_of_the_things() {
    let things: Vec<usize> = (0..1_000).collect();
    let wanted: Vec<usize> = things.iter().map(|thing| thing * 2).collect();
    for threads in [0, 1, 2, 3, 8, 100] {
        assert_eq!(map(things.clone(), Threads::new(threads), |thing| thing * 2), wanted, "{threads} threads");
    }
    assert!(map(Vec::<usize>::new(), Threads::new(8), |thing| thing).is_empty());
}

#[test]
fn a_panic_of_the_work_reaches_the_caller() {
    let work = |thing: usize| assert!(thing != 900, "the last part");
    let caught = std::panic::catch_unwind(|| map((0..1_000).collect(), Threads::new(4), work));
    assert!(caught.is_err());
}

#[test]
fn what_is_made_ahead_is_taken_in_order_until_enough() {
    for enough in [0, 1, BATCH, 20_000] {
        let mut taken = Vec::new();
        let make = |give: &mut dyn FnMut(usize) -> bool| {
            (0..20_000).all(give);
        };
        ahead(make, |thing| {
            taken.push(thing);
            taken.len() < enough
        });
        assert_eq!(taken, (0..enough.max(1)).collect::<Vec<_>>());
    }
}
