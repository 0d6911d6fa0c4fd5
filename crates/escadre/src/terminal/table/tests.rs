//! Tests of columns.
use super::*;

fn hosts() -> Table {
    let mut table = Table::new(2, &[Side::Left, Side::Right, Side::Left]);
    table.row(["host", "instances", "says"]).row([
        "lyon-1",
        "22",
        "a sentence that is long enough to need a second line at eighty columns",
    ]);
    table
}

#[test]
fn fits_80_and_breathes_at_160() {
    assert_eq!(
        hosts().paint(Look::plain(80)),
        "  host    instances  says
  lyon-1         22  a sentence that is long enough to need a second line at
                     eighty columns
"
    );
    assert_eq!(
        hosts().paint(Look::plain(160)),
        "  host      instances    says
  lyon-1           22    a sentence that is long enough to need a second line at eighty columns
"
    );
}
