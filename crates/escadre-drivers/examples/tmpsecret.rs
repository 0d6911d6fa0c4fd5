use escadre_drivers::age::*;
use escadre_model::fleet::Scope;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (fleet, recipient) = (&args[1], &args[2]);
    let r = Recipients::new([("demo", recipient.as_str())]).unwrap();
    std::fs::write("fleet.age", encrypt_hash_key(&r, fleet, &new_hash_key().unwrap()).unwrap()).unwrap();
    for i in &args[3..] {
        let p = Place {
            fleet: fleet.as_str().into(),
            scope: Scope::Instance,
            of: i.as_str().into(),
            name: "db_password".into(),
        };
        let v = generate(32, "abcdefghijklmnopqrstuvwxyz0123456789").unwrap();
        let b = encrypt(&r, &p, &v).unwrap();
        let b: String = b.lines().map(|l| format!("  {l}\n")).collect();
        std::fs::write(format!("instances/{i}.secrets.yaml"), format!("db_password: |\n{b}")).unwrap();
    }
}
