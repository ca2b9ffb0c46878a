//! Why a wiki cannot be used.

use std::time::Duration;

use crate::vocab::Period;
use crate::vocab::neutral::one_line;

/// Why a wiki cannot be used. What it says itself is made harmless here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WikiError {
    /// The address is none.
    #[error("`{url}` is not the address of a wiki: {why}")]
    BadAddress {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The password would travel in the clear.
    #[error("the password is not sent to {url}: the address is not https, so everyone on the way could read it")]
    InTheClear {
        /// The address.
        url: String,
    },
    /// No conversation came about.
    #[error("the wiki at {host} cannot be reached: {why}")]
    Unreachable {
        /// Whom nobody could reach.
        host: String,
        /// Why.
        why: String,
    },
    /// Whoever is there cannot prove to be the wiki.
    #[error("{host} could not prove who it is: {why}")]
    Untrusted {
        /// Who should have.
        host: String,
        /// Why not.
        why: String,
    },
    /// It sends elsewhere.
    #[error("the wiki answers with a redirect ({status}) to {to}")]
    Moved {
        /// The status.
        status: u16,
        /// Where it sends.
        to: String,
    },
    /// What answers is not the API.
    #[error("what answers is not the API of a MediaWiki: status {status}, {what}")]
    NotTheApi {
        /// The status.
        status: u16,
        /// What came instead.
        what: String,
    },
    /// It asked to wait, longer than we do.
    #[error("the wiki is busy: {why}{}", waited(.told.as_ref()))]
    Busy {
        /// What it said last.
        why: String,
        /// How long it wants to be left alone.
        told: Option<Duration>,
    },
    /// It must be logged in to, and there is nobody to log in as.
    #[error("the wiki wants a bot's name and password for this")]
    NoAccount,
    /// The name is a person's.
    #[error("`{user}` is no bot password's name: that is ACCOUNT@NAME")]
    NotABotPassword {
        /// The name that was given.
        user: String,
    },
    /// It knows no such name and password.
    #[error("the wiki refuses the login of {user}: {reason}")]
    Login {
        /// Who.
        user: String,
        /// What it says.
        reason: String,
    },
    /// It is logged in to, and forgets it.
    #[error("the wiki forgets that {user} is logged in")]
    SessionLost {
        /// Who.
        user: String,
    },
    /// The account may not do what must be done.
    #[error("{user} may not do this on the wiki: it lacks {}", .rights.join(", "))]
    Rights {
        /// Who.
        user: String,
        /// What it lacks.
        rights: Vec<&'static str>,
    },
    /// It would ignore against which revision an edit is made.
    #[error("the wiki is {generator}, which cannot be asked to keep other people's edits")]
    TooOld {
        /// Which it is.
        generator: String,
    },
    /// It does not want to.
    #[error("the wiki refuses ({code}): {info}")]
    Refused {
        /// The reason, for programs.
        code: String,
        /// The reason, in its words.
        info: String,
    },
    /// It answers something that makes no sense.
    #[error("the wiki's answer cannot be understood: {0}")]
    Answer(String),
}

fn waited(told: Option<&Duration>) -> String {
    told.map(|told| format!("; it wants to be left alone for {}", Period::new(*told))).unwrap_or_default()
}

impl WikiError {
    /// A refusal in the wiki's words.
    pub(super) fn refused(code: &str, info: &str) -> Self {
        Self::Refused { code: one_line(code), info: one_line(info) }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadAddress { .. } => {
                "give the address of its api.php, as Special:Version shows it: `--wiki https://wiki.example.org/w/api.php`"
            }
            Self::InTheClear { .. } => "give the wiki's https address",
            Self::Unreachable { .. } => {
                "is the address right, and can this machine reach it? Nothing is lost: start again"
            }
            Self::Untrusted { .. } => {
                "if its certificate is your own authority's, install that in the system's trust store, or name it in SSL_CERT_FILE"
            }
            Self::Moved { .. } => "if that is where the wiki is now, give that address",
            Self::NotTheApi { .. } => {
                "is this the address of its api.php, and is nothing in front of it that wants a login or a browser?"
            }
            Self::Busy { .. } => "try again later; what was published is not published again",
            Self::NoAccount => {
                "set RUNBOOK_WIKI_USER (ACCOUNT@NAME) and RUNBOOK_WIKI_PASSWORD, or give --password-file; Special:BotPasswords makes one"
            }
            Self::NotABotPassword { .. } => {
                "make a bot password at Special:BotPasswords, with high-volume access and the rights to edit and create pages"
            }
            Self::Login { .. } => {
                "it was tried once and is not tried again: a few wrong passwords lock the account. Make a new one at Special:BotPasswords"
            }
            Self::SessionLost { .. } => "is the bot password limited to other addresses, or was it revoked just now?",
            Self::Rights { .. } => {
                "the account must be in the group `bot`, and its bot password needs high-volume access and the rights to edit and create pages"
            }
            Self::TooOld { .. } => {
                "publishing needs MediaWiki 1.35 or newer; `runbook docs render --to mediawiki` gives the pages to paste"
            }
            Self::Refused { code, .. } => return refusal_hint(code),
            Self::Answer(_) => return None,
        })
    }

    /// Whether the command was given wrongly, rather than something having gone wrong.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::BadAddress { .. }
            | Self::InTheClear { .. }
            | Self::NoAccount
            | Self::NotABotPassword { .. }
            | Self::Login { .. }
            | Self::Rights { .. } => true,
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Moved { .. }
            | Self::NotTheApi { .. }
            | Self::Busy { .. }
            | Self::SessionLost { .. }
            | Self::TooOld { .. }
            | Self::Refused { .. }
            | Self::Answer(_) => false,
        }
    }

    /// Whether it says something about one page only, so that the others can be tried.
    pub(super) fn is_of_the_page(&self) -> bool {
        match self {
            // these hold for whatever is sent
            Self::Refused { code, .. } => !matches!(code.as_str(), "readonly" | "blocked" | "autoblocked"),
            Self::BadAddress { .. }
            | Self::InTheClear { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Moved { .. }
            | Self::NotTheApi { .. }
            | Self::Busy { .. }
            | Self::NoAccount
            | Self::NotABotPassword { .. }
            | Self::Login { .. }
            | Self::SessionLost { .. }
            | Self::TooOld { .. }
            | Self::Rights { .. }
            | Self::Answer(_) => false,
        }
    }
}

fn refusal_hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "protectedpage" | "cascadeprotected" | "protectedtitle" | "protectednamespace" => {
            "ask an administrator of the wiki to let the bot edit it: lower its protection, or grant the bot that right"
        }
        "readonly" => "the wiki's administrators have locked it; try again when they are done",
        "blocked" | "autoblocked" => "ask an administrator of the wiki why the bot is blocked",
        "contenttoobig" => "the page is longer than the wiki allows: cut the runbook in two",
        "permissiondenied" | "noedit" | "cantcreate" | "nocreate-loggedin" | "noedit-anon" => {
            "grant the bot password the rights to edit and create pages"
        }
        _ => return None,
    })
}
