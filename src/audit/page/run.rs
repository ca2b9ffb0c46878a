//! A run as one page: what it came to, what stands out, and everything that its record holds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::course::Course;
use super::glance;
use super::html::{Html, class};
use super::made::Made;
use super::output::{Outputs, Whole};
use super::steps::{self, Account, Chapters};
use super::timeline;
use super::verified::Verified;
use crate::audit::Kind;
use crate::event::{AskedWhat, Event, HostVerdict, Moment, Opened, Resumed, RunStatus};
use crate::report::story::Story;
use crate::report::style::Mark;
use crate::report::words::{ack_words, answer_words, asked_words};
use crate::report::{elapsed, outline, verdicts};
use crate::vocab::fold_hosts;

/// How many looks at one precondition are told each by itself.
const LOOKS: usize = 40;

/// A run's page, and what it is made from.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Its records.
    pub story: &'a Story,
    /// Whether a program is at it.
    pub running: bool,
    /// What could be proven of its record.
    pub proof: &'a Verified,
    /// Reads an output that is kept beside the journal.
    pub whole: Whole<'a>,
    /// When and from what the page is made.
    pub made: &'a Made,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("story", &self.story).field("proof", &self.proof).finish_non_exhaustive()
    }
}

impl Run<'_> {
    /// The page.
    ///
    /// Large outputs are on it up to a bound, which is said where it cuts; nothing else is left out but rows of very long
    /// tables.
    pub fn page(&self) -> String {
        let opened = self.story.opened();
        let title = opened.map_or("A run without a beginning", |opened| match opened.title.as_str() {
            "" => &opened.runbook,
            title => title,
        });
        let id = opened.map_or(String::new(), |opened| format!(" – run {}", opened.run));
        let account = Account::of(self.story);
        let sections = steps::sections(self.story, &account);
        let course = Course::of(self.story);
        let told =
            Chapters { story: self.story, account: &account, sections: &sections, course: &course, made: self.made };
        let mut outputs = Outputs::new(self.whole, opened.map(|opened| &opened.run));
        let mut html = Html::page(&format!("{title}{id}"));
        html.open("header", &[]).leaf("p", &[], "Report of a run").end("header");
        html.contents(&[
            ("glance", "At a glance"),
            ("timeline", "Timeline"),
            ("before", "Before it began"),
            ("steps", "Steps"),
            ("checks", "Checks"),
            ("course", "Course of the run"),
            ("end", "How it ended"),
            ("sources", "What it was made from"),
        ]);
        html.open("main", &[("id", "content"), ("tabindex", "-1")]);
        html.leaf("h1", &[], title).text("\n");
        self.head(&mut html, &course);
        html.heading("h2", "glance", "At a glance");
        glance::write(&mut html, &told);
        self.proof.write(&mut html);
        html.heading("h2", "timeline", "Timeline");
        let zone = self.made.zone_at(self.story.records().first().map_or(self.made.at, |(at, _)| *at));
        html.paragraph(&format!("Times are those of the admin host's clock, in {zone}."));
        timeline::write(&mut html, &told);
        html.heading("h2", "before", "Before it began");
        self.before(&mut html);
        html.heading("h2", "steps", "Steps");
        steps::write(&mut html, &told, &mut outputs);
        html.heading("h2", "checks", "Checks of the whole run");
        self.checks(&mut html);
        html.heading("h2", "course", "Course of the run");
        html.paragraph(
            "What was not one step on one host: locks, batches, pauses, questions, interruptions, in order.",
        );
        steps::events(&mut html, &account.run, &mut outputs, self.made, true);
        html.heading("h2", "end", "How it ended");
        self.stretches(&mut html);
        html.heading("h2", "sources", "What it was made from");
        self.sources(&mut html);
        html.end("main");
        let how = opened
            .map_or(String::new(), |opened| format!("The same as text: runbook audit show {} --output", opened.run));
        self.made.write(&mut html, &how);
        html.finish()
    }

    fn head(&self, html: &mut Html, course: &Course) {
        let (Some(state), Some(opened)) = (self.story.state(), self.story.opened()) else {
            html.paragraph("The record of this run has no beginning: nothing is known of who began it, and why.");
            return;
        };
        let kind = Kind::of(&state.status, self.running);
        let mark = mark(kind);
        html.open("p", &[("class", "outcome")]);
        html.open("strong", &[("class", badge(mark))]).mark(mark).text(kind.word()).close("strong");
        if opened.emergency {
            html.text(" ").leaf("strong", &[("class", "badge warning")], "EMERGENCY");
        }
        if !opened.changes {
            html.text(" ").leaf("strong", &[("class", "badge")], "only looks");
        }
        html.text(" ").text(&last_words(&state.status)).end("p");
        let operator = &opened.operator;
        let uid = operator.loginuid.map(|uid| format!(", login uid {uid}")).unwrap_or_default();
        let took = match state.stretches {
            0 | 1 => elapsed::short(course.now()),
            stretches => {
                let work = elapsed::short(course.at_work());
                format!("{work} at work, in {stretches} stretches; {} from first to last", elapsed::short(course.now()))
            }
        };
        let zone = elapsed::zone_name(state.opened_at, &self.made.zone);
        html.facts(&[
            ("Runbook", opened.runbook.clone()),
            ("Run", opened.run.to_string()),
            ("Who", outline::operator(operator, &opened.admin_host)),
            ("Known by", format!("{}; login user {}{uid}", operator.source, operator.login)),
            ("Why", opened.reason.clone().unwrap_or_else(|| "no reason was given".to_owned())),
            ("Began", format!("{} {zone}", self.made.stamp(state.opened_at))),
            ("Last record", format!("{} {zone}", self.made.stamp(state.last_at))),
            ("Took", took),
            ("Parameters", outline::params(opened)),
            ("Hosts", fold_hosts(opened.reached())),
            ("Plan", if opened.has_runbook() { opened.plan.short().to_owned() } else { String::new() }),
            ("Tool", format!("runbook {}", opened.version)),
        ]);
    }

    fn before(&self, html: &mut Html) {
        html.heading("h3", "preconditions", "Preconditions");
        let mut ids: Vec<&str> = Vec::new();
        for (_, event) in self.story.records() {
            if let Event::PreconditionJudged { id, moment, .. } = event
                && !matches!(moment, Moment::Step { .. })
                && !ids.contains(&id.as_str())
            {
                ids.push(id);
            }
        }
        for id in &ids {
            self.precondition(html, id);
        }
        if ids.is_empty() {
            html.paragraph("The run had none, or did not come to them.");
        }
        self.warnings(html);
        self.questions(html);
    }

    /// Every look at a precondition; where it came out the same many times in a row, that is one line.
    fn precondition(&self, html: &mut Html, wanted: &str) {
        let mut looks: Vec<Look> = Vec::new();
        let (mut demands, mut advice) = ("", None);
        for (at, event) in self.story.records() {
            let Event::PreconditionJudged { id, says, moment, verdicts, show, otherwise, .. } = event else { continue };
            if id != wanted || matches!(moment, Moment::Step { .. }) {
                continue;
            }
            (demands, advice) = (says, otherwise.as_deref());
            let short = verdicts::in_short(verdicts);
            match looks.last_mut() {
                Some(last) if last.short == short && last.holds == verdicts::hold(verdicts) => {
                    last.times += 1;
                    last.until = *at;
                }
                Some(_) | None => looks.push(Look {
                    at: *at,
                    until: *at,
                    times: 1,
                    moment,
                    holds: verdicts::hold(verdicts),
                    short,
                    verdicts,
                    show,
                }),
            }
        }
        html.open("h4", &[]).text(wanted).end("h4").paragraph(demands.trim());
        let more = looks.len().saturating_sub(LOOKS);
        for look in looks.iter().take(LOOKS) {
            let mark = if look.holds { Mark::Ok } else { Mark::Failed };
            let time = elapsed::time_of_day(look.at, &self.made.zone);
            html.open("p", &[("class", "look")]).leaf("span", &[("class", "time")], &time).mark(mark);
            let word = if look.holds { "held" } else { "did not hold" };
            html.leaf("strong", &[("class", class(mark.role()))], word);
            html.text(&format!(", {}", moment_words(look.moment)));
            if look.times > 1 {
                let until = elapsed::time_of_day(look.until, &self.made.zone);
                html.text(&format!("; the same {} times, until {until}", look.times));
            }
            html.end("p").lines(&verdicts::reasons(look.verdicts));
            let seen = look.verdicts.iter().filter_map(|one| one.observation.as_ref());
            steps::seen(html, &format!("What was seen for {wanted}"), seen, look.show, !look.holds);
        }
        if more > 0 {
            html.paragraph(&format!("… and {more} more looks: see the course of the run."));
        }
        if let Some(advice) = advice
            && looks.iter().any(|look| !look.holds)
        {
            html.leaf("p", &[("class", "note")], &format!("Its author says then: {}", advice.trim())).text("\n");
        }
        for (at, event) in self.story.records() {
            if let Event::PreconditionOverridden { id, how, reason } = event
                && id == wanted
            {
                let how = crate::report::words::override_words(*how);
                html.open("p", &[("class", "notice")]).mark(Mark::Warning).leaf("strong", &[], "Overridden");
                let time = elapsed::time_of_day(*at, &self.made.zone);
                html.text(&format!(" at {time} by {how}: {reason}")).end("p");
            }
        }
    }

    fn warnings(&self, html: &mut Html) {
        let mut acknowledged: BTreeMap<&str, &'static str> = BTreeMap::new();
        for (_, event) in self.story.records() {
            if let Event::WarningAcknowledged { id, how } = event {
                acknowledged.insert(id, ack_words(*how));
            }
        }
        let mut any = false;
        for (at, event) in self.story.records() {
            let Event::WarningShown { id, says, observed, typed } = event else { continue };
            if !any {
                html.heading("h3", "warnings", "Warnings");
                any = true;
            }
            html.open("h4", &[]).mark(Mark::Warning).text(id).end("h4").preformatted("told", says.trim());
            steps::seen(html, &format!("What {id} depends on"), observed, &[], true);
            let how = acknowledged.get(id.as_str()).copied().unwrap_or("never acknowledged");
            let typed = typed.as_ref().map(|text| format!("; the text to type was \"{text}\"")).unwrap_or_default();
            let time = elapsed::time_of_day(*at, &self.made.zone);
            html.paragraph(&format!("Shown at {time}: {how}{typed}."));
        }
    }

    fn questions(&self, html: &mut Html) {
        let mut asked: Vec<(&Timestamp, &AskedWhat, &str, Option<String>)> = Vec::new();
        for (at, event) in self.story.records() {
            if let Event::Asked { what, question } = event {
                asked.push((at, what, question, None));
            }
            if let Event::Answered { what, answer } = event {
                match asked.iter_mut().rev().find(|(_, before, _, answer)| *before == what && answer.is_none()) {
                    Some((.., open)) => *open = Some(answer_words(answer)),
                    None => asked.push((at, what, "", Some(answer_words(answer)))),
                }
            }
        }
        if asked.is_empty() {
            return;
        }
        html.heading("h3", "questions", "Questions");
        html.table_head("Questions to the operator", ["when", "about", "question", "answer"]);
        for (at, what, question, answer) in asked {
            let place = match what {
                AskedWhat::Start | AskedWhat::Warning { .. } => asked_words(what),
                AskedWhat::Manual { at } | AskedWhat::Failure { at } | AskedWhat::InDoubt { at } => {
                    format!("{at}: {}", asked_words(what))
                }
            };
            html.open("tr", &[]).leaf("td", &[], &elapsed::time_of_day(*at, &self.made.zone)).leaf("td", &[], &place);
            html.leaf("td", &[], if question.is_empty() { "not asked" } else { question })
                .leaf("td", &[], answer.as_deref().unwrap_or("none"))
                .end("tr");
        }
        html.table_end();
    }

    fn checks(&self, html: &mut Html) {
        let mut any = false;
        for (at, event) in self.story.records() {
            let Event::CheckJudged { at: None, says, verdicts, polls, took, .. } = event else { continue };
            any = true;
            let (mark, word) =
                if verdicts::hold(verdicts) { (Mark::Ok, "holds") } else { (Mark::Failed, "does not hold") };
            let time = elapsed::time_of_day(*at, &self.made.zone);
            html.open("p", &[("class", "look")]).leaf("span", &[("class", "time")], &time).mark(mark);
            html.leaf("strong", &[("class", class(mark.role()))], word).text(&format!(": {}", says.trim()));
            let looks = crate::report::words::count(usize::try_from(*polls).unwrap_or(usize::MAX), "look");
            html.text(&format!(" ({looks}, {})", elapsed::short(took.get()))).end("p");
            html.lines(&verdicts::reasons(verdicts));
            let seen = verdicts.iter().filter_map(|one| one.observation.as_ref());
            steps::seen(html, "What was seen", seen, &[], !verdicts::hold(verdicts));
        }
        if !any {
            html.paragraph("The run had none, or did not come to them.");
        }
    }

    fn stretches(&self, html: &mut Html) {
        html.table_head("Each stretch of the run", ["stretch", "who", "began", "last record", "ended"]);
        let mut stretch: Option<(usize, String, Timestamp)> = None;
        let mut last = None;
        let mut number = 0;
        let write = |html: &mut Html, (number, who, began): (usize, String, Timestamp), to: Timestamp, how: &str| {
            html.open("tr", &[]).leaf("td", &[("class", "number")], &number.to_string()).leaf("td", &[], &who);
            html.leaf("td", &[], &self.made.stamp(began)).leaf("td", &[], &self.made.stamp(to));
            html.leaf("td", &[], how).end("tr");
        };
        let died = "without a word: its program died";
        for (at, event) in self.story.records() {
            let begins = if let Event::Opened(opened) = event {
                Some(outline::operator(&opened.operator, &opened.admin_host))
            } else if let Event::Resumed(resumed) = event {
                Some(resumer(resumed))
            } else {
                None
            };
            if let Some(who) = begins {
                if let Some(open) = stretch.take() {
                    write(html, open, last.unwrap_or(*at), died);
                }
                number += 1;
                stretch = Some((number, who, *at));
            }
            if let Event::Stopped { exit, why } | Event::Ended { exit, why } = event
                && let Some(open) = stretch.take()
            {
                let over = if matches!(event, Event::Ended { .. }) { "ended" } else { "stopped, could be resumed" };
                write(html, open, *at, &format!("{over} (exit {exit}): {why}"));
            }
            last = Some(*at);
        }
        if let Some(open) = stretch {
            let how = if self.running { "its program is at work" } else { died };
            write(html, open, last.unwrap_or_default(), how);
        }
        html.table_end();
        if let Some(state) = self.story.state() {
            html.open("p", &[]).leaf("strong", &[], &last_words(&state.status)).end("p");
        }
    }

    fn sources(&self, html: &mut Html) {
        let Some(opened) = self.story.opened() else { return };
        let Opened { book, inventories, limit, texts, .. } = opened;
        html.facts(&[
            ("Book", book.clone()),
            ("Inventories", inventories.join(", ")),
            ("Limit", limit.clone().unwrap_or_default()),
            ("Plan's digest", if opened.has_runbook() { opened.plan.to_string() } else { String::new() }),
        ]);
        if texts.is_empty() {
            return;
        }
        html.open("details", &[]).leaf("summary", &[], "The texts it was made from, kept beside the journal by digest");
        html.table_head("Texts", ["text", "digest"]);
        for text in texts {
            html.open("tr", &[]).leaf("td", &[], &text.name).open("td", &[]);
            html.leaf("code", &[], text.digest.as_str()).close("td").end("tr");
        }
        html.table_end().end("details");
    }
}

/// Who resumed a run, and all that was said of it.
fn resumer(resumed: &Resumed) -> String {
    let who = outline::operator(&resumed.operator, &resumed.admin_host);
    let emergency = if resumed.emergency { ", EMERGENCY" } else { "" };
    let plan = if resumed.accepted_changes { ", with a changed plan" } else { "" };
    let why = resumed.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{who}{emergency}{plan}{why}")
}

struct Look<'a> {
    at: Timestamp,
    until: Timestamp,
    times: usize,
    moment: &'a Moment,
    holds: bool,
    short: String,
    verdicts: &'a [HostVerdict],
    show: &'a [String],
}

/// How a run stands, in a sign.
pub(super) fn mark(kind: Kind) -> Mark {
    match kind {
        Kind::Ok => Mark::Ok,
        Kind::Failed | Kind::NotWritten | Kind::Broken => Mark::Failed,
        Kind::InDoubt => Mark::Doubt,
        // nothing went wrong with what was done, and yet it is not what was wanted
        Kind::Refused | Kind::Declined | Kind::Locked | Kind::Interrupted | Kind::Died => Mark::Warning,
        Kind::Abandoned | Kind::Running => Mark::Left,
    }
}

fn badge(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "badge ok",
        Mark::Failed => "badge failed",
        Mark::Doubt => "badge doubt",
        Mark::Warning => "badge warning",
        Mark::Left => "badge",
    }
}

/// What was said last.
pub(super) fn last_words(status: &RunStatus) -> String {
    match status {
        RunStatus::Ended { exit: 0, why } => why.clone(),
        RunStatus::Ended { exit, why } => format!("{why} (exit {exit})"),
        RunStatus::Stopped { exit, why } => format!("{why} (exit {exit}); it can be resumed"),
        RunStatus::Abandoned { reason } => format!("abandoned: {reason}"),
        RunStatus::Open => "it still runs, or its program died".to_owned(),
    }
}

fn moment_words(moment: &Moment) -> String {
    match moment {
        Moment::Start => "before anything was changed".to_owned(),
        Moment::Waiting => "while it was waited for".to_owned(),
        Moment::Again => "once more before anything was changed".to_owned(),
        Moment::Resume => "when the run was resumed".to_owned(),
        Moment::Batch { step, batch } => format!("before batch {batch} of {step}"),
        Moment::Step { at } => format!("before {at}"),
    }
}
