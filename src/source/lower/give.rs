//! What is given for an answer: whether it fits what asks for it.

use super::known::Manner;
use super::scenario::Naming;
use crate::model::scenario::{Addressee, Answered, Give, Trouble};
use crate::source::raw::Whole;
use crate::source::raw::scenario::{RawFault, RawGive, Text};
use crate::vocab::Period;
use crate::vocab::observation::NoReply;

/// The keys that speak of each manner.
const KEYS: [(Manner, &[&str]); 3] = [
    (Manner::Command, &["exit", "stdout", "stderr"]),
    (Manner::Http, &["status", "headers", "body"]),
    (Manner::Tcp, &["reply"]),
];

impl Naming<'_> {
    /// One answer to calls of this manner, where that is known.
    pub(super) fn give(&self, raw: &RawGive, to: &Addressee, manner: Option<Manner>) -> Option<Give> {
        let trouble = raw.fault.map(trouble);
        if *to == Addressee::Host && trouble != Some(Trouble::Unreachable) {
            let found = self.cx.error("missing-key", &raw.place.head(), "everything on a host cannot be answered so");
            self.cx
                .report(found.help("say which calls with `to:` or `run:`; or the host is away: `fault: unreachable`"));
            return None;
        }
        let written = KEYS.iter().find(|(_, keys)| !raw.place.present(keys).is_empty()).map(|(manner, _)| *manner);
        let manner = manner.or(written).unwrap_or(Manner::Command);
        for (other, keys) in KEYS.iter().filter(|(other, _)| *other != manner) {
            for (key, span) in raw.place.present(keys) {
                let message = format!("`{key}` does not belong to what {}", manner.words());
                let found = self.cx.error("misplaced-key", span, message);
                let own = KEYS.iter().find(|(known, _)| *known == manner).map_or(&[][..], |(_, keys)| keys);
                self.cx.report(found.help(format!("it has: {}; `{key}` is of what {}", own.join(", "), other.words())));
            }
        }
        if let (Some(Trouble::Conversation(_)), Manner::Command, Some(span)) = (trouble, manner, raw.place.key("fault"))
        {
            let found = self.cx.error("misplaced-key", span, "only a TCP or HTTP conversation can fail so");
            self.cx.report(found.help("a host that is away is `unreachable`"));
        }
        Some(Give {
            answer: self.answered(raw, manner),
            fault: trouble,
            reason: raw.reason.as_ref().map(|word| word.text.clone()),
            took: raw.took.as_ref().map_or(Period::ZERO, |length| length.period),
        })
    }

    fn answered(&self, raw: &RawGive, manner: Manner) -> Answered {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone()).unwrap_or_default();
        match manner {
            Manner::Command => Answered::Command {
                exit: raw.exit.as_ref().map_or(0, |exit| i32::from(self.small(exit, 255, "exit status"))),
                stdout: text(&raw.stdout),
                stderr: text(&raw.stderr),
            },
            Manner::Http => Answered::Http {
                status: raw.status.as_ref().map_or(200, |status| self.small(status, 599, "HTTP status")),
                headers: raw
                    .headers
                    .entries
                    .iter()
                    .filter_map(|entry| Some((entry.name.to_ascii_lowercase(), entry.value.as_ref()?.text.clone())))
                    .collect(),
                body: text(&raw.body),
            },
            Manner::Tcp => Answered::Tcp { reply: text(&raw.reply) },
        }
    }

    fn small(&self, whole: &Whole, most: u16, what: &str) -> u16 {
        match u16::try_from(whole.number) {
            Ok(number) if number <= most => number,
            Ok(_) | Err(_) => {
                self.cx.fault("wrong-type", &whole.span, format!("`{}` is no {what}", whole.number));
                0
            }
        }
    }
}

fn trouble(raw: RawFault) -> Trouble {
    match raw {
        RawFault::Drop => Trouble::Drop,
        RawFault::Lost => Trouble::Lost,
        RawFault::Unreachable | RawFault::Refuse => Trouble::Unreachable,
        RawFault::NotStarted => Trouble::NotStarted,
        RawFault::Crash => Trouble::Crash,
        RawFault::Timeout => Trouble::Timeout,
        RawFault::Refused => Trouble::Conversation(NoReply::Refused),
        RawFault::Closed => Trouble::Conversation(NoReply::Closed),
        RawFault::Prohibited => Trouble::Conversation(NoReply::Prohibited),
        RawFault::NoRoute => Trouble::Conversation(NoReply::NoRoute),
        RawFault::Protocol => Trouble::Conversation(NoReply::Protocol),
    }
}
