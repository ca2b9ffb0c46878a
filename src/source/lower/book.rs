//! The file `book.yaml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Lowering;
use crate::model::template::Piece;
use crate::model::{Book, Probe, System, Template, WikiSettings};
use crate::source::raw::book::{RawBook, RawSystem, RawWiki};
use crate::source::raw::{Named, Prose, Word};

/// The book in `dir`, and its probes with those that could not be lowered.
pub(in crate::source) fn book(
    dir: &Path,
    raw: &RawBook,
    low: &Lowering<'_>,
) -> (Book, BTreeMap<String, Option<Arc<Probe>>>) {
    let probes = low.probes(&raw.probes);
    let systems = raw.systems.entries.iter().map(|entry| match &entry.value {
        Some(system) => low.system(&entry.name, system),
        None => System { name: entry.name.clone(), title: entry.name.clone(), ..System::default() },
    });
    let book = Book {
        dir: dir.to_owned(),
        name: raw.name.as_ref().map(|prose| prose.0.text.trim().to_owned()),
        systems: systems.collect(),
        probes: probes.iter().filter_map(|(name, probe)| Some((name.clone(), probe.clone()?))).collect(),
        stale_after: raw.stale_after.as_ref().map(|length| length.period),
        wiki: raw.wiki.as_ref().map(|wiki| low.wiki(wiki)).unwrap_or_default(),
    };
    (book, probes)
}

impl Lowering<'_> {
    fn system(&self, name: &str, raw: &RawSystem) -> System {
        let port = raw.port.as_ref().and_then(|whole| match u16::try_from(whole.number) {
            Ok(port) if port > 0 => Some(port),
            Ok(_) | Err(_) => {
                self.cx.fault("wrong-type", &whole.span, format!("`{}` is no port", whole.number));
                None
            }
        });
        System {
            name: name.to_owned(),
            title: raw.title.as_ref().map_or_else(|| name.to_owned(), |prose| prose.0.text.trim().to_owned()),
            prose: raw.prose.as_ref().map(|prose| prose.0.text.trim().to_owned()).unwrap_or_default(),
            hosts: raw.hosts.as_ref().and_then(|words| self.cx.hosts(words)),
            port,
            links: pairs(&raw.links),
        }
    }

    fn wiki(&self, raw: &RawWiki) -> WikiSettings {
        WikiSettings {
            url: raw.url.as_ref().and_then(|word| self.wiki_url(word)),
            title: raw.title.as_ref().and_then(|Prose(word)| self.title_template(word)),
            category: raw.category.as_ref().and_then(|Prose(word)| self.title(word)),
            page: raw.page.as_ref().and_then(|Prose(word)| self.title(word)),
            links_heading: raw.links_heading.as_ref().map(|Prose(word)| word.text.trim().to_owned()),
        }
    }

    fn wiki_url(&self, word: &Word) -> Option<String> {
        let text = word.text.trim();
        if text.starts_with("https://") || text.starts_with("http://") {
            return Some(text.to_owned());
        }
        let found = self.cx.error("bad-url", &word.span, format!("`{text}` is no address of a wiki"));
        self.cx.report(found.help("write it with its scheme: `https://wiki.example.org/w/api.php`"));
        None
    }

    /// A title that is written out.
    fn title(&self, word: &Word) -> Option<String> {
        self.fits_a_title(word, &word.text, 0).then(|| word.text.trim().to_owned())
    }

    /// A title that differs from runbook to runbook.
    fn title_template(&self, word: &Word) -> Option<Template> {
        let template = self.cx.template(word)?;
        let place = |offset| word.place(self.cx.source().text(), offset);
        let (mut good, mut distinct, mut rest) = (true, false, 0);
        for piece in template.pieces() {
            match piece {
                Piece::Text(text) => {
                    good &= self.fits_a_title(word, text, rest);
                    rest += text.len();
                }
                Piece::Expression { expression, offset, end, .. } => {
                    for used in expression.names() {
                        let name = used.path[0].as_str();
                        distinct |= matches!(name, "name" | "title");
                        if !WikiSettings::NAMES.contains(&name) || used.path.len() > 1 {
                            let at = place(offset + "${{".len() + used.offset);
                            let path = used.path.join(".");
                            let found =
                                self.cx.error("undefined", &(at..at + path.len()), format!("`{path}` is not defined"));
                            let names = format!("a title may use {}", WikiSettings::NAMES.join(", "));
                            self.cx.report(found.help(names).did_you_mean(name, WikiSettings::NAMES));
                            good = false;
                        }
                    }
                    rest = *end;
                }
            }
        }
        if good && !distinct {
            let found = self.cx.error("bad-title", &word.span, "every runbook's page would have the same title");
            self.cx.report(found.help("use the name in it: `Runbook:${{ name }}`"));
        }
        (good && distinct).then_some(template)
    }

    /// Whether a piece of a title holds nothing that no title may, reported when it does.
    fn fits_a_title(&self, word: &Word, piece: &str, offset: usize) -> bool {
        let bad = piece.char_indices().find(|(_, c)| WikiSettings::BAD.contains(*c) || c.is_control());
        if let Some((at, bad)) = bad {
            let at = word.place(self.cx.source().text(), offset + at);
            let message = format!("`{bad}` cannot stand in the title of a wiki page");
            let found = self.cx.error("bad-title", &(at..at + bad.len_utf8()), message);
            self.cx.report(found.help(format!("these cannot: `{}`", WikiSettings::BAD)));
        }
        bad.is_none()
    }
}

fn pairs(named: &Named<Word>) -> Vec<(String, String)> {
    let pairs = named.entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.value.as_ref()?.text.clone())));
    pairs.collect()
}
