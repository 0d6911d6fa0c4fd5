use super::*;

#[test]
fn an_identity_reads_as_a_path() {
    let web = InstanceId::new(Name::new("totem").unwrap(), Name::new("france").unwrap())
        .resource(ResourceKey::new(Kind::Service, "web"));
    assert_eq!(web.to_string(), "totem/france/service/web");
    assert_eq!(web.container(1, 3).to_string(), "totem/france/service/web/1/g3");
}
