//! Probes.

use std::sync::Arc;

use super::Lowering;
use super::command::{PROGRAMS, origin};
use crate::model::{LookSpec, Probe, TcpSpec};
use crate::source::decode::Place;
use crate::source::raw::CountText;
use crate::source::raw::probe::{RawLook, RawNoAnswer, RawProbe, RawProbeRef, RawTcp};
use crate::vocab::Period;
use crate::vocab::observation::NoReply;

/// The keys that say how a probe looks.
pub(super) const LOOKS: &[&str] = &["run", "command", "script", "tcp", "http"];
/// The keys that belong to one.
pub(super) const LOOK_DETAILS: &[&str] = &[
    "hosts", "stdin", "env", "sudo", "parse", "show", "exits", "answers", "timeout", "run", "command", "script", "tcp",
    "http",
];

impl Lowering<'_> {
    /// The probe `raw` under the name `name`.
    pub(super) fn probe(&self, name: &str, raw: &RawProbe) -> Option<Arc<Probe>> {
        let summary = raw.summary.as_ref().map(|prose| prose.0.text.trim().to_owned()).unwrap_or_default();
        self.look(name, summary, &raw.look, &raw.place)
    }

    /// A probe that is named, or stands in its place as `name`.
    pub(super) fn probe_ref(&self, raw: &RawProbeRef, name: &str) -> Option<Arc<Probe>> {
        match raw {
            RawProbeRef::Inline(probe) => self.probe(name, probe),
            RawProbeRef::Name(ident) => {
                let known = &ident.0.text;
                if let Some(probe) = self.own.get(known).or_else(|| self.shared.get(known)) {
                    return probe.clone();
                }
                let names: Vec<&str> = self.own.keys().chain(self.shared.keys()).map(String::as_str).collect();
                let found = self.cx.error("unknown-probe", &ident.0.span, format!("there is no probe `{known}`"));
                let list = match names.as_slice() {
                    [] => "the runbook has no `probes:`".to_owned(),
                    names => format!("the probes are: {}", names.join(", ")),
                };
                self.cx.report(found.help(list).did_you_mean(known, &names));
                None
            }
        }
    }

    /// A probe made of `look`, whose keys stand in `place`.
    pub(super) fn look(&self, name: &str, summary: String, look: &RawLook, place: &Place) -> Option<Arc<Probe>> {
        let parse = look.parse.as_ref().map(|raw| self.parse(raw));
        let hosts = look.hosts.as_ref().and_then(|words| self.cx.hosts(words));
        // columns that could not be read are not missing
        let show = match &parse {
            Some(None) => Vec::new(),
            Some(Some(parse)) => self.shown(&look.show, Some(parse)),
            None if place.key("parse").is_some() => Vec::new(),
            None => self.shown(&look.show, None),
        };
        let mut exits = Vec::new();
        for exit in look.exits.iter().flat_map(|exits| &exits.items) {
            match i32::try_from(exit.number) {
                Ok(number @ 0..=255) => exits.push(number),
                Ok(_) | Err(_) => {
                    self.cx.fault("wrong-type", &exit.span, format!("`{}` is no exit status", exit.number));
                }
            }
        }
        let key = self.one_of(place, LOOKS, "a probe")?;
        let unread = matches!(parse, Some(None)) || (parse.is_none() && place.key("parse").is_some());
        if !PROGRAMS.contains(&key) {
            self.refuse(place, &["stdin", "env", "sudo", "exits"], &format!("beside `{key}`"), "");
        }
        if key != "tcp" {
            self.refuse(place, &["answers"], &format!("beside `{key}`"), "");
        }
        let answers = look.answers.iter().flat_map(|answers| &answers.items).map(|answer| match answer {
            RawNoAnswer::Refused => NoReply::Refused,
            RawNoAnswer::TimedOut => NoReply::TimedOut,
            RawNoAnswer::Closed => NoReply::Closed,
        });
        let answers = answers.collect();
        let spec = match key {
            "tcp" => LookSpec::Tcp(self.tcp(look.tcp.as_ref()?)?),
            "http" => {
                let http = look.http.as_ref()?;
                if let Some(span) = http.place.key("status") {
                    let found = self.cx.error("misplaced-key", span, "a probe takes any status for an answer");
                    self.cx.report(found.help("write `expect: status == 200`"));
                }
                LookSpec::Http(self.http(http, "GET")?)
            }
            _ => LookSpec::Run(self.program(&look.program, key, place)?),
        };
        // a probe whose columns are not known would only give rise to more complaints
        if unread {
            return None;
        }
        Some(Arc::new(Probe {
            name: name.to_owned(),
            shared: self.is_book,
            summary,
            hosts,
            look: spec,
            parse: parse.flatten(),
            exits: if exits.is_empty() { vec![0] } else { exits },
            answers,
            timeout: look.timeout.as_ref().map_or(Period::seconds(10), |length| length.period),
            show,
            location: self.cx.location(&place.head()),
        }))
    }

    fn tcp(&self, raw: &RawTcp) -> Option<TcpSpec> {
        let CountText(port) = &raw.port;
        if !port.text.contains("${{") && !port.text.parse::<u16>().is_ok_and(|port| port > 0) {
            self.cx.fault("wrong-type", &port.span, format!("`{}` is no port", port.text));
        }
        Some(TcpSpec {
            from: origin(raw.from),
            to: self.cx.maybe_template(raw.to.as_ref()),
            send: self.cx.maybe_template(raw.send.as_ref()),
            until: self.cx.maybe_template(raw.until.as_ref()),
            port: self.cx.template(port)?,
        })
    }
}
