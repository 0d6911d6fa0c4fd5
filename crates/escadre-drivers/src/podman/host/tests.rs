//! The kernel's tables.

use super::*;

#[test]
fn routes_are_read_without_the_default_one() {
    let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        podman1\t0000590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    assert_eq!(routes(table), ["10.89.0.0/24".into()] as [Arc<str>; 1]);
}

#[test]
fn only_listening_sockets_count() {
    let table = "  sl  local_address rem_address   st tx_queue\n\
        0: 00000000:1F90 00000000:0000 0A 00000000:00000000\n\
        1: 0100007F:0050 0100007F:9C40 01 00000000:00000000\n\
        2: 0B00007F:9809 00000000:0000 0A 00000000:00000000\n\
        nonsense\n";
    assert_eq!(open(table), [8080]);
}

#[test]
fn connections() {
    let four = "  sl  local_address rem_address   st
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0200D20A:0050 0900D20A:C350 01 00000000:00000000
   2: 0200D20A:0050 0900D20A:C351 06 00000000:00000000
   3: garbage
";
    let told: Vec<String> = super::connections(four)
        .iter()
        .map(|one| format!("{} <- {} {}", one.local, one.remote, one.established))
        .collect();
    assert_eq!(told, ["10.210.0.2:80 <- 10.210.0.9:50000 true", "10.210.0.2:80 <- 10.210.0.9:50001 false"]);
    let six = "head
   0: 0000000000000000FFFF00000200D20A:1F90 0000000000000000FFFF00000900D20A:0050 01
   1: 00000000000000000000000001000000:0050 00000000000000000000000001000000:C350 01
";
    let told: Vec<String> = super::connections(six).iter().map(|one| one.local.to_string()).collect();
    assert_eq!(told, ["10.210.0.2:8080", "[::1]:80"]);
}
