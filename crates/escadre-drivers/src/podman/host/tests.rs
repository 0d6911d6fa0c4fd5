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
        nonsense\n";
    assert_eq!(open(table), [8080]);
}
