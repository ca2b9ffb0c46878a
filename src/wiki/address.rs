//! Where a wiki is.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

use super::error::WikiError;

/// The address of a wiki's `api.php`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// The folder of `api.php`, with a slash at its end.
    folder: String,
}

impl Address {
    /// Reads the address of `api.php`, of the folder it is in, or of any page that `index.php` shows.
    pub fn parse(text: &str) -> Result<Self, WikiError> {
        let bad = |why: &str| WikiError::BadAddress { url: text.to_owned(), why: why.to_owned() };
        let uri: Uri = text.trim().parse().map_err(|_| bad("it is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(bad("it begins with neither `https://` nor `http://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            // not shown: what stands before the @ may be a password
            let why = "it has a user in it; the bot's name and password are given apart".to_owned();
            return Err(WikiError::BadAddress { url: "…".to_owned(), why });
        }
        let path = uri.path();
        let end = ["/api.php", "/index.php"].iter().filter_map(|script| path.find(script)).min();
        let mut folder = end.map_or(path, |end| &path[..end]).trim_end_matches('/').to_owned();
        folder.push('/');
        Ok(Self {
            tls,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            folder,
        })
    }

    /// Whether what is sent there can be read by nobody on the way.
    pub(super) fn is_private(&self) -> bool {
        let here = self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        self.tls || here
    }

    /// The path of `api.php`.
    pub(super) fn api(&self) -> String {
        format!("{}api.php", self.folder)
    }

    /// What a request's `Host` says.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Where a person reads a page.
    pub fn page(&self, title: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("title", &title.replace(' ', "_"));
        // these two may stand as they are, and are read more easily so
        let query = query.finish().replace("%3A", ":").replace("%2F", "/");
        format!("{}index.php?{query}", self.base())
    }

    fn base(&self) -> String {
        format!("{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.folder)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}api.php", self.base())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiki_goes_by_any_of_its_addresses() {
        for (text, api) in [
            ("https://wiki.example.org/w/api.php", "https://wiki.example.org/w/api.php"),
            ("https://wiki.example.org/w/", "https://wiki.example.org/w/api.php"),
            ("https://wiki.example.org/w", "https://wiki.example.org/w/api.php"),
            (" https://wiki.example.org ", "https://wiki.example.org/api.php"),
            ("https://wiki.example.org/wiki/index.php/Production_Notes", "https://wiki.example.org/wiki/api.php"),
            ("https://wiki.example.org:8443/index.php?title=A&action=edit", "https://wiki.example.org:8443/api.php"),
            ("http://[::1]:8080/", "http://[::1]:8080/api.php"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), api, "{text}");
        }
        for bad in
            ["", "wiki.example.org", "ftp://wiki.example.org/", "https://", "https://bot:secret@wiki.example.org/"]
        {
            let error = Address::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_goes_nowhere_in_the_clear() {
        for (text, private) in [
            ("https://wiki.example.org/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://localhost/", true),
            ("http://[::1]/", true),
            ("http://wiki.example.org/", false),
            ("http://10.0.0.1/", false),
            ("http://127.0.0.1.example.org/", false),
            ("http://localhost.example.org/", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_private(), private, "{text}");
        }
    }

    #[test]
    fn a_page_has_an_address_whatever_its_title() {
        let address = Address::parse("https://wiki.example.org/w/api.php").unwrap();
        assert_eq!(address.page("Runbook:a b/c"), "https://wiki.example.org/w/index.php?title=Runbook:a_b/c");
        assert_eq!(address.page("é&?#"), "https://wiki.example.org/w/index.php?title=%C3%A9%26%3F%23");
    }
}
