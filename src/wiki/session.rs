//! Who is logged in, and asking until there is an answer.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::address::Address;
use super::error::WikiError;
use super::http::{Failure, Http, Reply};
use super::retry::Patience;
use crate::vocab::masking::Masker;
use crate::vocab::neutral::one_line;
use crate::vocab::{Period, Secret};

/// What is sent: names and values.
pub(super) type Form = Vec<(&'static str, String)>;

/// How many times a session is made anew before it is given up.
const LOGINS: usize = 3;

/// Whom the program is on the wiki.
#[derive(Clone, Debug)]
pub struct Account {
    user: String,
    password: Secret,
}

impl Account {
    /// A bot password: its name is `ACCOUNT@NAME`. A person's own name is refused, since it opens everything.
    pub fn new(user: &str, password: Secret) -> Result<Self, WikiError> {
        let good = user.split_once('@').is_some_and(|(account, name)| !account.is_empty() && !name.is_empty());
        if !good {
            return Err(WikiError::NotABotPassword { user: user.to_owned() });
        }
        Ok(Self { user: user.to_owned(), password })
    }
}

/// A wiki, and a session there.
pub struct Wiki {
    http: Http,
    account: Option<Account>,
    masker: Masker,
    waiting: Box<dyn Fn(&str) + Send + Sync>,
    /// The mark that edits carry, from the session.
    pub(super) token: Option<String>,
    is_in: bool,
    logins: usize,
    has_answered: bool,
}

/// Why a request has no answer.
pub(super) enum Setback {
    /// Nothing came of it, surely.
    Undone(WikiError, Option<Duration>),
    /// Nobody knows whether something came of it.
    Lost(WikiError, Option<Duration>),
    /// The wiki does not know us any more.
    Forgotten,
    /// It says no, or there is no use in going on.
    Final(WikiError),
}

impl Wiki {
    /// The wiki at `address`, to be read; with an account, to be written too. `waiting` is told why it takes long.
    pub fn new(
        address: Address,
        account: Option<Account>,
        waiting: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, WikiError> {
        if account.is_some() && !address.is_private() {
            return Err(WikiError::InTheClear { url: address.to_string() });
        }
        let masker = account.as_ref().map_or_else(Masker::none, |account| Masker::new([account.password.expose()]));
        Ok(Self {
            http: Http::new(address),
            account,
            masker,
            waiting: Box::new(waiting),
            token: None,
            is_in: false,
            logins: 0,
            has_answered: false,
        })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        self.http.address()
    }

    /// Whether it is logged in to.
    pub(super) fn is_in(&self) -> bool {
        self.is_in
    }

    /// Whom the program is on the wiki; empty for nobody.
    pub(super) fn user(&self) -> &str {
        self.account.as_ref().map_or("", |account| &account.user)
    }

    /// Logs in, once: a wrong password is not tried again.
    pub(super) async fn log_in(&mut self) -> Result<(), WikiError> {
        let Some(account) = self.account.clone() else { return Err(WikiError::NoAccount) };
        self.logins += 1;
        self.is_in = false;
        self.token = None;
        let query = vec![("action", "query".to_owned()), ("meta", "tokens".to_owned()), ("type", "login".to_owned())];
        let mut patience = Patience::default();
        let mut lost = false;
        let answer = loop {
            self.http.forget();
            let answer = self.persist(&query, &mut patience).await.map_err(|error| self.ended(error))?;
            let token = text(&answer["query"]["tokens"]["logintoken"])?;
            let form = vec![
                ("action", "login".to_owned()),
                ("lgname", account.user.clone()),
                ("lgpassword", account.password.expose().to_owned()),
                ("lgtoken", token),
            ];
            match self.once(&form).await {
                Ok(answer) => break answer,
                Err(Setback::Undone(error, told)) => self.wait(error, told, &mut patience).await?,
                // whether a wrong password was counted is not known: it is sent once more, and no more
                Err(Setback::Lost(error, told)) if !lost => {
                    lost = true;
                    self.wait(error, told, &mut patience).await?;
                }
                Err(setback) => return Err(self.ended(setback)),
            }
        };
        if answer["login"]["result"] == "Success" {
            self.is_in = true;
            return Ok(());
        }
        let reason = match &answer["login"] {
            login if login["reason"].is_string() => login["reason"].as_str().unwrap_or_default().to_owned(),
            login => login["result"].as_str().unwrap_or("no reason given").to_owned(),
        };
        Err(WikiError::Login { user: account.user, reason: self.masker.mask(&one_line(&reason)) })
    }

    /// Asks what changes nothing, until there is an answer.
    pub(super) async fn ask(&mut self, form: &Form) -> Result<Value, WikiError> {
        let mut patience = Patience::default();
        loop {
            match self.persist(form, &mut patience).await {
                Ok(answer) => return Ok(answer),
                Err(Setback::Final(WikiError::Refused { code, .. })) if code == "readapidenied" && !self.is_in => {
                    self.log_in().await?;
                }
                Err(Setback::Forgotten) => self.log_in_again().await?,
                Err(setback) => return Err(self.ended(setback)),
            }
        }
    }

    /// A session in place of one that ended.
    pub(super) async fn log_in_again(&mut self) -> Result<(), WikiError> {
        if self.logins >= LOGINS {
            return Err(WikiError::SessionLost { user: self.user().to_owned() });
        }
        self.log_in().await
    }

    /// Waits after a request of which nothing came, or gives it up.
    pub(super) async fn wait(
        &self,
        error: WikiError,
        told: Option<Duration>,
        patience: &mut Patience,
    ) -> Result<(), WikiError> {
        let Some(pause) = patience.next(told) else { return Err(error) };
        if pause >= Duration::from_secs(1) {
            (self.waiting)(&format!("{error}; trying again in {}", Period::new(pause)));
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Sends until there is an answer, or a setback that waiting does not mend.
    async fn persist(&mut self, form: &Form, patience: &mut Patience) -> Result<Value, Setback> {
        loop {
            match self.once(form).await {
                Err(Setback::Undone(error, told) | Setback::Lost(error, told)) => {
                    self.wait(error, told, patience).await.map_err(Setback::Final)?;
                }
                other => return other,
            }
        }
    }

    fn ended(&self, setback: Setback) -> WikiError {
        match setback {
            Setback::Undone(error, _) | Setback::Lost(error, _) | Setback::Final(error) => error,
            Setback::Forgotten => WikiError::SessionLost { user: self.user().to_owned() },
        }
    }

    /// Sends it once.
    pub(super) async fn once(&mut self, form: &Form) -> Result<Value, Setback> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("format", "json").append_pair("formatversion", "2").append_pair("maxlag", "5");
        if self.is_in && !form.iter().any(|(name, _)| *name == "assert") {
            body.append_pair("assert", "user");
        }
        for (name, value) in form {
            body.append_pair(name, value);
        }
        let reply = match self.http.post(body.finish()).await {
            Ok(reply) => reply,
            // an address that never answered is wrong, more likely than not
            Err(Failure::Connecting(error)) if !self.has_answered => return Err(Setback::Final(error)),
            Err(Failure::Connecting(error)) => return Err(Setback::Undone(error, None)),
            Err(Failure::Before(why)) => return Err(Setback::Undone(self.unreachable(why), None)),
            Err(Failure::After(why)) => return Err(Setback::Lost(self.unreachable(why), None)),
        };
        let answer = self.read(&reply)?;
        self.has_answered = true;
        Ok(answer)
    }

    fn unreachable(&self, why: String) -> WikiError {
        WikiError::Unreachable { host: self.address().authority(), why }
    }

    fn read(&self, reply: &Reply) -> Result<Value, Setback> {
        let told = retry_after(&reply.headers);
        let busy = |why: String| WikiError::Busy { why, told };
        match reply.status {
            200 => {}
            429 => return Err(Setback::Undone(busy("too many requests (429)".to_owned()), told)),
            status @ (500 | 502 | 503 | 504) => {
                return Err(Setback::Lost(busy(format!("it answers with status {status}")), told));
            }
            status @ 300..400 => {
                let to = reply.headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
                let to = one_line(&to.unwrap_or_else(|| "nowhere".to_owned()));
                return Err(Setback::Final(WikiError::Moved { status, to }));
            }
            _ => return Err(Setback::Final(not_the_api(reply))),
        }
        let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else {
            return Err(Setback::Final(not_the_api(reply)));
        };
        if !answer.is_object() {
            return Err(Setback::Final(not_the_api(reply)));
        }
        let Some(code) = answer["error"]["code"].as_str() else { return Ok(answer) };
        let said = |name: &str| answer["error"][name].as_str().unwrap_or_default();
        let why =
            if said("readonlyreason").is_empty() { String::new() } else { format!(" ({})", said("readonlyreason")) };
        let info = self.masker.mask(&one_line(&format!("{}{why}", said("info"))));
        Err(match code {
            "maxlag" | "ratelimited" => Setback::Undone(busy(format!("{info} ({code})")), told),
            // a new session mends these; without one they are about something else
            "assertuserfailed" | "assertbotfailed" | "assertnameduserfailed" | "badtoken" | "notloggedin"
                if self.is_in =>
            {
                Setback::Forgotten
            }
            code if code.starts_with("internal_api_error") => {
                Setback::Lost(busy(format!("{info} ({})", one_line(code))), told)
            }
            code => Setback::Final(WikiError::refused(code, &info)),
        })
    }
}

/// What stands at a place of an answer where a text must be.
pub(super) fn text(value: &Value) -> Result<String, WikiError> {
    value.as_str().map(str::to_owned).ok_or_else(|| WikiError::Answer("a text is missing in it".to_owned()))
}

fn not_the_api(reply: &Reply) -> WikiError {
    let kind = reply.headers.get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let begins: String = String::from_utf8_lossy(&reply.body).trim_start().chars().take(60).collect();
    let kind = kind.unwrap_or_else(|| "no type".to_owned());
    WikiError::NotTheApi { status: reply.status, what: one_line(&format!("{kind}, `{}…`", begins.trim_end())) }
}

/// How long the wiki wants to be left alone. A date is not read: no MediaWiki writes one.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
