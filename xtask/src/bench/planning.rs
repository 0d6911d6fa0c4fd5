//! Planning measured: read, resolve, render, plan; beside it the reference loader, kustomize and a plain write of the result.
//!
//! In: fleets written to a scratch folder. Out: rows of the table.
//! **Invariant:** a case is a process of its own, begins with the files on disk and ends with a plan in memory; what was recorded before (the observation)
//! is loaded before the clock starts.
//! Not here: a real engine (`engine`), the fleet's text (`fleet`).
//! Tests: each case checks how many changes its plan holds.

use super::fleet::{self, Product};
use super::measure::{self, timed};
use super::record;
use super::table::{Row, Table, Verdict};
use anyhow::{Context, Result, bail, ensure};
use escadre_drivers::folder::WorkTree;
use escadre_model::desired::Desired;
use escadre_model::diagnostic::has_errors;
use escadre_model::fleet::Fleet;
use escadre_model::observed::Observed;
use escadre_model::parallel::Threads;
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::resolved::Resolved;
use escadre_plan::change::Action;
use escadre_plan::make::{self, Abilities, Input, Options, TargetFacts};
use escadre_plan::plan::Plan;
use escadre_render::engine::Facts;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The image of the large product; it is never pulled.
const IMAGE: &str = "registry.example.org/desk/all:4.2.0";
/// The one that comes after it.
const NEXT: &str = "registry.example.org/desk/all:4.3.0";
/// How many tenants kustomize builds; it is scaled to all, since each is a process of its own.
const KUSTOMIZED: usize = 24;

/// A fleet as it was read and spelled.
struct Read {
    fleet: Fleet,
    resolved: Vec<Resolved>,
    desired: Vec<Desired>,
    stages: BTreeMap<&'static str, Duration>,
}

fn read(folder: &Path) -> Result<Read> {
    let (tree, open) = timed(|| WorkTree::open(folder));
    let tree = tree.context("open the fleet's folder")?;
    let ((fleet, findings), reading) = timed(|| escadre_model::fleet::read(&tree));
    ensure!(!has_errors(&findings), "the fleet has errors: {findings:?}");
    let fleet = fleet.context("there is no fleet")?;
    let names: Vec<_> = fleet.instances.keys().collect();
    let threads = Threads::of_machine();
    let (all, spelling) =
        timed(|| escadre_render::engine::fleet(&fleet, &names, &tree, &Keys::none(), &Facts::default(), threads));
    let (mut resolved, mut desired) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for one in all {
        let Some((files, target)) = one.wanted else { bail!("an instance is not sound: {:?}", one.findings) };
        resolved.push(files);
        desired.push(target);
    }
    let (clashes, took) = timed(|| resolve::clashes(&fleet, &resolved));
    ensure!(clashes.is_empty(), "the fleet clashes: {clashes:?}");
    let stages = [("read", open + reading), ("resolve and render", spelling + took)];
    Ok(Read { fleet, resolved, desired, stages: stages.into() })
}

fn plan(read: &Read, observed: &Observed, only: Option<&str>) -> Plan {
    let only = only.map(|only| {
        let named = |one: &&Desired| one.instance.instance.as_str() == only;
        read.desired.iter().filter(named).map(|one| one.instance.clone()).collect::<BTreeSet<_>>()
    });
    make::make(&Input {
        fleet: read.fleet.name.value.as_str().into(),
        commit: "".into(),
        dirty: None,
        desired: &read.desired,
        listed: true,
        observed,
        target: TargetFacts { pool: "10.0.0.0/8".into(), ..TargetFacts::default() },
        abilities: Abilities::default(),
        options: Options { only, ..Options::default() },
        registry: BTreeMap::new(),
    })
}

/// How many services a plan leaves alone, and how many it changes.
fn counted(plan: &Plan) -> (usize, usize) {
    let changes = plan.instances.iter().flat_map(|one| &one.changes);
    let kept = changes.clone().filter(|change| change.action == Action::Keep).count();
    (kept, changes.count() - kept)
}

fn load(folder: &Path) -> Result<Observed> {
    record::read(&folder.join("observed.json"))
}

fn answer(stages: &BTreeMap<&'static str, Duration>, wall: Duration, cpu: f64, plan: &Plan) -> Result<Value> {
    let (kept, changed) = counted(plan);
    let mut answer = json!({
        "wall": wall.as_secs_f64(), "cpu": measure::cpu_seconds()? - cpu, "peak": measure::peak_bytes()?,
        "kept": kept, "changed": changed, "id": plan.id,
    });
    for (stage, took) in stages {
        answer[*stage] = took.as_secs_f64().into();
    }
    Ok(answer)
}

/// The cases, by their words.
pub(crate) fn case(words: &[&str]) -> Result<Value> {
    match words {
        ["record", folder] => {
            let folder = Path::new(folder);
            let read = read(folder)?;
            let plan = plan(&read, &record::observed(&empty(), &[])?, None);
            record::write(&folder.join("observed.json"), record::observed(&plan, &read.desired)?)?;
            Ok(json!({ "instances": read.desired.len() }))
        }
        ["plan", folder] => {
            let observed = load(Path::new(folder))?;
            let (resident, cpu) = (measure::status_bytes("self", "VmRSS:")?, measure::cpu_seconds()?);
            let ((read, plan, took), wall) = timed(|| {
                let read = read(Path::new(folder));
                let (plan, took) = match &read {
                    Ok(read) => timed(|| Some(plan(read, &observed, None))),
                    Err(_) => (None, Duration::ZERO),
                };
                (read, plan, took)
            });
            let mut read = read?;
            read.stages.insert("plan", took);
            let mut answer = answer(&read.stages, wall, cpu, &plan.context("no plan")?)?;
            answer["observed"] = resident.into();
            answer["resolved"] = read.resolved.len().into();
            Ok(answer)
        }
        ["write", folder, instances] => {
            fleet::write(Path::new(folder), instances.parse()?, Product::Desk, IMAGE, fleet::SOCKET)?;
            Ok(json!({}))
        }
        ["one", folder] => one(Path::new(folder)),
        ["floor", folder] => {
            let folder = Path::new(folder);
            let read = read(folder)?;
            let cpu = measure::cpu_seconds()?;
            let (written, wall) = timed(|| write_all(&folder.join("desired.json"), &read.desired));
            Ok(json!({ "wall": wall.as_secs_f64(), "cpu": measure::cpu_seconds()? - cpu, "bytes": written? }))
        }
        other => bail!("there is no case {other:?}"),
    }
}

fn empty() -> Plan {
    make::make(&Input {
        fleet: "bench".into(),
        commit: "".into(),
        dirty: None,
        desired: &[],
        listed: false,
        observed: &Observed::default(),
        target: TargetFacts::default(),
        abilities: Abilities::default(),
        options: Options::default(),
        registry: BTreeMap::new(),
    })
}

/// One instance's file changes while a process holds the fleet: the file is read, the instance resolved, rendered and planned again.
fn one(folder: &Path) -> Result<Value> {
    let observed = load(folder)?;
    let mut held = read(folder)?;
    let name = "tenant-00007";
    let file = folder.join(format!("instances/{name}.yaml"));
    let before = fs::read_to_string(&file).context("read an instance")?;
    let mut walls = Vec::new();
    let mut changed = 0;
    for seats in 4_000..4_011 {
        let next = before.replace("SEATS: 17 ", &format!("SEATS: {seats} "));
        ensure!(next != before, "the instance has no SEATS to change");
        fs::write(&file, next).context("change an instance")?;
        let (again, wall) = timed(|| -> Result<Plan> {
            let tree = WorkTree::open(folder).context("open the fleet's folder")?;
            let (fleet, _) = escadre_model::fleet::read(&tree);
            held.fleet = fleet.context("there is no fleet")?;
            let (resolved, said) = resolve::instance(&held.fleet, name, &tree, &Keys::none(), &Cache::new());
            let resolved = resolved.with_context(|| format!("{name} cannot be resolved: {said:?}"))?;
            let (spelled, _) = escadre_render::engine::render(&resolved, &Facts::default());
            let place = held.desired.iter_mut().find(|one| one.instance == spelled.instance);
            *place.context("the instance is gone")? = spelled;
            Ok(plan(&held, &observed, Some(name)))
        });
        changed = counted(&again?).1;
        walls.push(wall.as_secs_f64());
    }
    fs::write(&file, before).context("put the instance back")?;
    Ok(json!({ "wall": measure::median(&walls), "changed": changed }))
}

fn write_all(path: &Path, desired: &[Desired]) -> Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 16, File::create(path).context("make the file of all instances")?);
    for one in desired {
        serde_json::to_writer(&mut file, one).context("write an instance")?;
        file.write_all(b"\n").context("write an instance")?;
    }
    file.flush().context("write an instance")?;
    Ok(file.get_ref().metadata().context("look at the file of all instances")?.len())
}

/// All rows about planning.
pub(crate) fn rows(table: &mut Table, scratch: &Path, peers: &Path) -> Result<()> {
    let fleet200 = scratch.join("fleet-200");
    let ours = changed_for_all(table, &fleet200)?;
    let wall = ours.wall;
    reference(table, &fleet200, peers, &ours)?;
    kustomize(table, scratch, peers, &ours)?;
    let folder = shown(&fleet200);
    let floor = ["floor", folder.as_str()];
    let (floor, cpu) = (median_of(5, &floor, "wall")?, median_of(5, &floor, "cpu")?);
    table.add(
        Row::new("writing the canonical Desired of the 200 to one file, nothing else", seconds(floor))
            .beside(format!(
                "we take {:.1}× of it; processor {}, we take {:.1}× of it",
                wall / floor,
                seconds(cpu),
                ours.cpu / cpu
            ))
            .target("≤ 3×", Verdict::of(wall <= 3.0 * floor)),
    );
    let one = median_of(3, &["one", &shown(&fleet200)], "wall")?;
    table.add(
        Row::new("one instance's file changes, planned again in the same process", seconds(one))
            .beside("reads the fleet's files again".to_owned())
            .target("≤ 20 ms", Verdict::of(one <= 0.020)),
    );
    linear(table, scratch)
}

/// What a case of planning took.
struct Took {
    wall: f64,
    cpu: f64,
}

/// How much more a peer takes than we do: its time, and what it costs the processors, which tells more on a busy machine.
fn against(ours: &Took, wall: f64, cpu: f64) -> String {
    format!("{:.0}× of ours; processor {}, {:.0}× of ours", wall / ours.wall, seconds(cpu), cpu / ours.cpu)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A time as the table shows it.
pub(crate) fn seconds(time: f64) -> String {
    if time < 0.1 { format!("{:.1} ms", time * 1_000.0) } else { format!("{time:.2} s") }
}

/// Bytes as the table shows them.
pub(crate) fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1_000_000.0)
}

fn median_of(times: usize, words: &[&str], key: &str) -> Result<f64> {
    let mut numbers = Vec::new();
    for _ in 0..times {
        numbers.push(measure::number(&measure::case(words)?, key)?);
    }
    Ok(measure::median(&numbers))
}

/// Writes a fleet, records it, and changes the image of its product.
fn prepare(folder: &Path, instances: usize) -> Result<()> {
    fleet::write(folder, instances, Product::Desk, IMAGE, fleet::SOCKET)?;
    measure::case(&["record", &shown(folder)])?;
    Ok(())
}

fn next_image(folder: &Path) -> Result<()> {
    let file = folder.join("products/desk/compose.yaml");
    let text = fs::read_to_string(&file).context("read the product's Compose file")?;
    fs::write(&file, text.replace(IMAGE, NEXT)).context("change the product's image")
}

fn changed_for_all(table: &mut Table, folder: &Path) -> Result<Took> {
    prepare(folder, 200)?;
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    let same = middle(5, folder, &mut walls, &mut Vec::new())?;
    ensure!(measure::number(&same, "changed")? == 0.0, "the unchanged fleet has changes: {same}");
    let unchanged = measure::median(&walls);
    walls.clear();
    next_image(folder)?;
    let all = middle(9, folder, &mut walls, &mut cpus)?;
    ensure!(measure::number(&all, "changed")? >= 4_000.0, "the changed fleet has too few changes: {all}");
    let (wall, cpu) = (measure::median(&walls), measure::median(&cpus));
    let get = |key: &str| measure::number(&all, key);
    let stages = ["read", "resolve and render", "plan"];
    let stages = stages.map(|stage| Ok(format!("{stage} {}", seconds(get(stage)?)))).into_iter();
    let stages = stages.collect::<Result<Vec<_>>>()?.join(", ");
    table.add(
        Row::new(
            "**200 instances × 20 services, image changed for all: read + resolve + render + plan**",
            seconds(wall),
        )
        .beside(format!("{stages}; processor {}", seconds(cpu))),
    );
    table.add(Row::new("the same, nothing changed", seconds(unchanged)));
    let peak = get("peak")?;
    table.add(
        Row::new("its memory, all in all", megabytes(peak))
            .beside(format!("of it {} is the recorded observation with its receipts", megabytes(get("observed")?)))
            .target("< 150 MB", Verdict::of(peak < 150e6)),
    );
    Ok(Took { wall, cpu })
}

/// Runs the case several times; the answer of the last one, all wall and processor times.
fn middle(times: usize, folder: &Path, walls: &mut Vec<f64>, cpus: &mut Vec<f64>) -> Result<Value> {
    let mut last = Value::Null;
    for _ in 0..times {
        last = measure::case(&["plan", &shown(folder)])?;
        walls.push(measure::number(&last, "wall")?);
        cpus.push(measure::number(&last, "cpu")?);
    }
    Ok(last)
}

fn reference(table: &mut Table, folder: &Path, peers: &Path, ours: &Took) -> Result<()> {
    let what = "the reference Compose loader (compose-go 2), reading the same file 200 times in one process";
    let program = peers.join("reference-loader");
    if !program.exists() {
        table.add(Row::missing(what, "no Go here to build it"));
        return Ok(());
    }
    let file = folder.join("products/desk/compose.yaml");
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let before = measure::children_cpu_seconds()?;
        let text = measure::output(Command::new(&program).arg(&file).arg("200"))?;
        let mut words = text.split_whitespace();
        walls.push(words.next().and_then(|word| word.parse().ok()).context("the reference loader told no time")?);
        cpus.push(measure::children_cpu_seconds()? - before);
        ensure!(words.next() == Some("4000"), "the reference loader saw other services: {text}");
    }
    let wall = measure::median(&walls);
    table.add(
        Row::new(what, seconds(wall))
            .beside(against(ours, wall, measure::median(&cpus)))
            .target("≥ 20×", Verdict::of(wall >= 20.0 * ours.wall)),
    );
    Ok(())
}

fn kustomize(table: &mut Table, scratch: &Path, peers: &Path, ours: &Took) -> Result<()> {
    let what = "`kustomize build` per tenant of 40 objects, 200 tenants";
    let program = peers.join("kustomize");
    if !program.exists() {
        table.add(Row::missing(what, "kustomize is not there"));
        return Ok(());
    }
    let folder = scratch.join("kustomize");
    fleet::write_kustomize(&folder, KUSTOMIZED)?;
    let before = measure::children_cpu_seconds()?;
    let (built, wall) = timed(|| -> Result<()> {
        for index in 0..KUSTOMIZED {
            let text =
                measure::output(Command::new(&program).arg("build").arg(folder.join(format!("tenant-{index:05}"))))?;
            ensure!(text.matches("\nkind: ").count() == 40, "kustomize did not build 40 objects");
        }
        Ok(())
    });
    built?;
    let each = wall.as_secs_f64() / KUSTOMIZED as f64;
    let all = each * 200.0;
    let cpu = (measure::children_cpu_seconds()? - before) / KUSTOMIZED as f64 * 200.0;
    table.add(
        Row::new(what, seconds(all))
            .beside(format!(
                "{}; measured on {KUSTOMIZED} and scaled: {} each (127 ms where the target was set)",
                against(ours, all, cpu),
                seconds(each)
            ))
            .target("≥ 200×", Verdict::of(all >= 200.0 * ours.wall)),
    );
    Ok(())
}

/// 100, 1,000 and 10,000 instances: the cost of one must stay the same.
fn linear(table: &mut Table, scratch: &Path) -> Result<()> {
    let mut each = Vec::new();
    for instances in [100_usize, 1_000, 10_000] {
        let folder = scratch.join(format!("fleet-{instances}"));
        prepare(&folder, instances)?;
        next_image(&folder)?;
        let (mut walls, mut cpus) = (Vec::new(), Vec::new());
        let last = middle(if instances > 1_000 { 1 } else { 3 }, &folder, &mut walls, &mut cpus)?;
        let wall = measure::median(&walls);
        each.push(wall / instances as f64);
        let row = Row::new(format!("{instances} instances × 20 services, image changed for all"), seconds(wall));
        let memory = megabytes(measure::number(&last, "peak")?);
        let spread = each.iter().copied().fold(f64::MIN, f64::max) / each.iter().copied().fold(f64::MAX, f64::min);
        let (each_ms, cpu) = (wall * 1_000.0 / instances as f64, seconds(measure::median(&cpus)));
        let row = row.beside(format!("{each_ms:.2} ms an instance; processor {cpu}; memory {memory}"));
        table.add(if instances == 10_000 {
            row.target("linear (no instance costs 1.5× of another size's)", Verdict::of(spread <= 1.5))
        } else {
            row
        });
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}
