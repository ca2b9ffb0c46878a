//! A person who follows a page: takes each command from the rendered text, goes to the host that it names, pastes it into
//! bash there, and looks at what the page says to look for. Knows nothing of the runbook but what a reader would.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use runbook::model::pattern::expand;

use super::lab::Lab;
use super::program::Ran;

/// A section of "By hand": a step, or what stands before and behind them all.
#[derive(Debug, Default)]
pub struct Section {
    pub heading: String,
    /// The hosts to go through one after the other, where it says so.
    pub one_by_one: Vec<String>,
    /// Whether each of them goes through the sections below, too, before the next begins.
    pub block: bool,
    /// Whether the page says to go on when it fails.
    pub goes_on: bool,
    pub commands: Vec<Pasted>,
}

/// A command on the page.
#[derive(Clone, Debug, Default)]
pub struct Pasted {
    /// What the page says of it in bold: what is demanded of it, or nothing.
    pub says: Vec<String>,
    /// Whether it stands behind "If it fails" or is a way back: nothing to do when all is well.
    pub in_trouble: bool,
    /// The section it stands in.
    pub step: String,
    /// Whether what it shows may leave the rest of its section out.
    pub leaves_out: bool,
    /// The user, when the page names one.
    pub user: Option<String>,
    /// Where it is pasted, one text for each host.
    pub texts: BTreeMap<String, String>,
}

/// The hosts in a text like `dfw-jobs{01,02}, dfw-mail01`.
pub fn hosts_in(text: &str) -> Vec<String> {
    let text = text.replace('\\', "");
    text.split(", ").flat_map(|word| expand(word.trim()).unwrap()).collect()
}

/// The sections of "By hand" of a Markdown page.
pub fn sections(page: &str) -> Vec<Section> {
    let by_hand = page.split_once("\n## By hand\n").expect("a page says how it goes by hand").1;
    let by_hand = by_hand.split("\n## ").next().unwrap();
    let mut out = vec![Section::default()];
    let mut lines = by_hand.lines();
    let mut says = String::new();
    let mut in_trouble = false;
    let mut place: Option<(Option<String>, Vec<String>)> = None;
    let mut whose: Option<Vec<String>> = None;
    let mut leaves_out = false;
    while let Some(line) = lines.next() {
        let section = out.last_mut().unwrap();
        if let Some(heading) = line.strip_prefix("### ").or_else(|| line.strip_prefix("#### ")) {
            out.push(Section { heading: heading.to_owned(), ..Section::default() });
            (says, in_trouble, whose) = (String::new(), false, None);
        } else if line.starts_with("**If it fails:**") || line.starts_with("To undo it") {
            in_trouble = true;
            section.goes_on |= line.starts_with("**If it fails:** go on");
        } else if line.starts_with("Leave the step out on a host where this is so already") {
            leaves_out = true;
        } else if let Some(bold) = line.strip_prefix("**").and_then(|line| line.strip_suffix("**")) {
            says = bold.replace('\\', "");
        } else if line.starts_with("Begin with a host that is well only while") {
            line.split('.').next().unwrap().clone_into(&mut says);
        } else if line.contains(", one host at a time") {
            section.one_by_one = hosts_in(line.strip_prefix("On ").unwrap().split(", one host").next().unwrap());
        } else if line.starts_with("It is so when")
            && let Some(look) = section.commands.last_mut()
            && (look.says.is_empty() || !says.is_empty())
        {
            // of a look that stands there already; a step that only looks goes by its own name
            let own = section.heading.split_once(". ").map(|(_, name)| name.to_owned());
            look.says.push(if says.is_empty() { own.unwrap() } else { std::mem::take(&mut says) });
        } else if line.starts_with("On each host go through all that follows") {
            section.block = true;
        } else if let Some(host) = line.strip_prefix("For ").and_then(|line| line.strip_suffix(':')) {
            whose = Some(hosts_in(&host.replace("the admin host", "here")));
        } else if let Some(caption) = line.strip_prefix('*').and_then(|line| line.strip_suffix(":*")) {
            place = Some(place_in(caption));
        } else if line.starts_with("As ") && line.ends_with("its own line:") {
            place = Some((line.strip_prefix("As ").unwrap().split(' ').next().map(str::to_owned), Vec::new()));
        } else if line.starts_with("On the admin host") && line.ends_with("the line for each host:") {
            place = Some((None, Vec::new()));
        } else if line == "| On | Command |" || line == "| For | Command |" {
            let (user, _) = place.take().expect("a place above a table");
            let for_others = line.starts_with("| For");
            lines.next();
            let mut texts = BTreeMap::new();
            for row in lines.by_ref().take_while(|row| row.starts_with('|')) {
                let (hosts, code) = row.trim_matches(['|', ' ']).split_once(" | ").unwrap();
                let code = code.trim().trim_matches('`').replace("\\|", "|");
                hosts_in(hosts).into_iter().for_each(|host| drop(texts.insert(host, code.clone())));
            }
            let user = if for_others { Some("here".to_owned()) } else { user };
            let says: Vec<String> =
                Some(std::mem::take(&mut says)).filter(|says| !says.is_empty()).into_iter().collect();
            let step = section.heading.clone();
            section.commands.push(Pasted { says, in_trouble, step, leaves_out, user, texts });
            leaves_out = false;
        } else if let Some(fence) = line.strip_suffix("sh").filter(|fence| fence.starts_with("```")) {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != fence).collect();
            let (user, mut hosts) = place.take().expect("a place above a command");
            let mut user = user;
            // several of the same command, each for its own hosts
            if let Some(whose) = whose.take() {
                (user, hosts) = (Some("here".to_owned()), whose);
            }
            let texts: BTreeMap<String, String> = hosts.into_iter().map(|host| (host, text.join("\n"))).collect();
            match section.commands.last_mut() {
                Some(last) if says.is_empty() && !last.texts.keys().any(|host| texts.contains_key(host)) => {
                    last.texts.extend(texts);
                }
                _ => {
                    let says: Vec<String> =
                        Some(std::mem::take(&mut says)).filter(|says| !says.is_empty()).into_iter().collect();
                    let step = section.heading.clone();
                    section.commands.push(Pasted { says, in_trouble, step, leaves_out, user, texts });
                }
            }
            leaves_out = false;
        }
    }
    // what stands in a block is done as one
    let mut whole: Vec<Section> = Vec::new();
    for section in out {
        let number = |section: &Section| section.heading.split(' ').next().unwrap().to_owned();
        match whole.last_mut() {
            Some(block) if block.block && number(&section).starts_with(&number(block)) => {
                block.commands.extend(section.commands);
            }
            _ => whole.push(section),
        }
    }
    whole.retain(|section| !section.commands.is_empty());
    whole
}

/// `As root on dfw-jobs{01,02}`, `On the admin host, in the book's folder`.
fn place_in(caption: &str) -> (Option<String>, Vec<String>) {
    let caption = caption.replace('\\', "");
    if caption.starts_with("On the admin host") {
        return (Some("here".to_owned()), vec!["here".to_owned()]);
    }
    match caption.strip_prefix("As ").and_then(|rest| rest.split_once(" on ")) {
        Some((user, hosts)) => (Some(user.to_owned()), hosts_in(hosts)),
        None => (None, hosts_in(caption.strip_prefix("On ").unwrap())),
    }
}

/// Whoever pastes: into bash on the lab's hosts, or here in the book's folder.
pub struct Person<'a> {
    pub lab: &'a Lab,
    pub book: PathBuf,
    /// What is typed when a secret is asked for.
    pub secret: String,
    /// Of the connections that are kept.
    pub sockets: tempfile::TempDir,
}

impl Person<'_> {
    /// Pastes a command for `host` and waits for its end.
    pub fn paste(&self, command: &Pasted, host: &str) -> Ran {
        let text = &command.texts[host];
        // what is asked for is typed where it is asked for
        let typed: String = text
            .lines()
            .map(|line| {
                let asked = line.starts_with("read -rsp ");
                let answer = if asked { format!("{}\n", self.secret) } else { String::new() };
                format!("{line}\n{answer}")
            })
            .collect();
        // a terminal's bash has a history, for which `!` means something
        let bash = ["bash", "--norc", "-o", "history", "-o", "histexpand", "-s"];
        let mut shell = if command.user.as_deref() == Some("here") {
            let mut shell = Command::new(bash[0]);
            shell.args(&bash[1..]).current_dir(&self.book);
            shell
        } else {
            let mut shell = Command::new("ssh");
            shell.arg("-F").arg(self.lab.ssh_config());
            // a person stays logged in
            let socket = format!("ControlPath={}/%C", self.sockets.path().display());
            shell.args(["-o", "ControlMaster=auto", "-o", &socket, "-o", "ControlPersist=3"]);
            shell.args(command.user.iter().flat_map(|user| ["-l", user])).arg(host).arg(bash.join(" "));
            shell
        };
        // a connection that is kept holds its stderr open: a pipe would not end with the command
        let errors = tempfile::NamedTempFile::new_in(self.sockets.path()).unwrap();
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors.reopen().unwrap());
        let mut child = shell.spawn().expect("a shell");
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        Ran { stderr: std::fs::read_to_string(errors.path()).unwrap(), ..ran }
    }

    /// Goes through a section: host by host where it says so. `well` judges each look that demands something; it is given
    /// what is demanded, the host, and what was seen there.
    pub fn follow(&self, section: &Section, well: &dyn Fn(&str, &str, &Ran) -> bool) {
        let in_order: Vec<&Pasted> = section.commands.iter().filter(|command| !command.in_trouble).collect();
        let rounds: Vec<Option<&String>> = match section.one_by_one.as_slice() {
            [] => vec![None],
            hosts => hosts.iter().map(Some).collect(),
        };
        let mut left_out: BTreeSet<(&str, &str)> = BTreeSet::new();
        for round in rounds {
            for command in &in_order {
                let on: Vec<&String> = match round {
                    Some(host) if command.texts.contains_key(host) && !begins(command) => vec![host],
                    _ => command.texts.keys().collect(),
                };
                for host in on {
                    if left_out.contains(&(&*command.step, &**host)) {
                        continue;
                    }
                    if command.leaves_out {
                        let ran = self.paste(command, host);
                        if well(&command.says[0], host, &ran) {
                            left_out.insert((&command.step, host));
                        } else {
                            // the same look may have to tell more, where the step is not left out
                            let more = &command.says[1..];
                            assert!(more.iter().all(|says| well(says, host, &ran)), "{host}: {more:?}: {ran:?}");
                        }
                        continue;
                    }
                    self.until_well(command, host, section.goes_on, well);
                }
            }
        }
    }

    fn until_well(&self, command: &Pasted, host: &str, may_fail: bool, well: &dyn Fn(&str, &str, &Ran) -> bool) {
        let mut last = String::new();
        for _ in 0..60 {
            let ran = self.paste(command, host);
            if command.says.is_empty() {
                assert!(may_fail || ran.code == 0, "{host}: {}: {ran:?}", command.texts[host]);
                return;
            }
            if command.says.iter().all(|says| well(says, host, &ran)) {
                return;
            }
            last = format!("{ran:?}");
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{host}: {:?} does not become so: {last}", command.says);
    }
}

/// Whether a look is at the others of its step.
fn begins(command: &Pasted) -> bool {
    command.says.first().is_some_and(|says| says.starts_with("Begin"))
}
