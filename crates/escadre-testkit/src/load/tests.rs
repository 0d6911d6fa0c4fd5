//! A load on servers that behave well, cut, answer something else, or are not there.

use super::{Kind, Load, Mix, Report, Target};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A server that gives this answer to every request, on kept connections, and ends them after so many.
fn server(answer: &'static str, last: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut read = BufReader::new(stream.try_clone().expect("a stream"));
                let mut write = stream;
                for _ in 0..last {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") && read.read_line(&mut head).is_ok_and(|length| length > 0) {}
                    if head.is_empty() || write.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn load(http: SocketAddr, kind: Kind) -> Report {
    let target = Target { name: "it".into(), http, host: "it.example".into(), lines: None };
    let load = Load::begin(vec![target], Mix::default().with(kind, 100.0));
    std::thread::sleep(Duration::from_millis(500));
    load.end()
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv1";

#[test]
fn what_is_whole_is_good() {
    let report = load(server(GOOD, 1), Kind::Short);
    let count = report.count(|_| true);
    assert!(count.all >= 10 && count.failed() == 0, "{count}: {:?}", report.failures(|_| true));
    report.loaded().expect("it was loaded");
    assert_eq!(report.tags(0).into_iter().collect::<Vec<_>>(), ["v1".into()]);
    assert!(report.percentile(0.99, |_| true).is_some());
}

#[test]
fn a_kept_connection_that_ends_between_two_requests_is_opened_again() {
    let report = load(server(GOOD, 3), Kind::Kept);
    let count = report.count(|_| true);
    assert!(count.all >= 10 && count.failed() == 0, "{count}: {:?}", report.failures(|_| true));
}

#[test]
fn what_is_cut_refused_or_something_else_is_counted_as_that() {
    for half in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nv1",
        "HTTP/1.1 200",
        "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npie",
    ] {
        let count = load(server(half, 1), Kind::Short).count(|_| true);
        assert!(count.all > 0 && count.cut == count.all, "{half:?}: {count}");
    }
    for other in
        ["HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nv1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"]
    {
        let report = load(server(other, 1), Kind::Short);
        let count = report.count(|_| true);
        assert!(count.all > 0 && count.wrong == count.all, "{other:?}: {count}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let report = load(gone, Kind::Short);
    let count = report.count(|_| true);
    assert!(count.all > 0 && count.refused == count.all, "{count}");
    report.loaded().expect_err("nothing was loaded");
}

#[test]
fn a_load_that_hardly_began_is_none() {
    // A kept connection whose first answer takes for ever leaves the others waiting.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (held, _) = listener.accept().expect("a client");
        std::thread::sleep(Duration::from_secs(2));
        drop(held);
    });
    load(address, Kind::Kept).loaded().expect_err("one request is no load");
}
