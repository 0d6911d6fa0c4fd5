//! Tests of subnets, addresses and ports.
use super::*;

#[test]
fn subnets_go_around_what_is_in_use() {
    let mut pool = Pool::new("10.210.0.0/24", 26);
    pool.mark("10.210.0.70/32");
    pool.mark("10.210.0.128/25");
    pool.mark("fd00::/64");
    assert_eq!(pool.near(2).map(|s| s.to_string()), Some("10.210.0.0/26".to_owned()));
    assert_eq!(pool.near(2), None);
    assert!(pool.overlaps(Subnet::parse("10.210.0.0/30").unwrap()));
    assert!(!pool.overlaps(Subnet::parse("10.210.0.72/30").unwrap()));
    assert_eq!(Pool::new("nonsense", 26).near(0), None);
    let mut inside = Pool::new("10.210.0.0/16", 26);
    inside.mark("0.0.0.0/0");
    assert_eq!(inside.near(7), None);
    let mut top = Pool::new("255.255.255.192/26", 26);
    assert!(top.near(9).is_some() && top.near(9).is_none());
}

#[test]
fn addresses_start_behind_the_gateway_and_wrap() {
    let mut net = Addresses::new(Subnet::parse("10.0.0.0/29").unwrap());
    net.mark("10.0.0.5".parse().unwrap());
    let taken: Vec<String> = std::iter::from_fn(|| net.take()).map(|a| a.to_string()).collect();
    assert_eq!(taken, ["10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
}

#[test]
fn ports_are_found_again_and_never_twice() {
    let mut ports = Ports::new(100..=102, [101]);
    assert_eq!((ports.near(1), ports.near(1), ports.near(0)), (Some(102), Some(100), None));
    assert_eq!(Ports::new(100..=102, [100]).take(), Some(101));
}

#[test]
fn a_subnet_is_found_again_and_two_plans_hardly_meet() {
    let at = |seed| Pool::new("10.210.0.0/16", 26).near(seed).map(|subnet| subnet.to_string());
    assert_eq!((at(3), at(1024 + 3)), (Some("10.210.0.192/26".to_owned()), at(3)));
    assert_ne!(at(3), at(4));
    let mut pool = Pool::new("10.210.0.0/24", 26);
    let all: Vec<_> = std::iter::from_fn(|| pool.near(2)).map(|subnet| subnet.to_string()).collect();
    assert_eq!(all, ["10.210.0.128/26", "10.210.0.192/26", "10.210.0.0/26", "10.210.0.64/26"]);
}
