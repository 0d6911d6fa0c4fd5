//! The reference pages docs/reference/verbs/*.md: a paragraph written by hand, and the help.
//!
//! In: the command. Out: one page per verb. **Invariant**: a verb without a paragraph, or a page that is not current, fails the test.
//! Not here: the help itself (`args`). Tests: it is one; `UPDATE=1` writes the pages anew.

use crate::args::command;

/// The paragraph of a verb: what people should know before the options.
fn paragraph(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "up" => {
            "Plans, shows the plan, asks, does it and reports. Beside a plain `compose.yaml` it needs nothing else: the file is a fleet of one. In a fleet it takes the named instances, or all. What fails its gate goes back by itself, and the instance is held until its files change."
        }
        "down" => {
            "Stops the chosen instances and removes their containers and networks. Volumes and secrets stay unless they are named with `--destroy`. In a fleet nothing is taken down because nothing was named: say which, or `--all`. Files are not edited: the next plan shows `create`."
        }
        "plan" => {
            "Shows what `apply` would do, over the whole fleet: deletions, what is left alone and outliers first, equal changes once with the names of those they concern, then what is kept. The plan is saved under an id; it stays valid for each instance until what that instance wants or runs changes. Nothing else is changed."
        }
        "apply" => {
            "Does exactly a saved plan and never plans. An instance that changed since the plan was made is refused and named, the others go on, and the exit code is 3."
        }
        "import" => {
            "Reads the Docker Compose projects that run on this host, finds which are one product in many copies, and writes the fleet: the product's files once, a short file for each instance, secrets encrypted. What runs wins over what the files say, and each difference is told before anything is written. No container and no file outside the fleet is changed; the next `escadre plan` adopts the instances as they run. A project of which there is no second copy is left alone unless it is named. `import swarm` does the same with the stacks of a Docker Swarm that this host's engine manages: services, configs, secrets by name, networks, labels and update policies become a Compose file; what means nothing on one host is told. A Swarm's containers cannot be adopted: the next `escadre plan` says, service by service, what will be otherwise, and waits until the stack is gone; then the instance is made with the volumes that are there."
        }
        "resume" => {
            "Goes on with a plan that was interrupted: what was begun is finished or undone first, then the instances that were not begun get their turn."
        }
        "rollback" => {
            "Brings instances back to their last healthy state that is another than what runs, or with `--to` to that of a plan: images, configuration, files and secrets as they were then, with the registry away, beside what runs where that is possible. Data stays as it is, and one-shots are not undone: both are said. Once back, an instance is held against what its files want now, until they change or `unhold`. Asked again it goes further back, never forward."
        }
        "diff" => {
            "What differs between two states of the same instances: the plans that left them behind are named as `history` shows them. Instances with the same differences are told together."
        }
        "restart" => {
            "Stops and starts services again in their own containers, dependencies first; requests wait meanwhile. What the files want does not matter here: nothing is updated. What does not run is started."
        }
        "start" => {
            "Starts services that do not run, in their own containers, as they were. Nothing is updated. With `--boot`, all that ran on this machine and was not stopped, from the record alone (docs/guides/boot.md)."
        }
        "stop" => {
            "Stops instances or services and keeps their containers; whoever asks the edge for them is told so. Files are not edited: the next plan shows `start`. What must last is written in the instance's file, `state: stopped`."
        }
        "status" => {
            "First what needs you, then counts, then the instances. `--check` prints one line and ends with exit code 4 while something needs you, for any monitoring. What could not be seen is unknown, never healthy and never absent."
        }
        "why" => {
            "Why is this instance as it is (`why larch`), where does every value of a service come from (`why larch/web`), in what do two instances differ (`why larch birch`)? The first sentence is the answer. Secrets are shown as keyed hashes only."
        }
        "drift" => {
            "What was changed by hand since the last apply. Exit code 4 when there is any, or when it cannot be told because something was not seen."
        }
        "history" => {
            "The receipts: when, which instance, which plan, how it ended, who asked, and what differed from the healthy state before it."
        }
        "logs" => {
            "What services say. `--plan` shows the logs of the containers of a plan, also those that failed and were removed. Control characters are shown as `?`, so that no log can move the cursor."
        }
        "ps" => {
            "The containers of the chosen instances, as the engine lists them. A container that carries our labels but is not on record is marked: the next plan adopts it."
        }
        "exec" => "Runs a command in a running container of a service, and ends with the command's exit code.",
        "doctor" => {
            "Looks at the machine without changing anything: the engine, its helpers, cgroups, limits, ports, the state folder. Whatever is not well comes with the command that mends it. Exit code 4 when something must be mended."
        }
        "hold" => {
            "Keeps an instance as it is until `unhold`, whatever its files say. The reason stands in every plan and status."
        }
        "unhold" => "Lifts a hold, also the one that was set because an update went back: the next plan tries again.",
        "adopt" => {
            "Takes over what runs already, and does nothing else: containers that docker compose made, and those of a lost state folder. Nothing is started, stopped, made or removed; what an instance wants besides is left for the next plan. With `--project`, the project is written into the instance's file first, with the names of its volumes."
        }
        "recover" => {
            "Rebuilds a lost state folder from the labels of what runs. Nothing that runs is touched. History, holds and the targets of a rollback are lost, and it says so."
        }
        "prune" => {
            "Makes room, as a plan: images, earlier values of secrets and earlier configuration that no kept state, no interrupted turn and no container needs, whatever fleet they belong to. Each instance keeps its last five healthy states; `--keep` gives up more of them. An image that others named keeps their names; volumes are never touched."
        }
        "new" => {
            "Begins a fleet, a product or an instance: it writes the files, generates the secrets that the product declares, and prints what it wrote. Nothing existing is overwritten, and an environment is never guessed."
        }
        "secret" => {
            "Secrets are encrypted one by one for the fleet's recipients and bound to their instance and name. A value is never an argument: it is asked for without echo, or read from standard input or a file."
        }
        "check" => {
            "Reads everything and says everything that is wrong, at once, with codes, places and hints. `--verdicts` also says what becomes of every Compose key (docs/reference/compose.md has them all). With `--strict`, a warning is an error, and so is a Compose key that is approximated or refused, unless it is acknowledged by code or path: `acknowledge: [C0102, services.web.logging]` in product.yaml, or below `x-escadre:` in the Compose file. Exit code 1 when there is an error."
        }
        "compose" => {
            "Prints the Compose model as Escadre reads it: files merged, variables filled in, short forms spelled out, defaults added."
        }
        "explain" => "The page of a code, shipped in the binary. Without a code, the list of all.",
        "schema" => {
            "JSON schemas of what `--json` prints and of the files people write. With `--out DIR` all of them, for editors."
        }
        "proxy" => {
            "The edge: it listens on the published ports, carries HTTP by host name and TCP by port, lets requests wait while a service is replaced, and lets open connections finish. It runs by itself when it is needed; `install` has systemd keep it and start it and the instances at boot, `upgrade` replaces its processes without an interruption (`up` does so for an older one)."
        }
        "trust" => {
            "Has this machine trust the local authority, which certifies private names: its root goes into the system's store and into those of Chromium and Firefox. `--show` and `--out` give the certificate to other machines, `--remove` takes it out again."
        }
        "completions" => "Prints the completion script of a shell.",
        "man" => "Writes the manual pages into a folder.",
        _ => return None,
    })
}

/// A verb's page.
fn page(verb: &mut clap::Command) -> String {
    let name = verb.get_name().to_owned();
    let words = paragraph(&name).unwrap_or_default();
    let mut out = format!("# escadre {name}\n\n{words}\n\n```\n{}```\n", help(verb));
    let subs: Vec<String> =
        verb.get_subcommands().filter(|sub| !sub.is_hide_set()).map(|sub| sub.get_name().to_owned()).collect();
    for sub in subs.iter().filter(|sub| *sub != "help") {
        if let Some(sub_command) = verb.find_subcommand_mut(sub) {
            out.push_str(&format!("\n## escadre {name} {sub}\n\n```\n{}```\n", help(sub_command)));
        }
    }
    out
}

/// The help, plain.
fn help(verb: &mut clap::Command) -> String {
    let text = verb.clone().term_width(100).render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

#[test]
fn every_verb_has_a_current_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/verbs");
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mut command = command();
    command.build();
    let names: Vec<String> =
        command.get_subcommands().map(|verb| verb.get_name().to_owned()).filter(|name| name != "help").collect();
    for name in &names {
        assert!(paragraph(name).is_some(), "{name} has no paragraph");
        let path = format!("{folder}/{name}.md");
        let text = page(command.find_subcommand_mut(name).unwrap());
        if update {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "{path} is not current: run the tests with UPDATE=1");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.iter().any(|name| file == format!("{name}.md")), "{file} belongs to no verb");
    }
}
