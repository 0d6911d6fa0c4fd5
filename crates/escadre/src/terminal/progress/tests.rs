//! Tests of progress lines.
use super::*;
use escadre_model::ids::ResourceKey;
use escadre_model::name::Name;

fn id(name: &str) -> InstanceId {
    InstanceId::new(Name::new("desk").unwrap(), Name::new(name).unwrap())
}

fn web(name: &str) -> ResourceId {
    id(name).resource(ResourceKey::new(Kind::Service, "web"))
}

#[test]
fn without_a_terminal_each_finished_instance_is_a_line_with_the_time_first() {
    let mut state = State::new(2);
    let clock = Some("14:08:33");
    assert_eq!(state.take(&Event::InstanceBegan(id("yew")), clock), ["14:08:33 yew      begins"]);
    assert!(State::new(40).take(&Event::InstanceBegan(id("yew")), clock).is_empty(), "of many only the ends are told");
    assert!(state.take(&Event::StepBegan(web("yew"), 0, "gate"), clock).is_empty());
    assert!(state.take(&Event::StepDone(web("yew"), 0, Duration::from_secs(2)), clock).is_empty());
    let lines = state.take(&Event::InstanceEnded(id("yew"), Outcome::Healthy, Duration::from_millis(6_800)), clock);
    assert_eq!(lines, ["14:08:33 yew      done            6.8 s"]);
    let failed = state.take(&Event::StepFailed(web("larch"), 1, "ended with code 78\x1b[2J".into()), clock);
    assert_eq!(failed, ["14:08:33 larch    failed      web ended with code 78?[2J"]);
    let back = state.take(&Event::InstanceEnded(id("larch"), Outcome::WentBack, Duration::from_secs(12)), clock);
    assert_eq!(back, ["14:08:33 larch    went back      12.0 s"]);
    assert_eq!(state.back, 1);
    let again =
        state.take(&Event::InstanceAgain(id("larch"), "subnet 10.1.0.0/26 instead of 10.2.0.0/26".into()), clock);
    assert_eq!(again, ["14:08:33 larch    planned again, as before but for subnet 10.1.0.0/26 instead of 10.2.0.0/26"]);
    assert_eq!(state.back, 0, "what goes on has not ended");
}

#[test]
fn on_a_terminal_few_lines_are_redrawn() {
    let mut state = State::new(40);
    for n in 0..20 {
        let name = format!("i{n:02}");
        state.take(&Event::InstanceBegan(id(&name)), None);
        state.take(&Event::StepBegan(web(&name), 0, "start"), None);
    }
    state.take(&Event::StepNews(web("i00"), 0, "waiting for its healthcheck (2 s)".into()), None);
    state.take(&Event::Unwinding(id("i01")), None);
    let live = state.live(Look::plain(80));
    assert_eq!(live.len(), 1 + MOST + 1);
    assert_eq!(live[0], "  done 0 / 40   went back 0");
    assert_eq!(live[1], "     i00  web  waiting for its healthcheck (2 s)");
    assert_eq!(live[2], "     i01  web  goes back: goes back");
    assert!(live.iter().all(|line| columns(line) < 80));
}

#[test]
fn in_a_single_instance_gates_stay_on_the_screen() {
    let mut state = State::new(1);
    state.take(&Event::StepBegan(web("desk"), 3, "gate"), None);
    let lines = state.take(&Event::StepDone(web("desk"), 3, Duration::from_millis(1_300)), None);
    assert_eq!(lines, ["  web                      ready            1.3 s"]);
}
